"""How a search drives a sweep: its decisions become jobs, and it hears what comes of them."""
