"""The space that a search chooses points of: its dimensions, and the point that values for them make.

Every point is made in one way: a function says the value of each dimension in turn. So drawing, suggesting and reading a
point back differ in this function alone, and what a point lacks, because a condition excludes it, no model is told.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from sweeps.errors import SettingsError
from sweeps.search.dimensions import Choice, Coordinates, Dimension, Number, Value, dimension_of
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space import Point, Space, values_of
from sweeps.space.axes import Axis, Interval
from sweeps.space.conditions import Conditions, ConfigOf
from sweeps.space.expand import FEW
from sweeps.space.points import written

COVERING = 200  # random points that show which names of a condition no config has
PART = "part of spaces"  # the name of the dimension that says which of several parts a point is of

ValueFor = Callable[[Dimension], Value | None]


@dataclass(frozen=True)
class Placed:
    """A point, and the values of the dimensions that it has."""

    point: Point
    coordinates: Coordinates


class Trial:
    """What a function of the user's draws a point with; the names are keys of the config.

    Each method returns the value that the search chooses. A name that is asked for again has the same value.
    """

    def __init__(self, value_for: ValueFor) -> None:
        self._value_for = value_for
        self._drawn: dict[str, Any] = {}
        self.dimensions: dict[str, Dimension] = {}
        self.coordinates: dict[str, Value] = {}
        self.lines: list[str] = []

    @property
    def params(self) -> Mapping[str, Any]:
        """What has been drawn so far, by name."""
        return self._drawn

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a number from `low` to `high`, both included; with `step`, one of low, low + step, ..."""
        if step is not None:
            count = math.floor((high - low) / step + 1e-9) + 1
            return float(self.suggest_categorical(name, [low + i * step for i in range(count)]))
        value = self._drawn[name] = self._number(Interval(name, (name,), float(low), float(high), log))
        return value

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return a whole number from `low` to `high`, both included; with `step`, one of low, low + step, ..."""
        if step != 1:
            return int(self.suggest_categorical(name, list(range(low, high + 1, step))))
        interval = Interval(name, (name,), low, high, log, is_whole=True)
        value = self._drawn[name] = int(self._number(interval))
        return value

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of the choices: null, true, false, numbers, text, lists and mappings of these."""
        axis = Axis((name,), tuple((f"{name}={written(each, name)}",) for each in choices))
        line = self._set(name, axis)
        return self._drawn.setdefault(name, choices[axis.choices.index((line,))])

    def _number(self, interval: Interval) -> float:
        if interval.start > interval.end or (interval.is_log and interval.start <= 0):
            raise SettingsError(
                f"space_function: {interval.key}: allowed is low <= high, and 0 < low with log"
            )
        return float(self._set(interval.key, interval).partition("=")[2])

    def _set(self, name: str, axis: Axis | Interval) -> str:
        known = next((line for line in self.lines if line.startswith(f"{name}=")), None)
        if known is not None:
            return known
        dimension = dimension_of(axis, name)
        if dimension is None:  # one value
            line = axis.choices[0][0] if isinstance(axis, Axis) else f"{name}={axis.start!r}"
        else:
            value = self._value_for(dimension)
            if value is None:
                raise UnsaidError
            self.dimensions[name], self.coordinates[name] = dimension, value
            (line,) = dimension.lines(value)
        self.lines.append(line)
        return line


class UnsaidError(Exception):
    """A dimension for which there is no value."""


@dataclass(frozen=True)
class _Part:
    """The overrides that all points of a part share, its dimensions in the order of the axes, and the keys that it sets."""

    fixed: Point
    dimensions: tuple[Dimension, ...]
    names: frozenset[str]


