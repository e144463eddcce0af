"""Turns a search space into the points of a sweep, in their order.

All points are known before the first job starts. Random ones depend on a seed.
"""

import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from sweeps.errors import SettingsError
from sweeps.settings.search_settings import Mode
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space.axes import MOST, Axis, Interval, Point, values_of
from sweeps.space.conditions import Conditions, ConfigOf
from sweeps.space.points import briefly
from sweeps.space.read import Part, Space

TRIES = 100  # draws per requested random point, at most
DEFAULT_SEED_KEY = "seed"  # which an app need not have
FEW = 10_000  # a space of up to so many points is listed and shuffled instead of drawn from


@dataclass(frozen=True)
class Expansion:
    """The points of a sweep, each once, without the overrides that all jobs share, and remarks about them."""

    points: list[Point]
    notes: tuple[str, ...] = ()


def expand(space: Space, settings: SpaceSettings, config_of: ConfigOf = lambda _point: {}) -> Expansion:
    """Return the points of a sweep in their order.

    A grid varies its last axis fastest, as in Hydra. Repeats of a point are adjacent. Random points are drawn until as
    many as requested satisfy the conditions. Raise `SettingsError` if the axes do not fit the mode, or for a condition
    that makes no sense.
    """
    source = random.Random(settings.seed)  # noqa: S311 - must be reproducible
    conditions = Conditions(settings, space.fixed, space.swept, config_of)
    points: dict[Point, None] = {}
    notes: list[str] = []
    seen = again = 0
    for part in space.parts:
        taken = 0
        for lines in _MODES[settings.mode](part, settings, source):
            point = conditions.reduced((*part.fixed, *lines))
            seen += 1
            if point in points:
                again += 1
            elif conditions.fulfilled_by(point):
                points[point] = None
                taken += 1
            if taken == settings.n_trials:
                break
        if settings.n_trials is not None and taken < settings.n_trials:
            notes.append(f"n_trials={settings.n_trials}: the space has only {taken} different points")
    conditions.require_sense(points=seen, kept=len(points))
    if again and settings.mode is not Mode.RANDOM and not (settings.when or settings.spaces):
        notes.append(f"{again} of {seen} points are duplicates; each point runs once")
    notes += [*_unused_seed_key(space, settings), *_lists(settings)]
    repeated = _repeated(points, space, settings) if settings.repeat > 1 else points
    return Expansion(list(repeated), tuple(notes))


def _grid(part: Part, settings: SpaceSettings, _source: random.Random) -> Iterator[Point]:
    axes = [axis.choices for axis in _listed(part, settings)]
    size = math.prod(map(len, axes))
    if size > MOST:
        raise SettingsError(
            f"a grid of {size:,} points: allowed are {MOST:,}; draw some with mode=random and n_trials"
        )
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
    """Yield random points without end, or each point of a small space once."""
    if settings.n_trials is None:
        raise SettingsError("mode=random: needs n_trials, the number of points to draw")
    sizes = (len(axis.choices) if isinstance(axis, Axis) else math.inf for axis in part.axes)
    if math.prod(sizes) <= max(settings.n_trials, FEW):
        everything = list(_grid(part, settings, source))
        source.shuffle(everything)
        yield from everything
        return
    for _ in range(settings.n_trials * TRIES):
        yield sum((axis.draw(source) for axis in part.axes), ())


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
                f"{axis.names[0]}=interval({axis.start:g},{axis.end:g}): a continuous interval cannot be listed for "
                f"mode={settings.mode}; use mode=random with n_trials, or a list (a,b,c), choice(...), range(...)"
            )
    return [axis for axis in part.axes if isinstance(axis, Axis)]


def _lists(settings: SpaceSettings) -> Iterator[str]:
    """Yield the lists that stand for one value each, a sentence each: somebody may have meant an axis."""
    given = [("params", settings.params), *((f"spaces.{i}", each) for i, each in enumerate(settings.spaces))]
    for place, params in given:
        for key, value in params.items():
            if isinstance(value, list) and value:
                axis = ",".join(map(briefly, value))
                quote = '"' if "'" in axis else "'"
                yield f"{place}.{key}={value}: a list is one value; to sweep over its items write {quote}{axis}{quote}"


def _unused_seed_key(space: Space, settings: SpaceSettings) -> Iterator[str]:
    key = settings.seed_key
    is_there = settings.first_seed is not None or settings.adds_seed or key in values_of(space.fixed)
    if settings.repeat == 1 and key not in (*space.swept, DEFAULT_SEED_KEY) and not is_there:
        yield f"seed_key={key}: the config has no such key, so no jobs count as repeats"


def _repeated(points: Iterable[Point], space: Space, settings: SpaceSettings) -> Iterator[Point]:
    seed_line = seed_lines(space, settings, f"repeat={settings.repeat}")
    for point in points:
        for number in range(settings.repeat):
            yield (*point, seed_line(number))


def seed_lines(space: Space, settings: SpaceSettings, wanted: str) -> Callable[[int], str]:
    """Return a function that returns the override with which the n-th repeat of a point sets its seed, from 0.

    Raise `SettingsError` that begins with `wanted`, the setting that asks for repeats, if they cannot differ in a seed.
    """
    key = settings.seed_key
    if key in space.swept:
        raise SettingsError(f"{wanted}: {key} is swept already; remove one of the two")
    set_here = values_of(space.fixed)
    first = set_here.get(key, settings.first_seed)
    if first is None and key not in set_here and not settings.adds_seed:
        raise SettingsError(
            f"{wanted}: the config has no {key} for repeats to differ in; name the key of the seed in "
            f"seed_key, or add {key} with seed_key=+{key}"
        )
    adding = "++" if first is None else ""  # sets the key whether or not a swept group brings it
    start = 0 if first is None else first
    if not isinstance(start, int) or isinstance(start, bool):
        raise SettingsError(
            f"{wanted}: {key}={start}: allowed is a whole number, which repeats count up from, or null"
        )
    return lambda number: f"{adding}{key}={start + number}"
