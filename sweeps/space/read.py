"""Reads a search space from ``hydra.sweeper.params``, ``spaces``, ``points`` and the command line.

Hydra's override grammar is read with Hydra's own parser. A later override of a key replaces an earlier one,
so the command line wins over everything in files.
"""

import contextlib
import csv
import io
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, Quote, QuotedString
from hydra.errors import HydraException

from sweeps.errors import SettingsError
from sweeps.settings import SpaceSettings
from sweeps.space.axes import MOST, Axis, Interval, Point, name_of, values_of


@dataclass(frozen=True)
class Part:
    """What every job of this part of a space has in common, and the axes along which they differ."""

    fixed: Point
    axes: tuple[Axis | Interval, ...]


@dataclass(frozen=True)
class Space:
    """A union of parts; `fixed` is what all of them share."""

    fixed: Point
    parts: tuple[Part, ...]

    @property
    def swept(self) -> tuple[str, ...]:
        """The keys that differ between jobs, as they first appear."""
        names: dict[str, None] = {}
        for part in self.parts:
            names |= dict.fromkeys(name for axis in part.axes for name in axis.names)
            names |= dict.fromkeys(values_of(part.fixed))
        return tuple(names)


def read_space(settings: SpaceSettings, arguments: Sequence[str], loader: ConfigLoader) -> Space:
    """Read the space of a sweep.

    Raises `SettingsError` for an axis that is empty or points that cannot be read; errors of the grammar are
    Hydra's.
    """
    parser = OverridesParser.create(config_loader=loader)
    with _drawing_from(settings.seed):
        return _read_space(settings, arguments, parser)


def _read_space(settings: SpaceSettings, arguments: Sequence[str], parser: OverridesParser) -> Space:
    shared, given = _read(parser, _lines(settings.params)), _read(parser, arguments)
    points = read_points(settings.points) if settings.points is not None else None
    spaces = settings.spaces or ({},)
    parts = []
    for params in spaces:
        merged = {**shared, **_read(parser, _lines(params)), **given}
        axes = [each for each in merged.values() if not isinstance(each, str)]
        if points is not None:
            axes = [_points_axis(points, parser), *axes]
            clash = {name for name in axes[0].names if name in merged}
            if clash:
                raise SettingsError(f"points and an override both set {', '.join(sorted(clash))}")
        parts.append(Part(tuple(each for each in merged.values() if isinstance(each, str)), tuple(axes)))
    common = [line for line in parts[0].fixed if all(line in part.fixed for part in parts)]
    own = (Part(tuple(line for line in part.fixed if line not in common), part.axes) for part in parts)
    return Space(tuple(common), tuple(own))


