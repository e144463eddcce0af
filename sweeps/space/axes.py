"""An axis of a search space: the overrides it may add to a job, listed or drawn."""

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
    """Parse an override that sets its key to one value; once, since the lines of a grid come again and again."""
    return OverridesParser.create().parse_override(line)


def name_of(override: Override) -> str:
    """What an override sets: its key, with the package of a group that is put elsewhere (``db@source``).

    Taking a key away stands for itself (``~key``), beside an override that sets the key.
    """
    key = str(override.key_or_group)
    name = key if override.package is None else f"{key}@{override.package}"
    return f"~{name}" if override.is_delete() else name


def values_of(point: Iterable[str]) -> dict[str, Any]:
    """Return what each override of a point sets its key to."""
    overrides = map(parsed, point)
    return {name_of(each): each.value() for each in overrides if not each.is_delete()}


@dataclass(frozen=True)
class Axis:
    """One or more keys that are set together, and the ways to set them."""

    names: tuple[str, ...]
    choices: tuple[Point, ...]

    def draw(self, source: random.Random) -> Point:
        """Choose one way at random, each as likely as the others."""
        return source.choice(self.choices)


@dataclass(frozen=True)
class Interval:
    """A key that takes any number between two; evenly on a logarithmic scale if `is_log`, rounded if `is_whole`."""

    key: str
    name: str
    start: float
    end: float
    is_log: bool = False
    is_whole: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The one key it sets."""
        return (self.name,)

    def draw(self, source: random.Random) -> Point:
        """Draw a number evenly, both ends included."""
        if self.is_log:
            value = math.exp(source.uniform(math.log(self.start), math.log(self.end)))
        else:
            value = source.uniform(self.start, self.end)
        value = min(max(value, self.start), self.end)
        return (f"{self.key}={round(value) if self.is_whole else value!r}",)
