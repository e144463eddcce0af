"""View: queries on one state of the index; they give the same answers as the scan."""

import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tracking.metrics.summary_file import FIELDS
from tracking.objective import At, Objective
from tracking.records import MetricSummary, RunRecord
from tracking.search.comparison import MISSING, Comparison, columns_of
from tracking.search.index.database import batches, highest_id, marks
from tracking.search.index.memory import Memory, shared
from tracking.search.index.rows import EXPERIMENT, METRIC, PARAM, TAG, cell, document, number_in, value_in
from tracking.store.published import Entry
from tracking.store.scan import Scan
from tracking.values import timestamps
from tracking.values.names import WITHOUT_RANK

if TYPE_CHECKING:  # sqlite3 and the query language are loaded only for queries
    import sqlite3

    from tracking.search.query import Field, Names

Made = TypeVar("Made")

MANY = 64  # columns of so few runs that these are read whole
FEW = 500  # runs that are fetched by number; for more the whole column is read
EPOCH = datetime.fromtimestamp(0).astimezone()
PLAIN = {int, float, type(None), type(MISSING)}  # types that are stored as they are


class Row(NamedTuple):
    """The fields of a run in a list of runs, with the status as shown."""

    run_id: str
    experiment_name: str
    status: str
    created_at: Any
    finished_at: Any


