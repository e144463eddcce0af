"""An axis of a search space: the overrides that it may add to a job, listed or drawn."""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

MOST = 1_000_000  # values of an axis, and points of a sweep

Point = tuple[str, ...]  # the overrides that make a job out of the sweep's config


@cache
def parsed(line: str) -> Override:
    """Return a parsed override that sets its key to one value; cached, because the lines of a grid recur."""
    return OverridesParser.create().parse_override(line)


def name_of(override: Override) -> str:
    """Return the key that an override sets, with the package of a group (``db@source``).

    A deletion has its own name (``~key``), so it may stand beside an override that sets the key.
    """
    key = str(override.key_or_group)
    name = key if override.package is None else f"{key}@{override.package}"
    return f"~{name}" if override.is_delete() else name


def values_of(point: Iterable[str]) -> dict[str, Any]:
    """Return the value that each override of a point sets, by key."""
    overrides = map(parsed, point)
    return {name_of(each): each.value() for each in overrides if not each.is_delete()}


@dataclass(frozen=True)
class Axis:
    """One or more keys that are set together, and the choices for them."""

    names: tuple[str, ...]
    choices: tuple[Point, ...]

    def draw(self, source: random.Random) -> Point:
        """Return one of the choices at random, each with the same probability."""
        return source.choice(self.choices)


@dataclass(frozen=True)
class Interval:
    """A key that takes any number between two, both included: uniform, or uniform in the logarithm.

    With `is_whole` the bounds are whole, and each whole number stands for the stretch of length 1 around it. So the ends
    are drawn as often as their neighbours.
    """

    key: str
    names: tuple[str]
    start: float
    end: float
    is_log: bool = False
    is_whole: bool = False

    def draw(self, source: random.Random) -> Point:
        """Return a random number as an override."""
        if self.is_whole and not self.is_log:
            return (f"{self.key}={source.randint(int(self.start), int(self.end))}",)
        margin = 0.5 if self.is_whole else 0.0
        start, end = self.start - margin, self.end + margin
        if self.is_log:
            value = math.exp(source.uniform(math.log(start), math.log(end)))
        else:
            value = source.uniform(start, end)
        if self.is_whole:
            value = math.floor(value + margin)
        # The exponential of a logarithm may lie beyond the bound that it came from.
        return (f"{self.key}={min(max(value, self.start), self.end)!r}",)
