"""Stores of many runs, made by the tracker's own calls: what reads them cannot tell them from real ones.

Only the waiting for the disk is left out while they are made.
"""

import os
from pathlib import Path
from typing import Any

from benchmarks import workload
from tracking import ExperimentTracker


def fill(folder: Path, count: int) -> None:
    """Add finished runs to a store until it has `count`: 12 parameters, 6 metrics with history, 3 tags each."""
    tracker = ExperimentTracker(folder)
    sync = os.fsync
    os.fsync = _no_sync
    try:
        for number in range(_count(folder), count):
            run_id = tracker.create_run(workload.EXPERIMENT, tags=workload.tags(number))
            tracker.log_params(run_id, workload.params(number))
            for step in range(workload.CURVE_STEPS):
                tracker.log_metrics(run_id, workload.curve(number, step), step=step)
            tracker.finish_run(run_id)
        tracker.publish()
    finally:
        os.fsync = sync


def _no_sync(fd: Any) -> None:
    """In the place of os.fsync."""


def _count(folder: Path) -> int:
    return sum(1 for _ in (folder / "runs").glob("run_*"))
