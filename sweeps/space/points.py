"""Tables of points: read from a CSV or JSON file or a list, checked, and written as overrides."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from sweeps.errors import SettingsError
from sweeps.space.axes import Axis, name_of


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
    require_names(names, source)
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
            require_value(name, cell, where)
        rows.append(row)
    return _some(rows, source)


def require_names(names: list[str], source: str) -> None:
    """Raise `SettingsError` for a first line that does not name each column, once, between commas."""
    for separator, called in ((";", "semicolons"), ("\t", "tabs")):
        if any(separator in name for name in names):
            raise SettingsError(f"{source}: is separated by {called}; allowed are commas")
    if "" in names:
        raise SettingsError(f"{source}: column {names.index('') + 1} has no name in the first line")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(f"{source}: has more than one column {twice[0]}")


def require_value(name: str, cell: str, where: str) -> None:
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


def points_axis(points: Sequence[Mapping[str, str]], parser: OverridesParser) -> Axis:
    """Return the axis whose values are whole points."""
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
