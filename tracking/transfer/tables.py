"""Tables for export: a row per run, or a row per point of the histories of runs; as CSV, JSON or Parquet.

Every value is kept: non-finite numbers too, and any text, though CSV marks one that a spreadsheet would run. CSV and JSON are written row by row, Parquet has a type per
column. A list or a dict is written as JSON in its cell. Only CSV cannot tell an absent value from an empty text.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from io import TextIOBase
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from tracking.errors import CorruptFileError
from tracking.extras import require
from tracking.files import atomic, folders
from tracking.metrics.history import read_history
from tracking.records import RunRecord
from tracking.search.query import Field, FieldKind, MetricPart, names_in, parse_fields, resolve, value_of
from tracking.store.scan import warn_left_out
from tracking.store.store import Store
from tracking.values import jsontext, timestamps
from tracking.values.csvtext import csv_line, no_formula
from tracking.values.jsontext import jsonable
from tracking.values.plain import INT_MAX, INT_MIN

if TYPE_CHECKING:  # pyarrow is loaded for Parquet only
    import pyarrow as pa

BASE = ("run_id", "experiment_name", "status", "created_at", "finished_at", "description", "error")
HISTORY = ("run_id", "metric", "step", "value", "timestamp")
BATCH_ROWS = 100_000  # of a Parquet file, in memory at once

Row = Sequence[Any]


@dataclass(frozen=True)
class Table:
    """Titles of columns, and rows that can be read once."""

    columns: tuple[str, ...]
    rows: Iterable[Row]


class TableFormat(StrEnum):
    """The formats of an exported table."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def run_table(runs: Sequence[RunRecord], columns: str | None = None) -> Table:
    """Return a table with a row per run. `columns` are fields as in a filter, separated by commas.

    The default is the fields of the run itself, its tags, its parameters, and the last value of each metric. A name
    that would be two columns is written as in a filter: `params.threshold`, `metrics.threshold`.
    """
    if columns is None:
        fields = _titled(list(_all_fields(runs)))
    else:
        names = names_in(runs)
        fields = {str(field): resolve(field, names) for field in parse_fields(columns)}
    rows = ([value_of(run, field) for field in fields.values()] for run in runs)
    return Table(tuple(fields), rows)


def history_table(store: Store, run_ids: Iterable[str]) -> Table:
    """Return a table with a row per point: by run, by metric, in the order of steps; one run is in memory at a time.

    A run whose history is damaged is logged and left out.
    """
    return Table(HISTORY, _points(store, run_ids))


def write_table(table: Table, path: Path, kind: TableFormat, *, exact: bool = False) -> int:
    """Write a file, which appears whole, and return its number of rows; write into a device or a pipe directly.

    In CSV a text that a spreadsheet would run begins with an apostrophe, unless `exact`.
    """
    if kind is TableFormat.PARQUET:
        require("parquet")
    folders.make_dir(path.parent)
    with atomic.filling(path) as (new, handle):
        if kind is TableFormat.PARQUET:
            count = _write_parquet(table, new)
        else:
            with open(handle, "w", encoding="utf-8", newline="", closefd=False) as file:
                count = write_text(table, file, kind, exact=exact)
    return count


def write_text(table: Table, file: TextIO | TextIOBase, kind: TableFormat, *, exact: bool = False) -> int:
    """Write CSV or JSON to an open file, row by row, and return the number of rows; `exact` as in `write_table`."""
    return _write_json(table, file) if kind is TableFormat.JSON else _write_csv(table, file, exact=exact)


def _points(store: Store, run_ids: Iterable[str]) -> Iterator[Row]:
    for run_id in run_ids:
        try:
            history = read_history(store.paths.run(run_id))
        except CorruptFileError as error:
            warn_left_out(error)
            continue
        for name, points in history.items():
            for point in points:
                yield run_id, name, point["step"], point["value"], point["timestamp"]


