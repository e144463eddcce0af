"""Trackio, local: a thread writes what was logged into a SQLite file per project.

A run is `init`, which gets the parameters and tags, `log`, and `finish`. Questions go to the function of its query
command, with SQL: there are no calls for them. Its folder is the variable TRACKIO_DIR, which it reads at its import.
"""

import json
import os
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.driving import Answer, OpenRun, first_and_again, timed_log

PACKAGE = "trackio"

# what `trackio query project --sql` is for: the last value of each run, the best first
BEST = f"""
SELECT run_name, json_extract(metrics, '$.{workload.TARGET}') AS value, max(step)
FROM metrics GROUP BY run_id ORDER BY value DESC LIMIT 1
"""
TABLE = """
SELECT m.run_name, m.metrics, max(m.step), c.config
FROM metrics m JOIN configs c ON c.run_id = m.run_id GROUP BY m.run_id
"""


def open_run(_folder: Path, name: str, params: dict[str, Any], tags: dict[str, str]) -> OpenRun:
    """Start a run."""
    import trackio

    trackio.init(project=workload.EXPERIMENT, name=name, config={**params, **tags})
    return trackio.log, trackio.finish


def log(folder: Path, steps: int) -> Answer:
    """Log until `finish` has returned, and count the points that are lost."""
    name = f"log-{os.getpid()}"
    took = timed_log(*open_run(folder, name, {}, {}), steps)
    kept = _rows(f"SELECT count(*) AS kept FROM metrics WHERE run_name = '{name}'")[0]["kept"]
    return {**took, "lost": steps - kept}


def fill(_folder: Path, count: int) -> Answer:
    """Write runs with history, each by one bulk insert of its own storage."""
    from trackio.sqlite_storage import SQLiteStorage

    for number in range(count):
        points = [workload.curve(number, step) for step in range(workload.CURVE_STEPS)]
        config = {**workload.params(number), **workload.tags(number)}
        SQLiteStorage.bulk_log(workload.EXPERIMENT, f"run-{number}", points, config=config)
    return {}


def best(_folder: Path, _count: int) -> Answer:
    """Ask for the first of all runs in order."""
    __import__(PACKAGE)  # not part of the figure
    return first_and_again(lambda: _rows(BEST)[0]["run_name"], times=3)


def table(_folder: Path, _count: int) -> Answer:
    """Make a dict per run, from the JSON it keeps; no DataFrame is made."""
    __import__(PACKAGE)  # not part of the figure

    def shape() -> tuple[int, int]:
        rows = [
            {"run": row["run_name"], **_loaded(row["config"]), **_loaded(row["metrics"])}
            for row in _rows(TABLE)
        ]
        return len(rows), len(rows[0])

    return first_and_again(shape, times=1)


def _rows(query: str) -> Any:
    from trackio.sqlite_storage import SQLiteStorage

    return SQLiteStorage.query_project(workload.EXPERIMENT, query, max_rows=1_000_000)["rows"]


def _loaded(value: Any) -> Any:
    return value if isinstance(value, dict) else json.loads(value)
