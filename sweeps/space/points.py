"""Tables of points: read from a CSV or JSON file or a list, checked, and turned into an axis."""

import contextlib
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from sweeps.errors import SettingsError
from sweeps.space.axes import Axis, name_of, parsed

Placed = tuple[str, dict[str, str]]  # a point, and the place where it stands


def points_axis(source: str | Path | Sequence[Mapping[str, Any]], setting: str = "points") -> Axis:
    """Return the axis whose values are whole points, read from a CSV or JSON file or a list of mappings.

    An empty cell leaves its key unset. Raise `SettingsError` that names the setting, the file, the line and the
    fault.
    """
    where = f"{setting}={source}" if isinstance(source, str | Path) else setting
    names: dict[str, None] = {}
    choices = []
    for place, point in _read_points(source, where):
        lines = tuple(f"{key}={value}" for key, value in point.items())
        names |= {name_of(_one_value(line, place)): None for line in lines}
        choices.append(lines)
    if not choices:
        raise SettingsError(f"{where}: has no points, so there is no job to run")
    return Axis(tuple(names), tuple(choices))


def _read_points(source: str | Path | Sequence[Mapping[str, Any]], where: str) -> Iterator[Placed]:
    """Yield each point as keys and texts in the override grammar, with the place where it stands."""
    if not isinstance(source, str | Path):
        yield from _rows(source, where)
        return
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets begin a CSV file with a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{where}: cannot be read: {error}") from error
    if path.suffix.lower() == ".csv":
        yield from _table(text, where)
    elif path.suffix.lower() == ".json":
        try:
            points = json.loads(text)
        except ValueError as error:
            raise SettingsError(f"{where}: {error}") from error
        yield from _rows(points, where)
    else:
        raise SettingsError(f"{where}: allowed are a .csv file, a .json file or a list of mappings")


def _rows(points: Any, where: str) -> Iterator[Placed]:
    if not isinstance(points, Sequence) or isinstance(points, str):
        raise SettingsError(f"{where}: must be a list of mappings, not {type(points).__name__}")
    for number, point in enumerate(points):
        place = f"{where}: point {number}"
        if not isinstance(point, Mapping) or not point:
            raise SettingsError(f"{place} must be a mapping of at least one key to a value, not {point!r}")
        yield place, {str(key): written(value, f"{place}: {key}") for key, value in point.items()}


def _table(text: str, where: str) -> Iterator[Placed]:
    lines = csv.reader(io.StringIO(text), skipinitialspace=True)
    names = [name.strip() for name in next(lines, [])]
    _require_names(names, where)
    for cells in lines:
        place = f"{where}: line {lines.line_num}"
        if len(cells) < 2 and not "".join(cells).strip():
            continue  # a blank line is no point
        if len(cells) > len(names):
            raise SettingsError(f"{place} has more cells than the first line has names")
        row = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if cell.strip()}
        if not row:
            raise SettingsError(f"{place} has only empty cells; allowed is a value in at least one")
        yield place, row


def _require_names(names: list[str], where: str) -> None:
    for separator, called in ((";", "semicolons"), ("\t", "tabs")):
        if any(separator in name for name in names):
            raise SettingsError(f"{where}: is separated by {called}; allowed are commas")
    if "" in names:
        raise SettingsError(f"{where}: column {names.index('') + 1} has no name in the first line")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(f"{where}: has more than one column {twice[0]}")


def _one_value(line: str, place: str) -> Override:
    """Return a parsed override; raise `SettingsError` for one that cannot be read or sets several values."""
    try:
        override = parsed(line)
    except HydraException as error:
        raise SettingsError(f"{place}: {line}: {' '.join(str(error).split())}") from error
    if override.is_sweep_override():
        quoted = written(line.partition("=")[2]).replace('"', '""')
        raise SettingsError(
            f'{place}: {line} is a list of values; if it is one value, quote it inside the cell: "{quoted}"'
        )
    return override


def written(value: Any, key: str = "value") -> str:
    """Return a value in the override grammar, text in quotes; raise `SettingsError` for one that it cannot express."""
    return str(Override._get_value_element_as_str(_quoted(value, key)))


def briefly(value: Any) -> str:
    """Return a value as `written`, a text without quotes where it needs none."""
    if isinstance(value, str):
        with contextlib.suppress(HydraException):
            bare = parsed(f"value={value}")
            if not bare.is_sweep_override() and bare.value() == value:
                return value
    return written(value)


def _quoted(value: Any, key: str) -> Any:
    match value:
        case Enum():
            return QuotedString(value.name, Quote.single)
        case str() | PurePath():
            return QuotedString(str(value), Quote.single)
        case Mapping():
            return {name: _quoted(item, f"{key}.{name}") for name, item in value.items()}
        case list() | tuple():
            return [_quoted(item, key) for item in value]
        case None | bool() | int() | float():
            return value
    raise SettingsError(
        f"{key}={value!r}: allowed are null, true, false, numbers, text, lists and mappings of these"
    )