def _all_fields(runs: Sequence[RunRecord]) -> Iterator[Field]:
    for name in BASE:
        yield Field(FieldKind.RUN, name)
    for kind, names in (
        (FieldKind.TAG, (name for run in runs for name in run.tags)),
        (FieldKind.PARAM, (name for run in runs for name in run.params)),
        (FieldKind.METRIC, (name for run in runs for name in run.summary)),
    ):
        part = MetricPart.LAST if kind is FieldKind.METRIC else None
        yield from (Field(kind, name, part) for name in dict.fromkeys(names))


def _titled(fields: Sequence[Field]) -> dict[str, Field]:
    """Return fields by title: the bare name where no other field has it as name or title, else the full name."""
    count: dict[str, int] = {}
    for field in fields:
        for title in {field.name, str(field)}:
            count[title] = count.get(title, 0) + 1
    return {field.name if count[field.name] == 1 else str(field): field for field in fields}


def _write_csv(table: Table, file: TextIO | TextIOBase, *, exact: bool) -> int:
    def text(value: Any) -> str:
        # only a text can be a formula: a number stays one
        return no_formula(value) if isinstance(value, str) and not exact else _cell(value)

    file.write(csv_line(map(text, table.columns)))
    count = 0
    for count, row in enumerate(table.rows, 1):  # noqa: B007 - the last one is the result
        file.write(csv_line(map(text, row)))
    return count


def _write_json(table: Table, file: TextIO | TextIOBase) -> int:
    file.write("[")
    count = 0
    for count, row in enumerate(table.rows, 1):
        values = (value.isoformat() if isinstance(value, datetime) else value for value in row)
        text = jsontext.encode(dict(zip(table.columns, values, strict=True))).decode()
        file.write(f"{',' if count > 1 else ''}\n{text}")
    file.write("\n]\n")
    return count


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return str(jsonable(value))
    if isinstance(value, datetime):
        return value.isoformat()
    return jsontext.encode(value).decode() if isinstance(value, dict | list) else str(value)


def _write_parquet(table: Table, path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if table.columns == HISTORY:
        types = [pa.string(), pa.string(), pa.int64(), pa.float64(), pa.timestamp("us", "UTC")]
        rows: Iterable[Row] = (
            (*row[:2], _step(row[2]), float(row[3]), _moment(row[4])) for row in table.rows
        )
    else:
        rows = list(table.rows)
        types = [_type([row[index] for row in rows]) for index in range(len(table.columns))]
    schema = pa.schema(list(zip(table.columns, types, strict=True)))
    count, remaining = 0, iter(rows)
    with pq.ParquetWriter(str(path), schema) as writer:
        while batch := list(islice(remaining, BATCH_ROWS)):
            count += len(batch)
            columns = zip(*batch, strict=True)
            arrays = [_array(values, kind) for values, kind in zip(columns, types, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return count


def _type(values: Iterable[Any]) -> "pa.DataType":
    """Return the type that keeps all these values: text where no other does."""
    import pyarrow as pa

    given = [value for value in values if value is not None]
    found = {type(value) for value in given}
    if found == {bool}:
        return pa.bool_()
    if found == {int}:
        return pa.int64() if all(INT_MIN <= value <= INT_MAX for value in given) else pa.string()
    if found and found <= {int, float}:
        return pa.float64()
    return pa.timestamp("us", "UTC") if found == {datetime} else pa.string()


def _array(values: Iterable[Any], kind: "pa.DataType") -> "pa.Array":
    import pyarrow as pa

    if kind == pa.float64():
        # pyarrow refuses an int beyond 2**53 here
        values = [None if value is None else float(value) for value in values]
    elif kind == pa.string():
        values = [None if value is None else _cell(value) for value in values]
    return pa.array(values, type=kind, from_pandas=False)


def _step(step: Any) -> int | None:
    """Return a step as the column of a Parquet file takes it; other code may have written any text."""
    is_whole = isinstance(step, int | float) and step == step // 1 and INT_MIN <= step <= INT_MAX
    return int(step) if is_whole else None


def _moment(text: str) -> datetime | None:
    try:
        return timestamps.parse(text)
    except (TypeError, ValueError):
        return None
