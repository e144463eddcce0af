"""What a sweep shows: a live table, lines, or JSON events."""
