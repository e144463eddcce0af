"""The limit: what the bytes cost without any order, any way to find them again, or safety from a crash.

Each log call is one JSON line in one write, as in the tracker, and nothing else happens.
"""

import os
import time
from pathlib import Path

import orjson

from benchmarks import workload
from benchmarks.driving import Answer, per_run

TIMESTAMP = "2024-11-15T10:30:00.250+01:00"


def log(folder: Path, steps: int) -> Answer:
    """Write the lines of the tracker's journal."""
    path = folder / "bare.jsonl"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o666)
    points = [workload.point(step) for step in range(steps)]
    started = time.perf_counter()
    for step, metrics in enumerate(points):  # not timed_log: its call of a function would count here
        line = {"step": step, "timestamp": TIMESTAMP, "metrics": metrics}
        os.write(handle, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    os.close(handle)
    took_s = time.perf_counter() - started
    return {"us_per_step": took_s / steps * 1e6, "bytes": path.stat().st_size}


def runs(folder: Path, count: int) -> Answer:
    """Make a folder per run with all of it in one file, never synced."""

    def run(number: int) -> None:
        place = folder / f"bare_{os.getpid()}_{number}"
        place.mkdir()
        record = {
            "params": workload.params(number),
            "metrics": workload.results(number),
            "tags": workload.tags(number),
        }
        (place / "run.json").write_bytes(orjson.dumps(record))

    return per_run(run, count)


def sync(folder: Path, count: int) -> Answer:
    """Measure what the disk takes to make one small file survive a power loss."""
    path = folder / "sync"
    took_s = 0.0
    for _ in range(count):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.write(handle, b"x" * 1000)
        started = time.perf_counter()
        os.fsync(handle)
        took_s += time.perf_counter() - started
        os.close(handle)
        path.unlink()
    return {"sync_ms": took_s / count * 1e3}
