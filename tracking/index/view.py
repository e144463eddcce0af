"""View: one state of the index, and the questions that can be asked of it. Answers are those of the scan."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from tracking import clock
from tracking.comparison import MISSING, Comparison, columns_of, last_values
from tracking.index.rows import (
    EXPERIMENT,
    METRIC,
    PARAM,
    TAG,
    cell,
    document,
    number_in,
    value_in,
)
from tracking.metadata import Entry
from tracking.records import MetricSummary, RunRecord
from tracking.scan import Scan

if TYPE_CHECKING:  # sqlite3 and the query language are only loaded by those who ask
    import sqlite3

    from tracking.query import Field, Names

FEW = 500  # rows that are fetched by their numbers; of more the whole column is read


class Row(NamedTuple):
    """What the list of runs shows of one; `status` as readers see it."""

    number: int
    run_id: str
    experiment_name: str
    status: str
    created_at: Any
    finished_at: Any


class View:
    """One state of an index that is up to date. Runs that cannot be read are in `faulty` alone."""

    def __init__(self, database: "sqlite3.Connection", scan: Scan) -> None:
        self._database = database
        self._scan = scan

    def rows(self, experiment_name: str | None = None) -> list[Row]:
        """All runs, of one experiment or of all, in the order of their ids."""
        names = self._experiments()
        where, wanted = "", list[int]()
        if experiment_name is not None:
            where, wanted = "AND experiment = ?", [self._number(EXPERIMENT, experiment_name)]
        found = self._database.execute(
            "SELECT id, run_id, experiment, status, created_at, finished_at, place FROM runs "
            f"WHERE is_run AND NOT fault {where}",
            wanted,
        ).fetchall()
        found.sort(key=lambda row: row[6])
        return [Row(row[0], row[1], names[row[2]], *row[3:6]) for row in found]

    def rows_of(self, run_ids: Iterable[str]) -> dict[str, Row]:
        """The named runs that can be read, by id."""
        names, found = self._experiments(), {}
        for some in _batches(list(dict.fromkeys(run_ids))):
            for row in self._database.execute(
                "SELECT id, run_id, experiment, status, created_at, finished_at FROM runs "
                f"WHERE is_run AND NOT fault AND run_id IN ({_marks(some)})",
                some,
            ):
                found[row[1]] = Row(row[0], row[1], names[row[2]], *row[3:])
        return found

    def faulty(self) -> list[str]:
        """The ids of the damaged runs, in the order of ids; what is wrong with each the scan tells."""
        found = self._database.execute(
            "SELECT run_id FROM runs WHERE fault AND (is_foreign OR fault) ORDER BY place"
        )
        return [run_id for (run_id,) in found]

    def entries(self, rows: Sequence[Row]) -> list[Entry]:
        """What run.json or metadata.json says of these runs."""
        return [document(entry) for (entry,) in self._documents("entry", rows)]

    def records(self, rows: Sequence[Row]) -> list[RunRecord]:
        """The records of these runs."""
        return [
            self._scan.compose(
                document(entry),
                document(params),
                {name: MetricSummary(*values) for name, values in document(summary).items()},
            )
            for entry, params, summary in self._documents("entry, params, summary", rows)
        ]

    def best(self, metric: str, experiment_name: str | None, mode: str, at: str) -> str | None:
        """The id of the run with the best last value of a metric, or the best it reached; of equals the first."""
        column = "last" if at == "last" else mode
        where, wanted = "name = ?", [self._number(METRIC, metric)]
        if experiment_name is not None:
            where, wanted = (
                f"{where} AND metrics.experiment = ?",
                [*wanted, self._number(EXPERIMENT, experiment_name)],
            )
        where += f" AND typeof({column}) IN ('integer', 'real')"  # not finite: text
        found = self._database.execute(
            f"SELECT run_id FROM metrics JOIN runs ON runs.id = run WHERE {where} AND {column} = "
            f"(SELECT {mode}({column}) FROM metrics WHERE {where}) ORDER BY place LIMIT 1",
            [*wanted, *wanted],
        ).fetchone()
        return found[0] if found else None

    def names(self, experiment_name: str | None = None) -> "Names":
        """The parameters, metrics and tags that some run has, of one experiment or of all."""
        from tracking.query import Names

        where, wanted = "", []
        if experiment_name is not None:
            where, wanted = "AND runs.experiment = ?", [self._number(EXPERIMENT, experiment_name)]
        found: dict[str, set[str]] = {PARAM: set(), METRIC: set(), TAG: set()}
        for kind, known in found.items():
            table = "metrics" if kind == METRIC else "cells"
            rows = self._database.execute(
                f"SELECT name FROM names AS n WHERE kind = ? AND EXISTS (SELECT 1 FROM {table} AS t "
                f"JOIN runs ON runs.id = t.run WHERE t.name = n.id {where})",
                [kind, *wanted],
            )
            known.update(value_in(name) for (name,) in rows)
        return Names(frozenset(found[PARAM]), frozenset(found[METRIC]), frozenset(found[TAG]))

    def columns(self, fields: "Iterable[Field]", rows: Sequence[Row]) -> list[list[Any]]:
        """The values of each field in these runs, in their order; None where a run has none."""
        return [self._column(field, rows) for field in fields]

    def comparison(self, rows: Sequence[Row]) -> Comparison:
        """These runs beside each other."""
        shown = {
            "run_id": [row.run_id for row in rows],
            "experiment_name": [row.experiment_name for row in rows],
            "status": [row.status for row in rows],
            "created_at": [value_in(row.created_at) for row in rows],
        }
        if len(rows) <= FEW:
            found = {record.run_id: record for record in self.records(rows)}
            records = [found[row.run_id] for row in rows]
            return Comparison(
                shown,
                columns_of([run.params for run in records]),
                columns_of(list(map(last_values, records))),
            )
        return Comparison(
            shown,
            self._whole_columns(PARAM, "cells", "value", rows, value_in),
            self._whole_columns(METRIC, "metrics", "last", rows, number_in),
        )

    def _whole_columns(
        self, kind: str, table: str, column: str, rows: Sequence[Row], read: Callable[[Any], Any]
    ) -> dict[str, list[Any]]:
        """A column for each name that some of the runs have, in the order in which they came up."""
        numbers, found = [row.number for row in rows], {}
        names = self._database.execute(
            "SELECT id, name FROM names WHERE kind = ? ORDER BY id", (kind,)
        ).fetchall()
        for name, text in names:
            kept = self._kept(table, column, name, rows)
            values = [read(kept[number]) if number in kept else MISSING for number in numbers]
            first = next((place for place, value in enumerate(values) if value is not MISSING), None)
            if first is not None:
                found[value_in(text)] = (first, values)
        places: dict[str, tuple[int, int]] = {}
        for first in sorted({first for first, _ in found.values()}):
            (run,) = self.records([rows[first]])
            for place, name in enumerate(run.params if kind == PARAM else run.summary):
                places.setdefault(name, (first, place))
        return {name: found[name][1] for name in sorted(found, key=places.__getitem__)}

    def _column(self, field: "Field", rows: Sequence[Row]) -> list[Any]:
        from tracking.query import FieldKind, MetricPart

        match field.kind:
            case FieldKind.RUN:
                return self._run_column(field.name, rows)
            case FieldKind.METRIC:
                part = field.plain_part or MetricPart.LAST
                kept = self._kept("metrics", part.value, self._number(METRIC, field.name), rows)
                return [number_in(kept.get(row.number)) for row in rows]
            case FieldKind.PARAM:
                return self._dotted(PARAM, field.name, rows)
            case FieldKind.TAG:
                return self._dotted(TAG, field.name, rows)
            case FieldKind.BARE:
                return [None] * len(rows)

    def _dotted(self, kind: str, name: str, rows: Sequence[Row]) -> list[Any]:
        """A parameter or tag, which may lie in a nested one: `model.hidden` is in `model` when there is no such."""
        from tracking.query import lookup

        parts = name.split(".")
        heads = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
        known = {head: number for head in heads if (number := self._number(kind, head)) >= 0}
        kept = {head: self._kept("cells", "value", number, rows) for head, number in known.items()}
        if set(kept) <= {name}:
            values = kept.get(name, {})
            return [value_in(values.get(row.number)) for row in rows]
        columns = []
        for row in rows:
            present = {
                head: value_in(values[row.number]) for head, values in kept.items() if row.number in values
            }
            columns.append(lookup(present, name))
        return columns

    def _run_column(self, name: str, rows: Sequence[Row]) -> list[Any]:
        from tracking.query.fields import RUN_FIELDS

        value = RUN_FIELDS[name]
        if name in ("run_id", "status", "experiment", "experiment_name"):
            key = "experiment_name" if name == "experiment" else name
            return [getattr(row, key) for row in rows]
        if name in ("created_at", "finished_at", "duration_s"):
            return [value(_with_times(row)) for row in rows]
        return [value(self._scan.compose(entry, {}, {})) for entry in self.entries(rows)]

    def _kept(self, table: str, column: str, name: int, rows: Sequence[Row]) -> dict[int, Any]:
        select = f"SELECT run, {column} FROM {table} WHERE name = ?"
        if len(rows) > FEW:
            return dict(self._database.execute(select, (name,)))
        numbers = [row.number for row in rows]
        return dict(self._database.execute(f"{select} AND run IN ({_marks(numbers)})", (name, *numbers)))

    def _documents(self, columns: str, rows: Sequence[Row]) -> Iterator[tuple[bytes, ...]]:
        for some in _batches(rows):
            numbers = [row.number for row in some]
            found = {
                number: texts
                for number, *texts in self._database.execute(
                    f"SELECT run, {columns} FROM documents WHERE run IN ({_marks(numbers)})",
                    numbers,
                )
            }
            yield from (tuple(found[number]) for number in numbers if number in found)

    def _experiments(self) -> dict[int, str]:
        found = self._database.execute("SELECT id, name FROM names WHERE kind = ?", (EXPERIMENT,))
        return {number: value_in(name) for number, name in found}

    def _number(self, kind: str, name: str) -> int:
        found = self._database.execute(
            "SELECT id FROM names WHERE kind = ? AND name = ?", (kind, cell(name))
        ).fetchone()
        return int(found[0]) if found else -1


def _with_times(row: Row) -> RunRecord:
    """As much of a record as its times need."""
    created, finished = (value_in(text) for text in (row.created_at, row.finished_at))
    times = SimpleNamespace(
        created_at=clock.parse(created) if created else datetime.fromtimestamp(0).astimezone(),
        finished_at=clock.parse(finished) if finished else None,
    )
    return cast(RunRecord, times)


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), FEW):
        yield items[start : start + FEW]


def _marks(items: Sequence[Any]) -> str:
    return ", ".join("?" * len(items))
