"""Data files: what they are by their bytes, and their rows."""
