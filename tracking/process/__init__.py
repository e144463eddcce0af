"""Which process writes, and what it is part of: its identity, its signals, its sweep."""

from tracking.process.identity import is_alive, started

__all__ = ["is_alive", "started"]
