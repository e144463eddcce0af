"""The tracker of this project.

What it imports itself is not imported here before it, where that would flatter the benchmark `start`.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.driving import Answer, answer, first_and_again, per_run, timed_ms, timed_table

FILTER = "metrics.val_auc > 0.9 and params.learning_rate < 0.001 and tags.stage == 'candidate'"


def log(folder: Path, steps: int) -> Answer:
    """`run.log`; a call that returned survives the death of the process."""
    from tracking import ExperimentTracker

    points = [workload.point(step) for step in range(steps)]
    with ExperimentTracker(folder).start_run(workload.EXPERIMENT) as run:
        started = time.perf_counter()
        for step, metrics in enumerate(points):
            run.log(metrics, step=step)
        logged = time.perf_counter()
        size = sum(path.stat().st_size for path in run.run_dir.glob("metrics*.jsonl"))
        run.finish()
    closed = time.perf_counter()
    return {
        "us_per_step": (closed - started) / steps * 1e6,
        "us_per_call": (logged - started) / steps * 1e6,
        "close_ms": (closed - logged) * 1e3,
        "bytes": size,
    }


def runs(folder: Path, count: int) -> Answer:
    """`create_run` with tags, `log_params`, `log_metrics`, `finish_run`; synced at the end of each."""
    from tracking import ExperimentTracker

    tracker = ExperimentTracker(folder)
    syncs = _counted_syncs()

    def run(number: int) -> None:
        run_id = tracker.create_run(workload.EXPERIMENT, tags=workload.tags(number))
        tracker.log_params(run_id, workload.params(number))
        tracker.log_metrics(run_id, workload.results(number))
        tracker.finish_run(run_id)

    return {**per_run(run, count), "syncs": syncs() / count}


def fill(folder: Path, count: int) -> Answer:
    """Return a store of `count` runs, for the tasks that read."""
    from benchmarks import stores

    return {"s": timed_ms(lambda: stores.fill(folder, count)) / 1e3}


def best(folder: Path, _count: int) -> Answer:
    """`get_best_run`."""
    from tracking import ExperimentTracker

    tracker = ExperimentTracker(folder)
    return first_and_again(lambda: _found(tracker.get_best_run(workload.TARGET, workload.EXPERIMENT)))


def index(folder: Path, count: int) -> Answer:
    """Return the first question to a store that was never asked one."""
    from tracking.search.catalog import Catalog
    from tracking.store.store import Store

    Catalog(Store(folder)).index.path.unlink(missing_ok=True)
    return best(folder, count)


def table(folder: Path, _count: int) -> Answer:
    """`list_runs`, then `compare_runs` of all: 12 parameters and 6 metrics each."""
    pandas_ms = timed_ms(lambda: __import__("pandas"))
    from tracking import ExperimentTracker

    tracker = ExperimentTracker(folder)

    def shape() -> tuple[int, int]:
        ids = [run["run_id"] for run in tracker.list_runs(workload.EXPERIMENT)]
        return tracker.compare_runs(ids).shape

    return {**timed_table(shape), "pandas_ms": pandas_ms}


def search(folder: Path, _count: int) -> Answer:
    """`search_runs` with a filter over a metric, a parameter and a tag."""
    from tracking import ExperimentTracker

    tracker = ExperimentTracker(folder)
    found: list[Any] = []
    took = first_and_again(lambda: found.append(tracker.search_runs(FILTER)))
    ordered = first_and_again(
        lambda: tracker.search_runs(FILTER, order_by=f"-metrics.{workload.TARGET}", limit=20)
    )
    return {**took, "found": len(found[0]), "ordered_ms": ordered["again_ms"]}


def touch(folder: Path, count: int) -> Answer:
    """Change a tag of `count` finished runs."""
    from tracking import ExperimentTracker

    tracker = ExperimentTracker(folder)
    for run in tracker.list_runs()[:count]:
        tracker.open_run(run["run_id"]).set_tags({"seen": str(time.time_ns())})
    return {}


def refresh(folder: Path, count: int) -> Answer:
    """Return the next question of an open reader after another process changed `count` runs."""
    import subprocess

    from tracking import ExperimentTracker

    tracker = ExperimentTracker(folder)
    tracker.get_best_run(workload.TARGET)
    times = []
    for _ in range(3):
        command = [sys.executable, "-m", "benchmarks.peers.podium", "touch", str(folder), str(count)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(timed_ms(lambda: tracker.get_best_run(workload.TARGET)))
    return {"first_ms": min(times)}


def start(folder: Path, _count: int) -> Answer:
    """Return the import, and a run that is ready and has its first point."""
    import_ms = timed_ms(lambda: __import__("tracking"))
    from tracking import ExperimentTracker

    def first_run() -> None:
        with ExperimentTracker(folder).start_run(workload.EXPERIMENT, params=workload.params(0)) as run:
            run.log(workload.point(0), step=0)

    return {"import_ms": import_ms, "first_run_ms": timed_ms(first_run)}


def provenance(folder: Path, _count: int) -> Answer:
    """Return what start_run takes longer than create_run: the first in a process with numpy and pandas, and the next."""
    import pandas as pd

    from tracking import ExperimentTracker

    tracker = ExperimentTracker(folder)
    tracker.create_run(f"{workload.EXPERIMENT}_{pd.__version__}")
    create_ms = min(timed_ms(lambda: tracker.create_run(workload.EXPERIMENT)) for _ in range(5))

    def started() -> float:
        begun = time.perf_counter()
        run = tracker.start_run(workload.EXPERIMENT)
        took = (time.perf_counter() - begun) * 1e3
        run.finish()
        return took

    return {"first_ms": started() - create_ms, "again_ms": min(started() for _ in range(5)) - create_ms}


def _found(run: dict[str, Any] | None) -> None:
    if run is None:
        raise SystemExit("no best run was found")


def _counted_syncs() -> Callable[[], int]:
    calls, sync = 0, os.fsync

    def counting(handle: int) -> None:
        nonlocal calls
        calls += 1
        sync(handle)

    os.fsync = counting  # type: ignore[assignment]  # the same, and counted
    return lambda: calls


if __name__ == "__main__":
    answer(
        {
            "best": best,
            "fill": fill,
            "index": index,
            "log": log,
            "provenance": provenance,
            "refresh": refresh,
            "runs": runs,
            "search": search,
            "start": start,
            "table": table,
            "touch": touch,
        }
    )
