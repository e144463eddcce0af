"""One dimension of a searched space: a number between two bounds, or one of some choices.

A search computes with the value of a dimension, jobs are given its overrides. A value is the number itself, or the index
of a choice. Choices that are numbers are put in order, so that neighbouring indices are neighbouring numbers.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sweeps.space.axes import Axis, Interval, Point, parsed, values_of

Value = float | int
Coordinates = Mapping[str, Value]  # the value of each dimension that a point has, by its name


@dataclass(frozen=True)
class Number:
    """A key that takes any number of an interval."""

    name: str
    interval: Interval

    @property
    def size(self) -> int | None:
        """How many values there are; None if they cannot be counted."""
        within = self.interval
        return int(within.end - within.start) + 1 if within.is_whole else None

    @property
    def _range(self) -> tuple[float, float]:
        margin = 0.5 if self.interval.is_whole else 0.0
        start, end = self.interval.start - margin, self.interval.end + margin
        return (math.log(start), math.log(end)) if self.interval.is_log else (start, end)

    def at(self, share: float) -> Value:
        """Return the value at a share of the way from the start to the end, on the scale of the interval."""
        start, end = self._range
        value = start + share * (end - start)
        value = math.exp(value) if self.interval.is_log else value
        if self.interval.is_whole:
            return int(min(max(math.floor(value + 0.5), self.interval.start), self.interval.end))
        return min(max(value, self.interval.start), self.interval.end)

    def share(self, value: Value) -> float:
        """Return where between start (0) and end (1) a value lies, on the scale of the interval."""
        start, end = self._range
        return ((math.log(value) if self.interval.is_log else value) - start) / (end - start)

    def draw(self, source: random.Random) -> Value:
        """Return a random value."""
        return self.at(source.random())

    def lines(self, value: Value) -> Point:
        """Return the overrides that set a value."""
        return (f"{self.interval.key}={value!r}",)

    def find(self, point: Sequence[str]) -> Value | None:
        """Return the value that a point sets, as `lines` writes it; None if there is none within the bounds."""
        for line in point:
            key, _, text = line.partition("=")
            if key == self.interval.key:
                try:
                    return self.read({self.interval.names[0]: float(text)})
                except ValueError:
                    return None
        return None

    def read(self, values: Mapping[str, Any]) -> Value | None:
        """Return the value among those of keys; None if there is none within the bounds."""
        value = values.get(self.interval.names[0])
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if not self.interval.start <= value <= self.interval.end:
            return None
        if self.interval.is_whole:
            return int(value) if value == int(value) else None
        return float(value)


@dataclass(frozen=True)
class Choice:
    """Keys that are set together to one of some choices; `is_ordered` if these are numbers, from low to high."""

    name: str
    axis: Axis
    is_ordered: bool = False

    @property
    def size(self) -> int:
        """How many choices there are."""
        return len(self.axis.choices)

    @cached_property
    def _by_lines(self) -> dict[Point, int]:
        return {lines: index for index, lines in reversed(list(enumerate(self.axis.choices)))}

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(line.partition("=")[0] for lines in self.axis.choices for line in lines)

    @cached_property
    def _by_values(self) -> dict[str, int]:
        return {
            _written(values_of(lines)): index for index, lines in reversed(list(enumerate(self.axis.choices)))
        }

    def at(self, share: float) -> Value:
        """Return the index at a share of the way from the first choice to the last one."""
        return min(int(share * self.size), self.size - 1)

    def share(self, value: Value) -> float:
        """Return where between the first choice (0) and the last one (1) an index lies."""
        return (value + 0.5) / self.size

    def draw(self, source: random.Random) -> Value:
        """Return a random index."""
        return source.randrange(self.size)

    def lines(self, value: Value) -> Point:
        """Return the overrides of a choice."""
        return self.axis.choices[int(value)]

    def find(self, point: Sequence[str]) -> Value | None:
        """Return the index of the choice that a point contains as it is written; None if there is none."""
        return self._by_lines.get(tuple(line for line in point if line.partition("=")[0] in self._keys))

    def read(self, values: Mapping[str, Any]) -> Value | None:
        """Return the index of the choice that sets the values of its keys; None if none does."""
        return self._by_values.get(
            _written({name: values[name] for name in self.axis.names if name in values})
        )


Dimension = Number | Choice


def dimension_of(axis: Axis | Interval, name: str) -> Dimension | None:
    """Return the dimension of an axis; None if it has one value only, so that nothing is to be chosen."""
    if isinstance(axis, Interval):
        return Number(name, axis) if axis.start < axis.end else None
    different = tuple(dict.fromkeys(axis.choices))
    if len(different) == 1:
        return None
    numbers = [_number(lines) for lines in different]
    if None in numbers:
        return Choice(name, Axis(axis.names, different))
    in_order = sorted(zip(numbers, different, strict=True), key=lambda each: each[0] or 0.0)
    return Choice(name, Axis(axis.names, tuple(lines for _, lines in in_order)), is_ordered=True)


def _number(lines: Point) -> float | None:
    """Return the number that a choice of one override sets; None for anything else."""
    if len(lines) != 1 or parsed(lines[0]).is_delete():
        return None
    value = parsed(lines[0]).value()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _written(values: Mapping[str, Any]) -> str:
    """Return values as a text that is the same for equal ones: 1 and 1.0, "mlp" with and without quotes."""
    return repr(sorted((name, _plain(value)) for name, value in values.items()))


def _plain(value: Any) -> str:
    match value:
        case bool() | None:
            return repr(value)
        case int() | float():
            return repr(float(value))
        case list() | tuple():
            return f"[{', '.join(map(_plain, value))}]"
        case Mapping():
            return f"{{{', '.join(f'{key}: {_plain(item)}' for key, item in value.items())}}}"
    return str(value)
