"""Points on their way to MLflow: by its calls, a thousand at once, or straight into the tables of a SQLite database.

MLflow makes an object of each point and compares it with others, a few thousand in a second; the tables take a hundred
times as many. Their columns have been the same since MLflow 1, and are looked at first: with any other, the calls are
used.
"""

import math
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path

from tracking.transfer.mlflow.connection import Connection, UnavailableError
from tracking.transfer.mlflow.sqlite_file import LARGEST
from tracking.transfer.mlflow.targets import sqlite_path
from tracking.transfer.mlflow.translation import Sent

ROWS = 20_000  # in one transaction
WAIT_S = 60  # for another writer of the database
COLUMNS = {"key", "value", "timestamp", "run_uuid", "step", "is_nan"}
INSERT = (
    "INSERT OR IGNORE INTO metrics (run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)"
)
LATEST = "SELECT step, timestamp, value FROM latest_metrics WHERE run_uuid = ? AND key = ?"
SET_LATEST = "INSERT OR REPLACE INTO latest_metrics (run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)"

TRIGGERS = (
    "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ('metrics', 'latest_metrics')"
)

Points = Mapping[str, list[Sent]]
Row = tuple[str, str, float, int, int, int]


def send_points(there: Connection, run_id: str, points: Points, *, is_new: bool) -> Iterator[int]:
    """Send the points that MLflow does not have yet, and yield the number of each batch once it is there.

    `is_new`: the run was made just now, and has none.
    """
    path = sqlite_path(there.uri)
    if path is None or not _has_known_tables(path):
        yield from _by_calls(there, run_id, points, is_new=is_new)
        return
    try:
        yield from _into_tables(path, run_id, points)
    except sqlite3.Error as error:
        raise UnavailableError(
            f"{path} cannot be written ({error}); the next export completes the run"
        ) from None


def _by_calls(there: Connection, run_id: str, points: Points, *, is_new: bool) -> Iterator[int]:
    waiting: list[tuple[str, Sent]] = []
    for name, all_points in points.items():
        known = Counter() if is_new else Counter(map(_comparable, there.points(run_id, name)))
        for point in all_points:
            key = _comparable(point)
            if known[key]:
                known[key] -= 1
            else:
                waiting.append((name, point))
    yield from there.log_points(run_id, waiting)


def _into_tables(path: Path, run_id: str, points: Points) -> Iterator[int]:
    with closing(sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)) as sql:
        for name, all_points in points.items():
            rows = (_row(run_id, name, point) for point in all_points)
            while some := list(islice(rows, ROWS)):
                before = sql.total_changes
                sql.execute("BEGIN IMMEDIATE")
                with sql:  # all of these points or none
                    sql.executemany(INSERT, some)
                    count = sql.total_changes - before
                    _keep_latest(sql, some)
                yield count


def _keep_latest(sql: sqlite3.Connection, rows: list[Row]) -> None:
    """Let the table of last values have the last of these points, if it has no later one: by step, time and value."""
    last = max(rows, key=_lateness)
    known = sql.execute(LATEST, last[:2]).fetchone()
    if known is None or tuple(known) < _lateness(last):
        sql.execute(SET_LATEST, last)


def _lateness(row: Row) -> tuple[int, int, float]:
    return row[4], row[3], row[2]


def _row(run_id: str, name: str, point: Sent) -> Row:
    is_nan = math.isnan(point.value)
    return run_id, name, 0.0 if is_nan else _limited(point.value), point.timestamp, point.step, int(is_nan)


def _has_known_tables(path: Path) -> bool:
    with closing(sqlite3.connect(path, timeout=WAIT_S)) as sql:
        found = [
            {str(row[1]) for row in sql.execute(f"PRAGMA table_info({table})")}
            for table in ("metrics", "latest_metrics")
        ]
        triggers = sql.execute(TRIGGERS).fetchone()
    return found == [COLUMNS, COLUMNS] and triggers == (0,)


def _limited(value: float) -> float:
    """Return a number as a database of MLflow holds it, which has the largest number for an infinity."""
    return max(min(value, LARGEST), -LARGEST)


def _comparable(point: Sent) -> tuple[str, int, int]:
    # NaN is not equal to itself
    return repr(_limited(point.value)), point.timestamp, point.step
