"""Training: the loop, an epoch of steps, the validation after it, optimizer and scheduler."""
