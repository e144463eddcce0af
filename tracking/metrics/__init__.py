"""The points of one run: its journals, and the views made from them."""
