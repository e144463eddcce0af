"""Trackio, local: a thread writes what was logged into a SQLite file per project."""

import json
import os
import time
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.driving import Answer, answer, first_and_again, per_run, timed_ms, timed_table

# what `trackio query project --sql` is for: the last value of each run, the best first
BEST = f"""
SELECT run_name, json_extract(metrics, '$.{workload.TARGET}') AS value, max(step)
FROM metrics GROUP BY run_id ORDER BY value DESC LIMIT 1
"""
TABLE = """
SELECT m.run_name, m.metrics, max(m.step), c.config
FROM metrics m JOIN configs c ON c.run_id = m.run_id GROUP BY m.run_id
"""


def log(folder: Path, steps: int) -> Answer:
    """`trackio.log`, until `trackio.finish` has returned."""
    trackio = _opened(folder)
    name = f"log-{os.getpid()}"
    trackio.init(project=workload.EXPERIMENT, name=name)
    started = time.perf_counter()
    for step in range(steps):
        trackio.log(workload.point(step), step=step)
    trackio.finish()
    took_s = time.perf_counter() - started
    kept = _asked(f"SELECT count(*) AS kept FROM metrics WHERE run_name = '{name}'")[0]["kept"]
    return {"us_per_step": took_s / steps * 1e6, "kept": kept}


def runs(folder: Path, count: int) -> Answer:
    """`init` with the parameters and tags, `log`, `finish`."""
    trackio = _opened(folder)

    def run(number: int) -> None:
        config = {**workload.params(number), **workload.tags(number)}
        trackio.init(project=workload.EXPERIMENT, name=f"run-{os.getpid()}-{number}", config=config)
        trackio.log(workload.results(number))
        trackio.finish()

    return per_run(run, count)


def fill(folder: Path, count: int) -> Answer:
    """Write runs with history, each by one bulk insert of its own storage."""
    _opened(folder)
    from trackio.sqlite_storage import SQLiteStorage

    def fill_up() -> None:
        for number in range(count):
            points = [workload.curve(number, step) for step in range(workload.CURVE_STEPS)]
            config = {**workload.params(number), **workload.tags(number)}
            SQLiteStorage.bulk_log(workload.EXPERIMENT, f"run-{number}", points, config=config)

    return {"s": timed_ms(fill_up) / 1e3}


def best(folder: Path, _count: int) -> Answer:
    """Its query command's function with SQL; there is no call for it."""
    _opened(folder)
    return first_and_again(lambda: _asked(BEST)[0], times=3)


def table(folder: Path, _count: int) -> Answer:
    """Its query command's function with SQL, as a dict per run, from the JSON it keeps; no DataFrame is made."""
    _opened(folder)

    def shape() -> tuple[int, int]:
        rows = [_row(row) for row in _asked(TABLE)]
        return len(rows), len(rows[0])

    return timed_table(shape)


def start(folder: Path, _count: int) -> Answer:
    """Measure the import, and a run that has its first point."""
    os.environ["TRACKIO_DIR"] = str(folder)
    import_ms = timed_ms(lambda: __import__("trackio"))

    def first_run() -> None:
        trackio = _opened(folder)
        trackio.init(project=workload.EXPERIMENT, config=workload.params(0))
        trackio.log(workload.point(0), step=0)
        trackio.finish()

    return {"import_ms": import_ms, "first_run_ms": timed_ms(first_run)}


def _opened(folder: Path) -> Any:
    os.environ["TRACKIO_DIR"] = str(folder)  # read at its import
    import trackio

    return trackio


def _asked(query: str) -> Any:
    from trackio.sqlite_storage import SQLiteStorage

    return SQLiteStorage.query_project(workload.EXPERIMENT, query, max_rows=1_000_000)["rows"]


def _row(row: dict[str, Any]) -> dict[str, Any]:
    config, metrics = (
        value if isinstance(value, dict) else json.loads(value) for value in (row["config"], row["metrics"])
    )
    return {"run": row["run_name"], **config, **metrics}


if __name__ == "__main__":
    answer({"best": best, "fill": fill, "log": log, "runs": runs, "start": start, "table": table})
