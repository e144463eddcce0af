"""The runs of one store, one at a time: made, read, changed, deleted."""
