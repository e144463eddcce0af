"""What a user sees of a training while it runs, and why it ended when it goes wrong."""
