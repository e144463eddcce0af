"""Runs as rows: read a run from its files, write it into the tables, and remove it."""

import json
import math
import operator
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from tracking.errors import CorruptFileError
from tracking.metrics.summary_file import FIELDS
from tracking.records import MetricSummary, RunStatus
from tracking.search.index.database import highest_id, marks
from tracking.search.index.stamps import RACY, journals_in, stamp_of
from tracking.store.published import Entry
from tracking.store.scan import Scan
from tracking.values import jsontext
from tracking.values.names import natural_key

if TYPE_CHECKING:  # sqlite3 is loaded only for queries
    import sqlite3

ENTRY_FAULT, RECORD_FAULT = 2, 1  # of a damaged run nothing can be read, or only its entry
EXPERIMENT, PARAM, TAG, METRIC = "experiment", "param", "tag", "metric"  # kinds of names
_INT_MAX = 2**63 - 1
_values = operator.attrgetter(*FIELDS)
_name_and_run = operator.itemgetter(0, 1)


@dataclass
class Reading:
    """The content of a run's folder; without an entry it holds no run, no run yet, or a damaged one."""

    run_id: str
    stamp: bytes
    watched: bool = True
    is_foreign: bool = False
    fault: int = 0
    entry: Entry | None = None
    status: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, MetricSummary] = field(default_factory=dict)


def read_run(scan: Scan, run_id: str) -> Reading | None:
    """Read a run's files; return None without the folder."""
    paths = scan.paths.run(run_id)
    folder = str(paths.folder)
    # take the stamp first: a change while the files are read then makes it stale
    now = time.time_ns()
    journals = journals_in(folder)
    stamp = stamp_of(folder, now, journals)
    if stamp is None:
        return None
    reading = Reading(run_id, stamp, is_foreign=not os.path.lexists(paths.run))
    try:
        reading.entry = scan.entry(run_id)
        if reading.entry is None:
            return reading
        record = scan.record(reading.entry)
    except CorruptFileError:
        reading.fault = RECORD_FAULT if reading.entry else ENTRY_FAULT
        return reading
    reading.params, reading.summary, reading.status = record.params, record.summary, record.status.value
    if stamp != RACY and record.status is not RunStatus.RUNNING:
        if not journals:
            reading.watched = False
        elif reading.entry["status"] == RunStatus.RUNNING:
            # a dead run keeps its own journal; living processes may still write the others
            reading.watched = any(journal.name != paths.journal.name for journal in journals)
            reading.stamp = stamp if reading.watched else stamp_of(folder, now) or RACY
    return reading


def write_runs(database: "sqlite3.Connection", readings: Iterable[Reading]) -> None:
    """Write the runs into the tables, replacing their old rows."""
    names = NameNumbers(database)
    free = highest_id(database) + 1
    runs: list[tuple[Any, ...]] = []
    documents: list[tuple[Any, ...]] = []
    cells: list[tuple[Any, ...]] = []
    metrics: list[tuple[Any, ...]] = []
    for reading in readings:
        number = remove_run(database, reading.run_id, names)
        if number is None:
            number, free = free, free + 1
        entry = reading.entry
        experiment = names.number(EXPERIMENT, entry["experiment_name"]) if entry else None
        runs.append(
            (
                number,
                reading.run_id,
                place_of(reading.run_id),
                experiment,
                reading.status or (entry and entry["status"]),
                cell(entry.get("created_at")) if entry else None,
                cell(entry.get("finished_at")) if entry else None,
                entry is not None,
                reading.is_foreign,
                reading.fault,
                reading.watched,
                reading.stamp,
            )
        )
        if entry:
            summary = {name: _values(one) for name, one in reading.summary.items()}
            documents.append((number, *map(_document, (entry, reading.params, summary))))
        if entry and not reading.fault:
            cells += _cells(names, PARAM, number, reading.params)
            cells += _cells(names, TAG, number, entry.get("tags") or {})
            for name, values in summary.items():
                metrics.append((names.number(METRIC, name), number, experiment, *map(_number, values)))
    database.executemany(f"INSERT INTO runs VALUES ({marks(12)})", runs)
    database.executemany(f"INSERT INTO documents VALUES ({marks(4)})", documents)
    database.executemany(f"INSERT INTO cells VALUES ({marks(3)})", sorted(cells, key=_name_and_run))
    database.executemany(
        f"INSERT INTO metrics VALUES ({marks(3 + len(FIELDS))})", sorted(metrics, key=_name_and_run)
    )


