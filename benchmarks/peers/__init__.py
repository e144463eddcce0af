"""A driver per tracker, and beside it the pinned packages its environment holds. None imports another."""
