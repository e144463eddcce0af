"""Tables of points: read from a CSV or JSON file or a list, checked, and turned into an axis."""

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


def points_axis(source: str | Path | Sequence[Mapping[str, Any]], parser: OverridesParser) -> Axis:
    """Return the axis whose values are whole points, read from a CSV or JSON file or a list of mappings.

    An empty cell leaves its key unset. Raise `SettingsError` that names the file, the line and the fault.
    """
    names: dict[str, None] = {}
    choices = []
    for point in _read_points(source):
        overrides = parser.parse_overrides([f"{key}={value}" for key, value in point.items()])
        names |= dict.fromkeys(map(name_of, overrides))
        choices.append(tuple(str(override.input_line) for override in overrides))
    return Axis(tuple(names), tuple(choices))


def _read_points(source: str | Path | Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    where, points = "points", source
    if isinstance(source, str | Path):
        path, where = Path(source), f"points={source}"
        try:
            text = path.read_text(
                encoding="utf-8-sig"
            )  # spreadsheets begin a CSV file with a byte order mark
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{where}: cannot be read: {error}") from error
        if path.suffix.lower() == ".csv":
            return _required(_table(text, where), where)
        if path.suffix.lower() != ".json":
            raise SettingsError(f"{where}: allowed are a .csv file, a .json file or a list of mappings")
        try:
            points = json.loads(text)
        except ValueError as error:
            raise SettingsError(f"{where}: {error}") from error
    return _required(_rows(points, where), where)


def _required(points: list[dict[str, str]], where: str) -> list[dict[str, str]]:
    if not points:
        raise SettingsError(f"{where}: has no points, so there is no job to run")
    return points


def _rows(points: Any, where: str) -> list[dict[str, str]]:
    if not isinstance(points, Sequence) or isinstance(points, str):
        raise SettingsError(f"{where}: must be a list of mappings, not {type(points).__name__}")
    for number, point in enumerate(points):
        if not isinstance(point, Mapping) or not point:
            raise SettingsError(
                f"{where}: point {number} must be a mapping of at least one key to a value, not {point!r}"
            )
    return [{str(key): written(value) for key, value in point.items()} for point in points]


def _table(text: str, where: str) -> list[dict[str, str]]:
    lines = csv.reader(io.StringIO(text), skipinitialspace=True)
    names = [name.strip() for name in next(lines, [])]
    _require_names(names, where)
    rows = []
    for cells in lines:
        line = f"{where}: line {lines.line_num}"
        if len(cells) < 2 and not "".join(cells).strip():
            continue  # a blank line is no point
        if len(cells) > len(names):
            raise SettingsError(f"{line} has more cells than the first line has names")
        row = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if cell.strip()}
        if not row:
            raise SettingsError(f"{line} has only empty cells; allowed is a value in at least one")
        for name, cell in row.items():
            _require_value(name, cell, line)
        rows.append(row)
    return rows


def _require_names(names: list[str], where: str) -> None:
    for separator, called in ((";", "semicolons"), ("\t", "tabs")):
        if any(separator in name for name in names):
            raise SettingsError(f"{where}: is separated by {called}; allowed are commas")
    if "" in names:
        raise SettingsError(f"{where}: column {names.index('') + 1} has no name in the first line")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(f"{where}: has more than one column {twice[0]}")


def _require_value(name: str, cell: str, where: str) -> None:
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
    """Return a value in the override grammar, text in quotes."""
    return str(Override._get_value_element_as_str(_quoted(value)))


def _quoted(value: Any) -> Any:
    if isinstance(value, str):
        return QuotedString(value, Quote.single)
    if isinstance(value, Mapping):
        return {key: _quoted(item) for key, item in value.items()}
    return [_quoted(item) for item in value] if isinstance(value, list | tuple) else value
