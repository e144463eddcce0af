"""How well a sweep used its slots: the time its jobs held one, over the time there was one to hold.

It is read from the ledger, where the sweep's parent writes how many slots it has when it begins and that it ended;
a sweep that was resumed has several such lives, and the time between them counts for nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tracking.files import read_lines

BEGAN = "began"
ENDED = "ended"


@dataclass(frozen=True)
class Usage:
    """`slots` of the last life, `wall_s` of all lives, `busy_s` and `available_s` in seconds of one slot.

    A slot is busy from when a process is asked for a job until that process is gone.
    """

    slots: int
    wall_s: float
    busy_s: float
    available_s: float
    utilisation: float  # busy over available, 0 to 1


class _Life:
    """From the moment a parent began to its last word."""

    def __init__(self, slots: int, began: datetime) -> None:
        self.slots = slots
        self.began = self.last = began
        self.busy_s = 0.0
        self.has_slots = True  # which a launcher that is not ours does not tell
        self._running: dict[int, datetime] = {}

    def hear(self, entry: dict[str, Any], at: datetime) -> None:
        self.last = at
        if entry["event"] == "started":
            self.has_slots = self.has_slots and "slot" in entry
            self._running[entry["job"]] = at
        elif entry["event"] in {"retry", "finished"} and entry["job"] in self._running:
            # One that did not start in this life was found or taken from another sweep, and held no slot.
            del self._running[entry["job"]]
            self.busy_s += float(entry["wall_s"])

    @property
    def wall_s(self) -> float:
        return (self.last - self.began).total_seconds()

    @property
    def all_busy_s(self) -> float:
        """Also of the jobs whose end nobody wrote down, up to the last word."""
        return self.busy_s + sum((self.last - since).total_seconds() for since in self._running.values())


def read_usage(ledger: Path) -> Usage | None:
    """Return how well the sweep used its slots so far; None when its ledger does not tell. Reads the ledger once."""
    lives: list[_Life] = []
    for entry in read_lines(ledger) if ledger.exists() else ():
        at = datetime.fromisoformat(entry["at"])
        if entry["event"] == BEGAN:
            lives.append(_Life(entry["slots"], at))
        elif lives:
            lives[-1].hear(entry, at)
    available_s = sum(life.slots * life.wall_s for life in lives)
    if not available_s or not all(life.has_slots for life in lives):
        return None
    busy_s = sum(life.all_busy_s for life in lives)
    return Usage(
        slots=lives[-1].slots,
        wall_s=round(sum(life.wall_s for life in lives), 3),
        busy_s=round(busy_s, 3),
        available_s=round(available_s, 3),
        utilisation=round(min(1.0, busy_s / available_s), 4),
    )
