"""Queries over many runs; catalog.py is the entry. Importing this loads nothing, so that a list needs no query language."""
