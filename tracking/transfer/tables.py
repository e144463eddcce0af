"""Tables for export: a row per run, or a row per point of the histories of runs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tracking.errors import CorruptFileError
from tracking.metrics.history import read_history
from tracking.records import RunRecord
from tracking.search.query import Field, FieldKind, MetricPart, parse_fields, resolve, value_of
from tracking.search.search import names_in
from tracking.store.scan import warn_left_out
from tracking.store.store import Store

BASE = ("run_id", "experiment_name", "status", "created_at", "finished_at", "description", "error")
HISTORY = ("run_id", "metric", "step", "value", "timestamp")

Row = Sequence[Any]


@dataclass(frozen=True)
class Table:
    """Titles of columns, and rows that can be read once."""

    columns: tuple[str, ...]
    rows: Iterable[Row]


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