def read_points(source: str | Path | Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Read points, each a mapping of keys to values as an override writes them, from a CSV or JSON file or a list.

    An empty cell leaves its key alone. Raises `SettingsError` that names the file, the line and what is wrong.
    """
    if not isinstance(source, str | Path):
        return _rows(source, "points")
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets begin their CSV with a mark
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"points={path}: cannot be read: {error}") from error
    if path.suffix.lower() == ".json":
        try:
            content = json.loads(text)
        except ValueError as error:
            raise SettingsError(f"points={path}: {error}") from error
        return _rows(content, f"points={path}")
    if path.suffix.lower() != ".csv":
        raise SettingsError(f"points={path}: allowed are a .csv file, a .json file or a list of mappings")
    return _table(text, f"points={path}")


def _table(text: str, source: str) -> list[dict[str, str]]:
    lines = csv.reader(io.StringIO(text), skipinitialspace=True)
    names = [name.strip() for name in next(lines, [])]
    _require_names(names, source)
    rows = []
    for cells in lines:
        where = f"{source}: line {lines.line_num}"
        if len(cells) < 2 and not "".join(cells).strip():
            continue  # a blank line is no point
        if len(cells) > len(names):
            raise SettingsError(f"{where} has more cells than the first line has names")
        row = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if cell.strip()}
        if not row:
            raise SettingsError(f"{where} has empty cells alone; allowed is a value in at least one")
        for name, cell in row.items():
            _require_value(name, cell, where)
        rows.append(row)
    return _some(rows, source)


def _require_names(names: list[str], source: str) -> None:
    """Raise `SettingsError` for a first line that does not name each column, once, between commas."""
    for separator, called in ((";", "semicolons"), ("\t", "tabs")):
        if any(separator in name for name in names):
            raise SettingsError(f"{source}: is separated by {called}; allowed are commas")
    if "" in names:
        raise SettingsError(f"{source}: column {names.index('') + 1} has no name in the first line")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(f"{source}: has more than one column {twice[0]}")


def _require_value(name: str, cell: str, where: str) -> None:
    """Raise `SettingsError` for a cell that cannot be read as an override, or has more than one value."""
    line = f"{name}={cell}"
    try:
        override = OverridesParser.create().parse_override(line)
    except HydraException as error:
        raise SettingsError(f"{where}: {line}: {' '.join(str(error).split())}") from error
    if override.is_sweep_override():
        quoted = written(cell).replace('"', '""')
        raise SettingsError(
            f'{where}: {line} is a list of values; if it is one value, quote it inside the cell: "{quoted}"'
        )


def written(value: Any) -> str:
    """Write a value as the override grammar reads it."""
    return str(Override._get_value_element_as_str(_quoted(value)))


def _quoted(value: Any) -> Any:
    if isinstance(value, str):
        return QuotedString(value, Quote.single)
    if isinstance(value, Mapping):
        return {key: _quoted(item) for key, item in value.items()}
    return [_quoted(item) for item in value] if isinstance(value, list | tuple) else value


@contextlib.contextmanager
def _drawing_from(seed: int) -> Iterator[None]:
    """Let Hydra's ``shuffle``, which draws from Python's global source, draw from a seed."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def _rows(points: Any, source: str) -> list[dict[str, str]]:
    if not isinstance(points, Sequence) or isinstance(points, str):
        raise SettingsError(f"{source}: must be a list of mappings, not {type(points).__name__}")
    for number, point in enumerate(points):
        if not isinstance(point, Mapping) or not point:
            raise SettingsError(
                f"{source}: point {number} must be a mapping of at least one key to a value, not {point!r}"
            )
    return _some([{str(key): written(value) for key, value in point.items()} for point in points], source)


def _some(rows: list[dict[str, str]], source: str) -> list[dict[str, str]]:
    if not rows:
        raise SettingsError(f"{source}: has no points, so there is no job to run")
    return rows


def _points_axis(points: Sequence[Mapping[str, str]], parser: OverridesParser) -> Axis:
    names: dict[str, None] = {}
    choices = []
    for point in points:
        overrides = parser.parse_overrides([f"{key}={value}" for key, value in point.items()])
        for override in overrides:
            if override.is_sweep_override():
                raise SettingsError(
                    f"points: {override.input_line} is a sweep of its own; quote it if it is a value"
                )
        names |= dict.fromkeys(map(name_of, overrides))
        choices.append(tuple(str(override.input_line) for override in overrides))
    return Axis(tuple(names), tuple(choices))


def _lines(params: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in params.items()]


def _read(parser: OverridesParser, lines: Iterable[str]) -> dict[str, str | Axis | Interval]:
    """What each key is set to, a line or an axis; the last one counts, and stands last."""
    found: dict[str, str | Axis | Interval] = {}
    for override in parser.parse_overrides(list(lines)):
        name = name_of(override)
        found.pop(name, None)
        found[name] = _axis(override) if override.is_sweep_override() else str(override.input_line)
    return found


def _axis(override: Override) -> Axis | Interval:
    name, key = name_of(override), override.get_key_element()
    if override.is_discrete_sweep():
        try:
            values = tuple(
                (f"{key}={value}",) for value in islice(override.sweep_string_iterator(), MOST + 1)
            )
        except ValueError as error:  # such as a range whose step is 0
            raise SettingsError(f"{override.input_line}: {error}") from error
        if not values:
            raise SettingsError(f"{override.input_line}: matches nothing, so there is no job to run")
        if len(values) > MOST:
            raise SettingsError(f"{override.input_line}: has more than {MOST:,} values")
        return Axis((name,), values)
    sweep = override.value()
    if not isinstance(sweep, IntervalSweep) or sweep.start is None or sweep.end is None:
        raise SettingsError(f"{override.input_line}: neither a list of values nor an interval")
    is_log = "log" in sweep.tags
    # int(interval(1,9)) is how Hydra writes whole numbers: it makes the bounds whole.
    is_whole = "int" in sweep.tags or (isinstance(sweep.start, int) and isinstance(sweep.end, int))
    if not sweep.start < sweep.end or (is_log and sweep.start <= 0):
        raise SettingsError(
            f"{override.input_line}: allowed is interval(low,high) with low < high, and 0 < low if tagged log"
        )
    return Interval(key, name, float(sweep.start), float(sweep.end), is_log, is_whole)
