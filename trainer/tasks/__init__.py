"""What a task makes of logits: losses, predictions and metrics."""
