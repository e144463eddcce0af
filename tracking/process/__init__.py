"""Which process writes, and what it is part of: its identity, its signals, its sweep."""
