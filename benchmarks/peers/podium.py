"""The tracker of this project.

It is imported where it is used, and nothing that it imports is imported earlier: `start` measures its import.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import workload
from benchmarks.driving import Answer, OpenRun, first_and_again, per_run, timed_log, timed_ms

if TYPE_CHECKING:
    from tracking import ExperimentTracker

PACKAGE = "tracking"
FILTER = "metrics.val_auc > 0.9 and params.learning_rate < 0.001 and tags.stage == 'candidate'"


def open_run(folder: Path, _name: str, params: dict[str, Any], tags: dict[str, str]) -> OpenRun:
    """Start a run with `start_run`."""
    run = _tracker(folder).start_run(workload.EXPERIMENT, params=params, tags=tags)
    return run.log, run.finish


def log(folder: Path, steps: int) -> Answer:
    """Log with `run.log`; a call that returned survives the death of the process."""
    run = _tracker(folder).start_run(workload.EXPERIMENT)
    size_bytes = 0

    def close() -> None:
        nonlocal size_bytes
        size_bytes = sum(path.stat().st_size for path in run.run_dir.glob("metrics*.jsonl"))
        run.finish()

    return {**timed_log(run.log, close, steps), "bytes": size_bytes}


def runs(folder: Path, count: int) -> Answer:
    """Record with `create_run`, which gets the tags, `log_params`, `log_metrics`, `finish_run`; synced at its end."""
    tracker = _tracker(folder)
    syncs = _counted_syncs()

    def run(number: int) -> None:
        run_id = tracker.create_run(workload.EXPERIMENT, tags=workload.tags(number))
        tracker.log_params(run_id, workload.params(number))
        tracker.log_metrics(run_id, workload.results(number))
        tracker.finish_run(run_id)

    return {**per_run(run, count), "syncs": syncs() / (count + 1)}  # it runs one more, not counted


def fill(folder: Path, count: int) -> Answer:
    """Make a store of `count` runs with history by the same calls, without waiting for the disk."""
    tracker = _tracker(folder)
    _counted_syncs(passed_on=False)
    for number in range(count):
        run_id = tracker.create_run(workload.EXPERIMENT, tags=workload.tags(number))
        tracker.log_params(run_id, workload.params(number))
        for step in range(workload.CURVE_STEPS):
            tracker.log_metrics(run_id, workload.curve(number, step), step=step)
        tracker.finish_run(run_id)
    tracker.publish()
    return {}


def best(folder: Path, _count: int) -> Answer:
    """Ask `get_best_run`."""
    tracker = _tracker(folder)

    def ask() -> Any:
        run = tracker.get_best_run(workload.TARGET, workload.EXPERIMENT)
        if run is None:
            raise SystemExit("no best run was found")
        return run["run_id"]

    return first_and_again(ask)


def index(folder: Path, count: int) -> Answer:
    """Ask the first question of a store that has no index."""
    from tracking.search.catalog import Catalog
    from tracking.store.store import Store

    Catalog(Store(folder)).index.path.unlink(missing_ok=True)
    return best(folder, count)


def table(folder: Path, _count: int) -> Answer:
    """Ask `list_runs`, then `compare_runs` of all: 12 parameters and 6 metrics each."""
    pandas_ms = timed_ms(lambda: __import__("pandas"))
    tracker = _tracker(folder)

    def shape() -> tuple[int, int]:
        ids = [run["run_id"] for run in tracker.list_runs(workload.EXPERIMENT)]
        return tracker.compare_runs(ids).shape

    return {**first_and_again(shape, times=1), "pandas_ms": pandas_ms}


def search(folder: Path, _count: int) -> Answer:
    """Ask `search_runs` with a filter over a metric, a parameter and a tag."""
    tracker = _tracker(folder)
    took = first_and_again(lambda: len(tracker.search_runs(FILTER)))
    order = f"-metrics.{workload.TARGET}"
    ordered = first_and_again(lambda: len(tracker.search_runs(FILTER, order_by=order, limit=20)))
    return {**took, "ordered_ms": ordered["again_ms"]}


def touch(folder: Path, count: int) -> Answer:
    """Change a tag of `count` finished runs."""
    tracker = _tracker(folder)
    for run in tracker.list_runs()[:count]:
        tracker.open_run(run["run_id"]).set_tags({"seen": str(time.time_ns())})
    return {}


def refresh(folder: Path, count: int) -> Answer:
    """Ask the next question of an open reader, after another process changed `count` runs."""
    from benchmarks.contestants import PODIUM

    tracker = _tracker(folder)
    tracker.get_best_run(workload.TARGET)
    times = []
    for _ in range(3):
        PODIUM.ask("touch", folder, count)
        times.append(timed_ms(lambda: tracker.get_best_run(workload.TARGET)))
    return {"first_ms": min(times)}


def provenance(folder: Path, _count: int) -> Answer:
    """Measure what start_run adds to create_run: the first in a process with numpy and pandas, and the next."""
    import pandas as pd

    tracker = _tracker(folder)
    tracker.create_run(f"{workload.EXPERIMENT}_{pd.__version__}")
    create_ms = min(timed_ms(lambda: tracker.create_run(workload.EXPERIMENT)) for _ in range(5))

    def started_ms() -> float:
        begun = time.perf_counter()
        run = tracker.start_run(workload.EXPERIMENT)
        took_ms = (time.perf_counter() - begun) * 1e3
        run.finish()
        return took_ms

    first_ms = started_ms()
    return {"first_ms": first_ms - create_ms, "again_ms": min(started_ms() for _ in range(5)) - create_ms}


def _tracker(folder: Path) -> "ExperimentTracker":
    from tracking import ExperimentTracker

    return ExperimentTracker(folder)


def _counted_syncs(*, passed_on: bool = True) -> Callable[[], int]:
    """Count the calls of os.fsync from now on; return a function that gives their number."""
    calls, sync = 0, os.fsync

    def counting(handle: int) -> None:
        nonlocal calls
        calls += 1
        if passed_on:
            sync(handle)

    os.fsync = counting  # type: ignore[assignment]  # the same, and counted
    return lambda: calls