class SearchedSpace:
    """A space with its conditions; `function` draws further keys of a point, each time that one is made.

    Raise `SettingsError` for conditions that make no sense.
    """

    def __init__(
        self,
        space: Space,
        settings: SpaceSettings,
        config_of: ConfigOf = lambda _point: {},
        function: Callable[[Trial], object] | None = None,
    ) -> None:
        self._conditions = Conditions(settings, space.fixed, space.swept, config_of)
        self._shared = values_of(space.fixed)
        self._parts: list[_Part] = []
        self._known: dict[str, Dimension] = {}
        self._function = function
        self._which = Choice(PART, Axis((), ((),) * len(space.parts))) if len(space.parts) > 1 else None
        if self._which is not None:
            self._known[PART] = self._which
        for index, part in enumerate(space.parts):
            fixed, found = list(part.fixed), []
            for axis in part.axes:
                dimension = self._named(axis, index)
                if dimension is None:
                    fixed += axis.choices[0] if isinstance(axis, Axis) else [f"{axis.key}={axis.start!r}"]
                else:
                    found.append(dimension)
            names = (
                frozenset(name for axis in part.axes for name in axis.names) | values_of(part.fixed).keys()
            )
            self._parts.append(_Part(tuple(fixed), tuple(found), names))
        self._when = frozenset(settings.when)
        self._has_conditions = bool(settings.when) or settings.filter is not None
        self.is_plain = (
            not self._has_conditions and function is None
        )  # whether points follow from values alone
        self.is_conditional = bool(settings.when) or self._which is not None or function is not None

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """Every dimension that is known; those of a function become known when it first asks for them."""
        return tuple(self._known.values())

    def place(self, value_for: ValueFor) -> Placed | None:
        """Return the point that the values of `value_for` make; None if it leaves one out, or if no job has the point.

        Raise `SettingsError` if the function draws a key that is set already.
        """
        coordinates: dict[str, Value] = {}
        try:
            part = self._parts[int(_said(value_for, self._which, coordinates)) if self._which else 0]
            lines = list(part.fixed)
            for dimension in part.dimensions:
                lines += dimension.lines(_said(value_for, dimension, coordinates))
            if self._function is not None:
                trial = Trial(value_for)
                self._function(trial)
                self._require_own(trial.lines, part)
                lines += trial.lines
                coordinates |= trial.coordinates
                self._known |= trial.dimensions
        except UnsaidError:
            return None
        return self._allowed(tuple(lines), coordinates)

    def draw(self, source: random.Random, tries: int = 1) -> Placed | None:
        """Return a random point; None if no one of so many tries satisfies the filter."""
        for _ in range(tries):
            placed = self.place(lambda dimension: dimension.draw(source))
            if placed is not None:
                return placed
        return None

    def find(self, point: Point) -> Placed | None:
        """Return a point of the space with its values, as `place` makes it; None if it is not of the space.

        A point may lack keys that a condition excludes.
        """
        placed = self._matching(point, lambda dimension: dimension.find(point))
        return self.read(values_of(point), point) if placed is None else placed

    def read(self, values: Mapping[str, Any], point: Point = ()) -> Placed | None:
        """Return the point that sets keys to values; None if it is not of the space."""
        return self._matching(point, lambda dimension: dimension.read(values))

    def every(self) -> Iterator[Placed] | None:
        """Return all points of a small space; None for others."""
        sizes = [[each.size or math.inf for each in part.dimensions] for part in self._parts]
        if self._function is not None or sum(map(math.prod, sizes)) > FEW:
            return None
        return self._every()

    def _every(self) -> Iterator[Placed]:
        for index, part in enumerate(self._parts):
            for values in product(*(_all_of(each) for each in part.dimensions)):
                names = (each.name for each in part.dimensions)
                placed = self.place(
                    partial(_value_in, {PART: index, **dict(zip(names, values, strict=True))})
                )
                if placed is not None:
                    yield placed

    def _matching(self, point: Point, found: ValueFor) -> Placed | None:
        """Return the point of the first part that has its values; a value that a condition excludes need not be there."""
        for index in range(len(self._parts)):

            def value_for(dimension: Dimension, index: int = index) -> Value | None:
                if dimension is self._which:
                    return index
                value = found(dimension)
                return dimension.at(0.5) if value is None and self._is_conditional(dimension) else value

            placed = self.place(value_for)
            if placed is not None and (not point or set(self._parts[index].fixed) <= set(point)):
                known = {
                    name
                    for name in placed.coordinates
                    if name == PART or found(self._known[name]) is not None
                }
                if known == placed.coordinates.keys():
                    return placed
        return None

    def own(self, point: Point) -> Point:
        """Return a point as the search writes it, so that it is the same as one that the search finds by itself.

        A point that is not of the space, or sets other keys, is returned as it is.
        """
        placed = self.find(point)
        if placed is None or values_of(placed.point).keys() != values_of(point).keys():
            return point
        return placed.point

    def require_sense(self, source: random.Random) -> None:
        """Raise `SettingsError` for a name in a condition that no point has, as far as many points tell.

        Most spaces show it by their first point; no more are made than it takes.
        """
        sizes = [each.size or 1 for each in self.dimensions if isinstance(each, Choice)]
        for number in range(COVERING + min(max(sizes, default=1), COVERING)):
            if not self._conditions.lack_names:
                return
            self.place(partial(_turn, number, source))
        self._conditions.require_names()

    def _require_own(self, lines: Sequence[str], part: _Part) -> None:
        """Raise `SettingsError` for a key that a function draws although it is swept or set."""
        for line in lines:
            name = line.partition("=")[0].lstrip("+")
            if name in part.names:
                raise SettingsError(
                    f"space_function: draws {name}, which is swept already; remove one of the two"
                )
            if name in self._shared:
                value = f"{name}={self._shared[name]}"
                raise SettingsError(
                    f"space_function: draws {name}, which is set already ({value}); remove one of the two"
                )

    def _is_conditional(self, dimension: Dimension) -> bool:
        names = dimension.interval.names if isinstance(dimension, Number) else dimension.axis.names
        return not self._when.isdisjoint(names)

    def _named(self, axis: Axis | Interval, part: int) -> Dimension | None:
        """Return the dimension of an axis of a part; parts whose axes of a key differ have different dimensions of it."""
        name = axis.key if isinstance(axis, Interval) else "+".join(axis.names)
        dimension = dimension_of(axis, name)
        if dimension is not None and self._known.setdefault(name, dimension) != dimension:
            dimension = dimension_of(axis, f"{name} of part {part}")
        if dimension is not None:
            self._known.setdefault(dimension.name, dimension)
        return dimension

    def _allowed(self, lines: Point, coordinates: dict[str, Value]) -> Placed | None:
        if not self._has_conditions:
            return Placed(lines, coordinates)
        point = self._conditions.reduced(lines)
        if not self._conditions.fulfilled_by(point):
            return None
        if len(point) < len(lines):
            kept = set(point)
            for name in list(coordinates):
                if name != PART and not kept >= set(self._known[name].lines(coordinates[name])):
                    del coordinates[name]
        return Placed(point, coordinates)


def _turn(number: int, source: random.Random, dimension: Dimension) -> Value:
    """Return a random value; of a choice each one in turn, at first."""
    if isinstance(dimension, Choice) and number < dimension.size:
        return number
    return dimension.draw(source)


def _said(value_for: ValueFor, dimension: Dimension, coordinates: dict[str, Value]) -> Value:
    value = value_for(dimension)
    if value is None:
        raise UnsaidError
    coordinates[dimension.name] = value
    return value


def _value_in(coordinates: Coordinates, dimension: Dimension) -> Value:
    return coordinates[dimension.name]


def _all_of(dimension: Dimension) -> range:
    start = int(dimension.interval.start) if isinstance(dimension, Number) else 0
    return range(start, start + (dimension.size or 0))
