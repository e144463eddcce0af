"""How good a search is for its epochs: simulated workers, curves of real data sets, rivals beside it."""
