"""The layers that a stack computes: of each kind the calls of its forward and of its backward pass."""
