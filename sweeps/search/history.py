"""What a model of the search learns from: which points were asked for, and what they came to, in the order of the events.

A history only grows. So a model that has read a part of it reads on from there, and a suggestion that was computed from
the first n entries is the one that any other computation from them gives.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from sweeps.search.dimensions import Coordinates
from sweeps.settings.search_settings import SearchSettings

Losses = tuple[float, ...]  # one number per objective, the lower the better


@dataclass(frozen=True)
class Asked:
    """A job began at a point."""

    job: int
    coordinates: Coordinates


@dataclass(frozen=True)
class Told:
    """A job came to values at a rung; `losses` is None for one that failed there by its parameters.

    A `violation` above 0 says by how much it breaks the constraints.
    """

    job: int
    rung: int
    losses: Losses | None
    violation: float = 0.0


@dataclass(frozen=True)
class Left:
    """A job runs no more, so that no value is to come unless it goes on."""

    job: int


Entry = Asked | Told | Left


@dataclass
class History:
    """The entries so far. Those of earlier sweeps have negative numbers of jobs."""

    entries: list[Entry] = field(default_factory=list)
    told: int = 0  # how many entries are values

    def add(self, entry: Entry) -> None:
        """Append an entry."""
        self.entries.append(entry)
        self.told += isinstance(entry, Told)


def losses_of(settings: SearchSettings, values: Sequence[float | None]) -> Losses | None:
    """Return the losses of values of the objectives; None if one of them is no finite number."""
    if len(values) != len(settings.objectives):
        return None
    losses = []
    for objective, value in zip(settings.objectives, values, strict=True):
        if value is None or not math.isfinite(value):
            return None
        losses.append(-value if objective.higher_is_better else value)
    return tuple(losses)


class Heard:
    """What entries say: the coordinates of each job, what it came to at each rung, and which jobs run."""

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self.asked: dict[int, Coordinates] = {}
        self.told: dict[tuple[int, int], Told] = {}  # by job and rung, in the order of the first time
        self._running: dict[int, None] = {}
        self._read = 0
        self.read(entries)

    def read(self, entries: Sequence[Entry]) -> None:
        """Hear the entries behind those that were heard."""
        for entry in entries[self._read :]:
            self.hear(entry)
        self._read = len(entries)

    def hear(self, entry: Entry) -> None:
        """Hear an entry; what a job came to at a rung may be told again, and was wrong before."""
        if isinstance(entry, Asked):
            self.asked[entry.job] = entry.coordinates
            self._running[entry.job] = None
        elif isinstance(entry, Left):
            self._running.pop(entry.job, None)
        else:
            self.told[entry.job, entry.rung] = entry

    def last(self) -> list[Told]:
        """Return what each job came to at the last rung that it stands at, by the order of the jobs."""
        found: dict[int, Told] = {}
        for told in self.told.values():
            if told.job not in found or found[told.job].rung < told.rung:
                found[told.job] = told
        return [found[job] for job in self.asked if job in found]

    def running(self, *, without_value: bool = False) -> list[Coordinates]:
        """Return the points of jobs that run; with `without_value`, only of those that have come to no rung."""
        valued = {job for job, _ in self.told} if without_value else set()
        return [self.asked[job] for job in self._running if job not in valued]
