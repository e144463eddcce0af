"""The runs of one store, one at a time: create, read, change, delete."""
