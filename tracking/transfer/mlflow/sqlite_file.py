"""Read an MLflow database, a SQLite file of MLflow 2 or 3, without MLflow. The file is opened for reading only."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tracking.errors import CorruptFileError, TrackingError, quoted
from tracking.files import regular
from tracking.transfer.mlflow.foreign import MAX_TEXT, RUN_ID, ForeignContent, ForeignRun
from tracking.transfer.mlflow.translation import FROM_MLFLOW
from tracking.transfer.sqlite_source import opened

LARGEST = 1.7976931348623157e308  # what MLflow writes for an infinity
COLUMNS = {
    "experiments": {"experiment_id", "name", "lifecycle_stage"},
    "runs": {"run_uuid", "name", "status", "start_time", "end_time", "lifecycle_stage", "artifact_uri"},
    "params": {"key", "value", "run_uuid"},
    "tags": {"key", "value", "run_uuid"},
    "metrics": {"key", "value", "timestamp", "run_uuid", "step", "is_nan"},
}
PARAMS = "SELECT key, value FROM params WHERE run_uuid = ?"
TAGS = "SELECT key, value FROM tags WHERE run_uuid = ?"
POINTS = "SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = ?"
_SERVED = re.compile(r"mlflow-artifacts:/+(?:[^/]+(?=/\d+/))?")


class DatabaseFile:
    """A `ForeignStore` in a SQLite file."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.damaged: dict[str, str] = {}
        regular.refuse_odd(place)
        with ExitStack() as refused:  # closes what is no such store
            with self._reading():
                self._sql = opened(place)
                refused.callback(self._sql.close)
                self._sql.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, regular.MAX_BYTES)
                # the file may hold views and functions of anybody's
                self._sql.execute("PRAGMA trusted_schema = OFF")
                self._sql.text_factory = lambda text: text.decode(errors="replace")
            self._check_tables()
            refused.pop_all()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise CorruptFileError(
                f"{self.place} cannot be read as a SQLite database ({error}); repair it, or stop the server that writes it"
            ) from None

    def _check_tables(self) -> None:
        for table, columns in COLUMNS.items():
            with self._reading():
                made = self._sql.execute(
                    "SELECT type, sql FROM sqlite_master WHERE name = ?", (table,)
                ).fetchall()
                found = {str(row[1]) for row in self._sql.execute(f"PRAGMA table_info({table})")}
            if not made:
                raise TrackingError(
                    f"{self.place} is a SQLite database, and not one of MLflow: it has no table {table!r}"
                )
            if made[0][0] != "table" or "virtual" in str(made[0][1]).lower().split()[:2]:
                raise CorruptFileError(
                    f"{self.place} has something else in place of the table {table!r}; repair it"
                )
            if lacking := sorted(columns - found):
                raise TrackingError(
                    f"{self.place} was made by an MLflow that is too old, its table {table!r} lacks {', '.join(lacking)}; "
                    "bring a copy up to date: mlflow db upgrade sqlite:///COPY"
                )

    def runs(self) -> Iterator[ForeignRun]:
        """Yield all runs by their start."""
        with self._reading():
            rows = self._sql.execute(
                "SELECT r.run_uuid, r.name, r.status, r.start_time, r.end_time, r.lifecycle_stage, r.artifact_uri, "
                "r.experiment_id, e.name, e.lifecycle_stage FROM runs r LEFT JOIN experiments e USING (experiment_id) "
                "ORDER BY r.start_time, r.run_uuid"
            ).fetchall()
        for run_id, name, status, start, end, stage, uri, experiment_id, experiment, experiment_stage in rows:
            if not isinstance(run_id, str) or not RUN_ID.fullmatch(run_id):
                self.damaged[quoted(run_id)] = "it is no id of a run"
            elif not isinstance(experiment, str):
                self.damaged[run_id] = "it belongs to no experiment"
            elif status not in FROM_MLFLOW:
                self.damaged[run_id] = f"its status is {quoted(status)}, which MLflow does not have"
            else:
                yield ForeignRun(
                    run_id,
                    name if isinstance(name, str) else "",
                    experiment,
                    str(experiment_id),
                    FROM_MLFLOW[status],
                    start if isinstance(start, int) else None,
                    end if isinstance(end, int) else None,
                    "deleted" in (stage, experiment_stage),
                    uri if isinstance(uri, str) else "",
                )

    def content(self, run: ForeignRun) -> ForeignContent:
        """Return the parameters, tags and metrics of a run."""
        found = ForeignContent()
        with self._reading():
            texts = (("params", PARAMS, found.params), ("tags", TAGS, found.tags))
            for table, question, values in texts:
                for key, value in self._sql.execute(question, (run.run_id,)):
                    if isinstance(key, str) and isinstance(value, str) and len(value) <= MAX_TEXT:
                        values[key] = value
                    elif value is not None:
                        found.damaged.append(f"{table} {quoted(key)}")
            for key, value, moment, step, is_nan in self._sql.execute(POINTS, (run.run_id,)):
                number = _number(value, is_nan)
                if (
                    number is None
                    or not isinstance(moment, int)
                    or not isinstance(step, int)
                    or not isinstance(key, str)
                ):
                    found.damaged.append(f"a point of the metric {quoted(key)}")
                else:
                    found.points.setdefault(key, []).append((step, moment, number))
        return found

    def artifacts(self, run: ForeignRun) -> Path | None:
        """Return the folder of a run's artifacts where the database says, or where MLflow puts it beside the database.

        It must end in the run's id, as all that MLflow makes do: a database may name any folder of the machine.
        """
        end = Path(run.run_id, "artifacts")
        local = _local(run.artifact_uri)
        places = [] if local is None else [self.place.parent / local]
        if served := _SERVED.match(run.artifact_uri):
            places.append(self.place.parent / "mlartifacts" / unquote(run.artifact_uri[served.end() :]))
        places += [self.place.parent / root / run.experiment_id / end for root in ("mlruns", "mlartifacts")]
        real = (Path(os.path.realpath(place)) for place in places)
        return next(
            (place for place in real if place.parts[-2:] == end.parts and regular.is_folder(place)), None
        )

    def close(self) -> None:
        """Close the file."""
        self._sql.close()


def _number(value: Any, is_nan: Any) -> float | None:
    if is_nan:
        return float("nan")
    if not isinstance(value, int | float):
        return None
    return float("inf") * (1 if value > 0 else -1) if abs(value) >= LARGEST else value


def _local(uri: str) -> str | None:
    """Return the path in an address of artifacts; None for one on another machine."""
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return unquote(parts.path)
    return uri if uri and not parts.scheme else None
