"""One module per benchmark: each has NAME, and `measure(plan)`, which gives its chapter."""
