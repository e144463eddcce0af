"""Follows the forward method of a model, to find the layers that it computes."""
