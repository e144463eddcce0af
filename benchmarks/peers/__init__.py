"""A driver per tracker, and beside it the pinned packages of its environment. No driver imports another."""
