"""Turns a search space into the points of a sweep, in their order.

Everything is known before the first job starts, random points included: they come from a seed.
"""

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from sweeps.errors import SettingsError
from sweeps.settings import Mode, SpaceSettings
from sweeps.space.axes import Axis, Interval, Point, parsed
from sweeps.space.read import Part, Space
from tracking import TrackingError
from tracking.query import Query, lookup, parse_query

TRIES = 100  # how often a random point is drawn anew because it came before


def expand(space: Space, settings: SpaceSettings) -> list[Point]:
    """Return the points of a sweep, each once, without the overrides that all jobs share.

    A grid varies its last axis fastest, as in Hydra; repeats of a point stand together. Raises `SettingsError` if
    the axes do not fit the mode.
    """
    source = random.Random(settings.seed)  # noqa: S311 - reproducible is what it must be
    conditions = {name: _condition(name, text) for name, text in settings.when.items()}
    points: dict[Point, None] = {}
    for part in space.parts:
        for lines in _MODES[settings.mode](part, settings, source):
            points[_conditional((*part.fixed, *lines), space.fixed, conditions)] = None
    if settings.repeat > 1:
        return list(_repeated(points, space, settings))
    return list(points)


def values_of(point: Iterable[str]) -> dict[str, Any]:
    """Return what each override of a point sets its key to."""
    return dict(map(_value_of, point))


def _grid(part: Part, settings: SpaceSettings, _source: random.Random) -> Iterator[Point]:
    axes = [axis.choices for axis in _listed(part, settings)]
    return (sum(lines, ()) for lines in product(*axes))


def _zip(part: Part, settings: SpaceSettings, _source: random.Random) -> Iterator[Point]:
    axes = _listed(part, settings)
    if len({len(axis.choices) for axis in axes}) > 1:
        lengths = ", ".join(f"{'+'.join(axis.names)} has {len(axis.choices)}" for axis in axes)
        raise SettingsError(f"mode=zip: all axes must have the same number of values: {lengths}")
    return (sum(lines, ()) for lines in zip(*(axis.choices for axis in axes), strict=True))


def _list(part: Part, settings: SpaceSettings, _source: random.Random) -> Iterator[Point]:
    if settings.points is None:
        raise SettingsError("mode=list: needs points, a .csv or .json file or a list of mappings")
    points, *others = part.axes
    if others:
        names = ", ".join(name for axis in others for name in axis.names)
        raise SettingsError(
            f"mode=list: {names} is swept beside the points; allowed with mode=grid, zip or random"
        )
    return iter(points.choices if isinstance(points, Axis) else ())


def _random(part: Part, settings: SpaceSettings, source: random.Random) -> Iterator[Point]:
    """Draw different points; fewer than asked for when there are no more."""
    if settings.n_trials is None:
        raise SettingsError("mode=random: needs n_trials, the number of points to draw")
    endless = any(isinstance(axis, Interval) for axis in part.axes)
    size = (
        math.inf if endless else math.prod(len(axis.choices) for axis in part.axes if isinstance(axis, Axis))
    )
    if settings.n_trials >= size:
        everything = list(_grid(part, settings, source))
        source.shuffle(everything)
        yield from everything
        return
    seen: set[Point] = set()
    for _ in range(settings.n_trials * TRIES):
        lines: Point = sum((axis.draw(source) for axis in part.axes), ())
        if lines not in seen:
            seen.add(lines)
            yield lines
        if len(seen) == settings.n_trials:
            return


_MODES: dict[Mode, Callable[[Part, SpaceSettings, random.Random], Iterator[Point]]] = {
    Mode.GRID: _grid,
    Mode.ZIP: _zip,
    Mode.LIST: _list,
    Mode.RANDOM: _random,
}


def _listed(part: Part, settings: SpaceSettings) -> Sequence[Axis]:
    for axis in part.axes:
        if isinstance(axis, Interval):
            raise SettingsError(
                f"{axis.name}=interval({axis.start:g},{axis.end:g}): a continuous interval cannot be listed for "
                f"mode={settings.mode}; use mode=random with n_trials, or a list (a,b,c), choice(...), range(...)"
            )
    return [axis for axis in part.axes if isinstance(axis, Axis)]


def _condition(name: str, text: str) -> Query:
    try:
        return parse_query(text)
    except TrackingError as error:
        raise SettingsError(f"when.{name}: {error}") from error


def _conditional(lines: Point, shared: Point, conditions: Mapping[str, Query]) -> Point:
    """Leave out the overrides whose condition, on the others that remain, does not hold."""
    if not conditions:
        return lines
    values = values_of((*shared, *lines))
    for name, condition in conditions.items():
        if name in values and not condition.matches(lambda field: lookup(values, field.name)):
            del values[name]
    return tuple(line for line in lines if _value_of(line)[0] in values)


def _repeated(points: Iterable[Point], space: Space, settings: SpaceSettings) -> Iterator[Point]:
    if settings.seed_key in (*space.swept, *values_of(space.fixed)):
        raise SettingsError(
            f"repeat={settings.repeat}: {settings.seed_key} is set or swept already; leave it to repeat, or repeat out"
        )
    for point in points:
        for number in range(settings.repeat):
            yield (*point, f"{settings.seed_key}={settings.first_seed + number}")


def _value_of(line: str) -> tuple[str, Any]:
    override = parsed(line)
    return override.key_or_group, override.value()