def remove_run(database: "sqlite3.Connection", run_id: str, names: "NameNumbers") -> int | None:
    """Remove a run from the tables; return its number, or None if it has no row."""
    found = database.execute("SELECT id FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if found is None:
        return None
    texts = database.execute("SELECT entry, params, summary FROM documents WHERE run = ?", found).fetchone()
    if texts:
        entry, params, summary = map(document, texts)
        for kind, keys in ((PARAM, params), (TAG, entry.get("tags") or {}), (METRIC, summary)):
            table = "metrics" if kind == METRIC else "cells"
            where = [(names.number(kind, key), *found) for key in keys]
            database.executemany(f"DELETE FROM {table} WHERE name = ? AND run = ?", where)
        database.execute("DELETE FROM documents WHERE run = ?", found)
    database.execute("DELETE FROM runs WHERE id = ?", found)
    return int(found[0])


class NameNumbers:
    """The numbers of names, created when missing; for use within a transaction that writes."""

    def __init__(self, database: "sqlite3.Connection") -> None:
        self._database = database
        self._numbers: dict[tuple[str, str], int] = {}

    def number(self, kind: str, name: str) -> int:
        """Return the number of a name."""
        number = self._numbers.get((kind, name))
        if number is None:
            key = (kind, cell(name))
            self._database.execute("INSERT OR IGNORE INTO names(kind, name) VALUES (?, ?)", key)
            row = self._database.execute("SELECT id FROM names WHERE kind = ? AND name = ?", key).fetchone()
            number = self._numbers[kind, name] = int(row[0])
        return number


def cell(value: Any) -> Any:
    """Return a value as SQLite stores it: numbers and texts as they are, anything else as the bytes of its JSON."""
    kind = type(value)
    if kind is float and not math.isnan(value):  # SQLite turns NaN into NULL
        return value
    if kind is int and -_INT_MAX <= value <= _INT_MAX:
        return value
    if kind is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            pass  # SQLite refuses a lone surrogate
        else:
            return value
    return json.dumps(value).encode()


def value_in(kept: Any) -> Any:
    """Return the value that `cell` stored."""
    return jsontext.decode(kept) if isinstance(kept, bytes) else kept


def document(text: bytes) -> Any:
    """Return the value of a stored document; raise sqlite3.DatabaseError for one that is damaged."""
    try:
        return jsontext.decode(text)
    except (TypeError, ValueError):
        import sqlite3

        raise sqlite3.DatabaseError("a document of the index is damaged") from None


def place_of(run_id: str) -> bytes:
    """Return a key whose bytes sort as runs do: by `natural_key`, then by name."""
    parts = b""
    for kind, part in natural_key(run_id):
        text = str(part).encode(errors="surrogatepass")
        parts += b"\x01%c%b" % (len(text), text) if kind == 0 else b"\x02%b\x00" % text
    return parts + b"\x00" + run_id.encode(errors="surrogatepass")


def _cells(
    names: NameNumbers, kind: str, number: int, values: dict[str, Any]
) -> Iterator[tuple[int, int, Any]]:
    for name, value in values.items():
        yield names.number(kind, name), number, cell(value)


def number_in(kept: Any) -> Any:
    """Return the number of a summary that a column stores."""
    return float(kept) if isinstance(kept, str) else value_in(kept)


def _document(value: Any) -> bytes:
    try:
        text = orjson.dumps(value)
        # null may be None, or a number that JSON lacks
        if b"null" not in text or orjson.loads(text) == value:
            return text
    except (TypeError, ValueError):
        pass
    return json.dumps(value).encode()


def _number(value: Any) -> Any:
    """Return a value of a summary as a column stores it.

    A number that is not finite becomes text, which SQLite tells from numbers by type, and too large an int a float.
    """
    if isinstance(value, int | float):
        if not math.isfinite(value):
            return str(float(value))
        return value if isinstance(value, float) or abs(value) <= _INT_MAX else float(value)
    return value if value is None else cell(value)  # other code may store any value as a step
