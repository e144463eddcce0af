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