class View:
    """One state of an index that is up to date. Runs have numbers; only `faulty` returns those that cannot be read."""

    def __init__(
        self,
        database: "sqlite3.Connection",
        scan: Scan,
        opening: int = 0,
        memory: Memory | None = None,
    ) -> None:
        self._database = database
        self._scan = scan
        self._opening = opening
        self._memory = memory
        if memory is not None:
            memory.begin(self.stamp)

    @property
    def stamp(self) -> str:
        """Text that changes with any row, whichever process wrote it; it means nothing to another process."""
        others = self._database.execute("PRAGMA data_version").fetchone()[0]
        return f"{self._opening}.{others}.{self._database.total_changes}"

    def kept(
        self, key: Hashable, make: Callable[[], Made], measure: Callable[[Made], int] | None = None
    ) -> Made:
        """Return what `make` returns, kept for further questions until any row changes; nobody may change it.

        `measure` returns its bytes, where they are not those of what it holds.
        """
        return make() if self._memory is None else self._memory.keep(key, make, measure)

    def numbers(self, experiment_name: str | None = None) -> list[int]:
        """Return the numbers of all runs or of one experiment, in the order of their ids; nobody may change the list."""
        return self.kept(("numbers", experiment_name), lambda: self._numbers(experiment_name))

    def _numbers(self, experiment_name: str | None) -> list[int]:
        where = f"is_run AND NOT fault{self._within(experiment_name)}"
        found = self._database.execute(f"SELECT id FROM runs WHERE {where} ORDER BY place")
        return [number for (number,) in found]

    def count(self, experiment_name: str | None = None) -> int:
        """Return the number of runs that `numbers` returns, without their numbers."""
        return self.kept(("count", experiment_name), lambda: self._count(experiment_name))

    def _count(self, experiment_name: str | None) -> int:
        where = f"is_run AND NOT fault{self._within(experiment_name)}"
        return int(self._database.execute(f"SELECT count(*) FROM runs WHERE {where}").fetchone()[0])

    def page(
        self, experiment_name: str | None, offset: int, limit: int, *, descending: bool = False
    ) -> list[int]:
        """Return a part of what `numbers` returns, or of the same in descending order of ids; read no other run."""
        where = f"is_run AND NOT fault{self._within(experiment_name)}"
        order = f"place {'DESC' if descending else 'ASC'} LIMIT {limit} OFFSET {offset}"
        return [
            number
            for (number,) in self._database.execute(f"SELECT id FROM runs WHERE {where} ORDER BY {order}")
        ]

    def experiments(self) -> dict[str, int]:
        """Return the number of runs of each experiment, by name."""
        names = self._experiments()
        found = self._database.execute(
            "SELECT experiment, count(*) FROM runs WHERE is_run AND NOT fault GROUP BY experiment"
        )
        return {names[number]: count for number, count in found}

    def varies(self, param: str, experiment_name: str | None = None) -> bool:
        """Return whether some two runs, of all or of one experiment, have different values of a parameter."""
        where = f"name = {self._number(PARAM, param)}{self._within(experiment_name)}"
        values = f"SELECT value FROM cells JOIN runs ON runs.id = run WHERE {where}"
        first = self._database.execute(f"{values} LIMIT 1").fetchone()
        # what differs is found out at the second value or so; only what does not is read to its end
        return bool(
            first and self._database.execute(f"{values} AND value IS NOT ? LIMIT 1", first).fetchone()
        )

    def params_as(
        self, numbers: Sequence[int], make: Callable[[dict[str, Any]], Made], made: dict[bytes, Made]
    ) -> list[Made]:
        """Return what `make` returns for the parameters of each run; once for equal ones, which `made` keeps by digest."""
        texts = dict(self._of("SELECT run, params FROM documents", "run", numbers))
        found = []
        for number in numbers:
            text = texts[number]
            digest = hashlib.blake2b(text, digest_size=16).digest()
            if digest not in made:
                made[digest] = make(document(text))
            found.append(made[digest])
        return found

    def same_in_all(self, metric: str, experiment_name: str | None = None) -> bool:
        """Return whether two runs or more have the metric, and all that have it the same last value."""
        where = f"name = {self._number(METRIC, metric)}{self._within(experiment_name, 'metrics')}"
        values = f"SELECT last FROM metrics WHERE {where}"
        some = self._database.execute(f"{values} LIMIT 2").fetchall()
        # as for parameters: what differs is found out at once
        return (
            len(some) == 2
            and not self._database.execute(f"{values} AND last IS NOT ? LIMIT 1", some[0]).fetchone()
        )

    def numbers_of(self, run_ids: Iterable[str]) -> dict[str, int]:
        """Return the numbers of the named runs that can be read, by id."""
        found: dict[str, int] = {}
        for some in batches(dict.fromkeys(run_ids), FEW):
            found |= self._database.execute(
                f"SELECT run_id, id FROM runs WHERE is_run AND NOT fault AND run_id IN ({marks(len(some))})",
                some,
            )
        return found

    def rows(self, numbers: Sequence[int]) -> list[Row]:
        """Return the rows of these runs."""
        names = self._experiments()
        select = "SELECT id, run_id, experiment, status, created_at, finished_at FROM runs"
        found = {
            number: Row(run_id, names[experiment], *rest)
            for number, run_id, experiment, *rest in self._of(select, "id", numbers)
        }
        return [found[number] for number in numbers]

    def run_ids(self, numbers: Sequence[int]) -> list[str]:
        """Return the ids of these runs."""
        from tracking.search.query import Field, FieldKind

        return self._kept_column(Field(FieldKind.RUN, "run_id"), numbers)

    def without_rank(self) -> dict[str, str]:
        """Return the runs that have no rank by their ids, each with a word for why: superseded, or rerun."""
        found: dict[str, str] = {}
        for tag, word in WITHOUT_RANK.items():
            rows = self._database.execute(
                f"SELECT run_id FROM cells JOIN runs ON runs.id = run WHERE name = {self._number(TAG, tag)}"
            )
            found.update({run_id: word for (run_id,) in rows})
        return found

    def faulty(self) -> list[str]:
        """Return the ids of the damaged runs, in order; the scan says what is wrong with each."""
        found = self._database.execute(
            "SELECT run_id FROM runs WHERE fault AND (is_foreign OR fault) ORDER BY place"
        )
        return [run_id for (run_id,) in found]

    def entries(self, numbers: Sequence[int]) -> list[Entry]:
        """Return the entries of these runs."""
        return [entry for (entry,) in self._documents("entry", numbers)]

    def records(self, numbers: Sequence[int]) -> list[RunRecord]:
        """Return the records of these runs."""
        return [
            self._scan.compose(
                entry, params, {name: MetricSummary(*values) for name, values in summary.items()}
            )
            for entry, params, summary in self._documents("entry, params, summary", numbers)
        ]

    def best(self, objective: Objective, experiment_name: str | None) -> str | None:
        """Return the id of the run with the best value of an objective; the first of equals, and none without a rank."""
        column = "last" if objective.at is At.LAST else objective.mode
        where = (
            f"name = {self._number(METRIC, objective.label)}{self._within(experiment_name, 'metrics')}"
            f" AND typeof({column}) IN ('integer', 'real')"  # not finite: text
        )
        for tag in WITHOUT_RANK:
            where += f" AND run NOT IN (SELECT run FROM cells WHERE name = {self._number(TAG, tag)})"
        found = self._database.execute(
            f"SELECT run_id FROM metrics JOIN runs ON runs.id = run WHERE {where} AND {column} = "
            f"(SELECT {objective.mode}({column}) FROM metrics WHERE {where}) ORDER BY place LIMIT 1"
        ).fetchone()
        return found[0] if found else None

    def names(self, experiment_name: str | None = None) -> "Names":
        """Return the names of the parameters, metrics and tags of all runs or of one experiment."""
        return self.kept(("names", experiment_name), lambda: self._names(experiment_name))

    def _names(self, experiment_name: str | None) -> "Names":
        from tracking.search.query import Names

        def of_kind(kind: str, table: str) -> frozenset[str]:
            rows = self._database.execute(
                f"SELECT name FROM names AS n WHERE kind = ? AND EXISTS (SELECT 1 FROM {table} AS t "
                f"JOIN runs ON runs.id = t.run WHERE t.name = n.id{self._within(experiment_name)})",
                (kind,),
            )
            return frozenset(value_in(name) for (name,) in rows)

        return Names(of_kind(PARAM, "cells"), of_kind(METRIC, "metrics"), of_kind(TAG, "cells"))

    def columns(self, fields: "Iterable[Field]", numbers: Sequence[int]) -> list[list[Any]]:
        """Return the values of each field in these runs, with None where a run has none."""
        wanted = list(fields)
        if len(wanted) <= MANY or len(numbers) > MANY:
            return [self._kept_column(field, numbers) for field in wanted]
        from tracking.search.query import FieldKind, value_of

        runs = self.records(numbers)  # a question per column would take longer than all of a few wide runs
        return [
            self._kept_column(field, numbers)
            if field.kind is FieldKind.RUN
            else [value_of(run, field) for run in runs]
            for field in wanted
        ]

    def comparison(self, numbers: Sequence[int]) -> Comparison:
        """Return the comparison of these runs."""
        rows = self.rows(numbers)
        about = {
            "run_id": [row.run_id for row in rows],
            "experiment_name": [row.experiment_name for row in rows],
            "status": [row.status for row in rows],
            "created_at": [value_in(row.created_at) for row in rows],
        }
        last = FIELDS.index("last")
        params, metrics = [], []
        for given, summary in self._documents("params, summary", numbers):
            params.append(given)
            metrics.append({name: values[last] for name, values in summary.items()})
        return Comparison(about, columns_of(params), columns_of(metrics))

    def _documents(self, parts: str, numbers: Sequence[int]) -> Iterator[list[Any]]:
        """Yield the named parts of each of these runs: entry, params, summary."""
        select = f"SELECT run, {parts} FROM documents"
        found = {number: texts for number, *texts in self._of(select, "run", numbers)}
        return ([*map(document, found[number])] for number in numbers)

    def _within(self, experiment_name: str | None, table: str = "runs") -> str:
        """Return the end of a condition that limits it to an experiment, if one is given."""
        if experiment_name is None:
            return ""
        return f" AND {table}.experiment = {self._number(EXPERIMENT, experiment_name)}"

    def _kept_column(self, field: "Field", numbers: Sequence[int]) -> list[Any]:
        """Return the values of a field in these runs, from those of all runs where these are kept, or asked for anyway."""
        if self._memory is None:
            return self._column(field, numbers)
        key = ("column", field)
        whole = self._memory.kept(key)
        if whole is None:
            if len(numbers) <= FEW or len(numbers) * 2 < self.count():
                return self._column(field, numbers)
            runs = self.numbers()
            whole = self._memory.keep(key, lambda: self._by_number(runs, self._column(field, runs)))
        return [*map(whole.__getitem__, numbers)]

    def _by_number(self, numbers: Sequence[int], values: list[Any]) -> list[Any]:
        """Return the values of all runs as a list whose places are the numbers of the runs."""
        found: list[Any] = [None] * (highest_id(self._database) + 1)
        for number, value in zip(numbers, shared(values), strict=True):
            found[number] = value
        return found

    def _column(self, field: "Field", numbers: Sequence[int]) -> list[Any]:
        from tracking.search.query import FieldKind, MetricPart

        match field.kind:
            case FieldKind.RUN:
                return self._run_column(field.name, numbers)
            case FieldKind.METRIC:
                part = field.plain_part or MetricPart.LAST
                return self._kept("metrics", part.value, self._number(METRIC, field.name), numbers)
            case FieldKind.PARAM:
                return self._dotted(PARAM, field.name, numbers)
            case FieldKind.TAG:
                return self._dotted(TAG, field.name, numbers)
            case FieldKind.BARE:
                return [None] * len(numbers)

    def _dotted(self, kind: str, name: str, numbers: Sequence[int]) -> list[Any]:
        """Return the values of a parameter or tag that may be nested: `model.hidden` may be a key of `model`."""
        from tracking.search.query import lookup

        parts = name.split(".")
        heads = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
        known = {head: number for head in heads if (number := self._number(kind, head)) >= 0}
        if set(known) <= {name}:
            return self._kept("cells", "value", known.get(name, -1), numbers)
        columns = [self._kept("cells", "value", known[head], numbers, MISSING) for head in known]
        return [
            lookup(
                {head: value for head, value in zip(known, values, strict=True) if value is not MISSING}, name
            )
            for values in zip(*columns, strict=True)
        ]

    def _run_column(self, name: str, numbers: Sequence[int]) -> list[Any]:
        from tracking.search.query.fields import RUN_FIELDS

        match name:
            case "run_id" | "status":
                return self._of_runs(name, numbers)
            case "experiment" | "experiment_name":
                names = self._experiments()
                return [names[number] for number in self._of_runs("experiment", numbers)]
            case "created_at":
                return [_moment(kept) or EPOCH for kept in self._of_runs(name, numbers)]
            case "finished_at":
                return [_moment(kept) for kept in self._of_runs(name, numbers)]
            case "duration_s":
                times = (self._run_column(each, numbers) for each in ("created_at", "finished_at"))
                return [end and (end - start).total_seconds() for start, end in zip(*times, strict=True)]
        return [RUN_FIELDS[name](self._scan.compose(entry, {}, {})) for entry in self.entries(numbers)]

    def _of_runs(self, column: str, numbers: Sequence[int]) -> list[Any]:
        found = dict(self._of(f"SELECT id, {column} FROM runs", "id", numbers))
        return [*map(found.__getitem__, numbers)]

    def _kept(
        self, table: str, column: str, name: int, numbers: Sequence[int], missing: Any = None
    ) -> list[Any]:
        """Return the stored values of a name, in the order of the runs."""
        select = f"SELECT run, {column} FROM {table} WHERE name = {name}"
        found = dict(self._of(select, "run", numbers))
        values = (
            [*map(found.get, numbers)] if missing is None else [found.get(each, missing) for each in numbers]
        )
        if PLAIN.issuperset(map(type, values)):
            return values
        read = number_in if table == "metrics" else value_in
        return [read(value) for value in values]

    def _of(self, select: str, key: str, numbers: Sequence[int]) -> Iterable[Any]:
        """Yield what a SELECT finds for these runs, in any order; rows of other runs too if these are many."""
        if len(numbers) > FEW and len(numbers) * 8 > highest_id(self._database):
            return self._database.execute(select)
        word = "AND" if "WHERE" in select else "WHERE"
        return chain.from_iterable(
            self._database.execute(f"{select} {word} {key} IN ({marks(len(some))})", some)
            for some in batches(numbers, FEW)
        )

    def _experiments(self) -> dict[int, str]:
        found = self._database.execute("SELECT id, name FROM names WHERE kind = ?", (EXPERIMENT,))
        return {number: value_in(name) for number, name in found}

    def _number(self, kind: str, name: str) -> int:
        found = self._database.execute(
            "SELECT id FROM names WHERE kind = ? AND name = ?", (kind, cell(name))
        ).fetchone()
        return int(found[0]) if found else -1


def _moment(kept: Any) -> datetime | None:
    text = value_in(kept)
    return timestamps.parse(text) if text else None
