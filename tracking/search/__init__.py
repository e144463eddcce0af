"""Questions about many runs at once."""
