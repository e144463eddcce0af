"""How a sweep is shown: tables, lines or JSON events."""
