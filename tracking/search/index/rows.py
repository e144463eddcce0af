"""Runs as rows: reading one from its files, writing it into the tables, and taking it out again."""

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
from tracking.metrics.summary import FIELDS
from tracking.records import MetricSummary, RunStatus
from tracking.search.index.stamps import RACY, journals_in, stamp_of
from tracking.store.published import Entry
from tracking.store.scan import Scan
from tracking.values import jsontext
from tracking.values.names import natural_key

if TYPE_CHECKING:  # sqlite3 is only loaded by those who read many runs
    import sqlite3

ENTRY_FAULT, RECORD_FAULT = 2, 1  # what of a damaged run cannot be read: all, or all but its entry
EXPERIMENT, PARAM, TAG, METRIC = "experiment", "param", "tag", "metric"  # kinds of names
_INT_MAX = 2**63 - 1
_values = operator.attrgetter(*FIELDS)
_name_and_run = operator.itemgetter(0, 1)


@dataclass
class Reading:
    """What was found in a run's folder. Without an entry it is no run, not yet one, or damaged."""

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
    """Read a run's files; None when there is no such folder."""
    paths = scan.paths.run(run_id)
    folder = str(paths.folder)
    # the stamp comes first: what changes while the files are read makes it stale
    now = time.time_ns()
    journals = journals_in(folder)
    stamp = stamp_of(folder, now, journals)
    if stamp is None:
        return None
    reading = Reading(run_id, stamp, is_foreign=not os.path.exists(str(paths.run)))  # noqa: PTH110
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
            # a dead run keeps its own journal; those of others may still be written by living processes
            reading.watched = any(journal.name != paths.journal.name for journal in journals)
            reading.stamp = stamp if reading.watched else stamp_of(folder, now) or RACY
    return reading


def write_runs(database: "sqlite3.Connection", readings: Iterable[Reading]) -> None:
    """Put the runs into the tables in place of what was known of them."""
    names = Names(database)
    free = (database.execute("SELECT max(id) FROM runs").fetchone()[0] or 0) + 1
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
                metrics.append((names.number(METRIC, name), number, experiment, *_numbers(values)))
    database.executemany(f"INSERT INTO runs VALUES ({_marks(12)})", runs)
    database.executemany(f"INSERT INTO documents VALUES ({_marks(4)})", documents)
    database.executemany(f"INSERT INTO cells VALUES ({_marks(3)})", sorted(cells, key=_name_and_run))
    database.executemany(
        f"INSERT INTO metrics VALUES ({_marks(3 + len(FIELDS))})", sorted(metrics, key=_name_and_run)
    )


def remove_run(database: "sqlite3.Connection", run_id: str, names: "Names") -> int | None:
    """Take a run out of the tables; its number, or None when there was none."""
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


class Names:
    """The numbers of names, made where they are missing; only within a transaction that writes."""

    def __init__(self, database: "sqlite3.Connection") -> None:
        self._database = database
        self._numbers: dict[tuple[str, str], int] = {}

    def number(self, kind: str, name: str) -> int:
        """The number of a name."""
        number = self._numbers.get((kind, name))
        if number is None:
            key = (kind, cell(name))
            self._database.execute("INSERT OR IGNORE INTO names(kind, name) VALUES (?, ?)", key)
            row = self._database.execute("SELECT id FROM names WHERE kind = ? AND name = ?", key).fetchone()
            number = self._numbers[kind, name] = int(row[0])
        return number


def cell(value: Any) -> Any:
    """A value as SQLite keeps it: numbers and texts as they are, anything else as the bytes of its JSON."""
    kind = type(value)
    if kind is float and not math.isnan(value):  # SQLite would make NULL of it
        return value
    if kind is int and -_INT_MAX <= value <= _INT_MAX:
        return value
    if kind is str and (value.isascii() or _is_unicode(value)):
        return value
    return json.dumps(value).encode()


def value_in(kept: Any) -> Any:
    """The value that `cell` kept."""
    return jsontext.decode(kept) if isinstance(kept, bytes) else kept


def document(text: bytes) -> Any:
    """The value of a kept document; sqlite3.DatabaseError when the file is so damaged that it is none."""
    try:
        return jsontext.decode(text)
    except (TypeError, ValueError):
        import sqlite3

        raise sqlite3.DatabaseError("a document of the index is damaged") from None


def place_of(run_id: str) -> bytes:
    """A key that sorts, byte by byte, as runs are listed: by `natural_key`, then by name."""
    parts = b""
    for kind, part in natural_key(run_id):
        text = str(part).encode(errors="surrogatepass")
        parts += b"\x01%c%b" % (len(text), text) if kind == 0 else b"\x02%b\x00" % text
    return parts + b"\x00" + run_id.encode(errors="surrogatepass")


def _cells(names: Names, kind: str, number: int, values: dict[str, Any]) -> Iterator[tuple[int, int, Any]]:
    for name, value in values.items():
        yield names.number(kind, name), number, cell(value)


def number_in(kept: Any) -> Any:
    """The number of a summary that a column kept."""
    return float(kept) if isinstance(kept, str) else value_in(kept)


def _document(value: Any) -> bytes:
    try:
        text = orjson.dumps(value)
        # null may stand for None, and for a number that JSON does not know
        if b"null" not in text or orjson.loads(text) == value:
            return text
    except (TypeError, ValueError):
        pass
    return json.dumps(value).encode()


def _numbers(values: tuple[Any, ...]) -> list[Any]:
    return [
        value
        if value is None
        or (type(value) is int and -_INT_MAX <= value <= _INT_MAX)
        or (type(value) is float and value - value == 0)
        else _odd_number(value)
        for value in values
    ]


def _odd_number(value: Any) -> Any:
    """What is not finite is kept as text, so that its type tells it from numbers; an int too large as a float."""
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else str(float(value))
    return cell(value)  # a step of other code may be anything


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _marks(count: int) -> str:
    return ", ".join("?" * count)
