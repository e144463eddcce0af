"""The points of one run: the journal that is appended, and the views that are made of it."""
