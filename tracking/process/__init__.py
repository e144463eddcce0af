"""The process that writes: its identity, its signals, the sweep it belongs to."""

from tracking.process.identity import is_alive, started

__all__ = ["is_alive", "started"]
