"""Samplers choose the points of a sweep."""
