"""Reads a search space from the settings ``params``, ``spaces`` and ``points`` and from the command line.

Hydra's parser reads the override grammar. A later override of a key replaces an earlier one, so the command line wins
over files.
"""

import contextlib
import math
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override

from sweeps.errors import SettingsError
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space.axes import MOST, Axis, Interval, Point, name_of, values_of
from sweeps.space.points import points_axis, written

TAGS = frozenset({"log", "int"})  # of an interval


@dataclass(frozen=True)
class Part:
    """A part of a space: the overrides that its jobs share, and the axes along which they differ."""

    fixed: Point
    axes: tuple[Axis | Interval, ...]


@dataclass(frozen=True)
class Space:
    """A union of parts; `fixed` are the overrides that all of them share."""

    fixed: Point
    parts: tuple[Part, ...]

    @property
    def swept(self) -> tuple[str, ...]:
        """The keys that differ between jobs, in the order of their first appearance."""
        names: dict[str, None] = {}
        for part in self.parts:
            names |= dict.fromkeys(name for axis in part.axes for name in axis.names)
            names |= dict.fromkeys(values_of(part.fixed))
        return tuple(names)


def read_space(
    settings: SpaceSettings, arguments: Sequence[str], loader: ConfigLoader, swept: Collection[str] = ()
) -> Space:
    """Return the space of a sweep. Each of `arguments` is an axis if it lists values or sets a key in `swept`.

    Raise `SettingsError` for an empty axis and for points that cannot be read, and Hydra's errors for the grammar.
    """
    parser = OverridesParser.create(config_loader=loader)
    points = None if settings.points is None else points_axis(settings.points)
    parts = []
    with _drawing_from(settings.seed):
        shared, given = _read(parser, _lines(settings.params)), _read(parser, arguments, swept)
        for params in settings.spaces or ({},):
            merged = {**shared, **_read(parser, _lines(params)), **given}
            axes = [each for each in merged.values() if not isinstance(each, str)]
            if points is not None:
                axes = [points, *axes]
                clash = sorted(merged.keys() & points.names)
                if clash:
                    raise SettingsError(f"points and an override both set {', '.join(clash)}")
            parts.append(Part(tuple(each for each in merged.values() if isinstance(each, str)), tuple(axes)))
    common = [line for line in parts[0].fixed if all(line in part.fixed for part in parts)]
    own = (Part(tuple(line for line in part.fixed if line not in common), part.axes) for part in parts)
    return Space(tuple(common), tuple(own))


@contextlib.contextmanager
def _drawing_from(seed: int) -> Iterator[None]:
    """Make Hydra's ``shuffle``, which draws from Python's global source, depend on a seed."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def _lines(params: Mapping[str, Any]) -> list[str]:
    return [
        f"{key}={value if isinstance(value, str) else written(value, key)}" for key, value in params.items()
    ]


def _read(
    parser: OverridesParser, lines: Iterable[str], swept: Collection[str] = ()
) -> dict[str, str | Axis | Interval]:
    """Return the line or axis of each key; the last one of a key counts, in its place."""
    found: dict[str, str | Axis | Interval] = {}
    for override in parser.parse_overrides(list(lines)):
        name = name_of(override)
        found.pop(name, None)
        line = str(override.input_line)
        if override.is_sweep_override():
            found[name] = _axis(override)
        else:
            found[name] = Axis((name,), ((line,),)) if name in swept else line
    return found


def _axis(override: Override) -> Axis | Interval:
    name, key = name_of(override), override.get_key_element()
    if override.is_discrete_sweep():
        try:
            values = tuple(
                (f"{key}={value}",) for value in islice(override.sweep_string_iterator(), MOST + 1)
            )
        except ValueError as error:  # such as a range of step 0
            raise SettingsError(f"{override.input_line}: {error}") from error
        if not values:
            raise SettingsError(f"{override.input_line}: matches nothing, so there is no job to run")
        if len(values) > MOST:
            raise SettingsError(f"{override.input_line}: has more than {MOST:,} values")
        return Axis((name,), values)
    sweep = override.value()
    if not isinstance(sweep, IntervalSweep) or sweep.start is None or sweep.end is None:
        raise SettingsError(f"{override.input_line}: neither a list of values nor an interval")
    unknown = sorted(sweep.tags - TAGS)
    if unknown:
        raise SettingsError(
            f"{override.input_line}: unknown tag {unknown[0]}; allowed are {', '.join(sorted(TAGS))}"
        )
    is_log = "log" in sweep.tags
    # int(interval(1,9)), Hydra's way to ask for whole numbers, leaves no tag but makes the bounds whole.
    is_whole = "int" in sweep.tags or (isinstance(sweep.start, int) and isinstance(sweep.end, int))
    if not sweep.start < sweep.end < math.inf or sweep.start <= (0 if is_log else -math.inf):
        raise SettingsError(
            f"{override.input_line}: allowed is interval(low,high) with low < high, and 0 < low if tagged log"
        )
    if not is_whole:
        return Interval(key, (name,), float(sweep.start), float(sweep.end), is_log)
    start, end = math.ceil(sweep.start), math.floor(sweep.end)
    if start > end:
        raise SettingsError(f"{override.input_line}: no whole number lies in between")
    return Interval(key, (name,), start, end, is_log, is_whole)
