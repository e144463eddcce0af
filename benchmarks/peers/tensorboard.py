"""TensorBoard, written by torch's SummaryWriter: a queue in memory that is flushed every two minutes and at the end.

It has no call that finds runs: the files are read by its server, for the browser.
"""

import os
import time
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.driving import Answer, answer, per_run, timed_ms


def log(folder: Path, steps: int) -> Answer:
    """`add_scalar` for each metric."""
    writer = _writer(folder / f"log-{os.getpid()}")
    started = time.perf_counter()
    for step in range(steps):
        for name, value in workload.point(step).items():
            writer.add_scalar(name, value, step)
    writer.close()
    return {"us_per_step": (time.perf_counter() - started) / steps * 1e6}


def runs(folder: Path, count: int) -> Answer:
    """Measure a writer per run, and `add_hparams` with parameters and tags and the metrics."""

    def run(number: int) -> None:
        writer = _writer(folder / f"run-{os.getpid()}-{number}")
        told = {**workload.params(number), **workload.tags(number)}
        writer.add_hparams(told, workload.results(number), run_name=".")
        writer.close()

    return per_run(run, count)


def start(folder: Path, _count: int) -> Answer:
    """Measure the import with torch's, and a run that has its first point on disk."""
    import_ms = timed_ms(lambda: __import__("torch.utils.tensorboard"))

    def first_run() -> None:
        writer = _writer(folder / f"start-{os.getpid()}")
        for name, value in workload.point(0).items():
            writer.add_scalar(name, value, 0)
        writer.close()

    return {"import_ms": import_ms, "first_run_ms": timed_ms(first_run)}


def _writer(folder: Path) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(log_dir=str(folder))


if __name__ == "__main__":
    answer({"log": log, "runs": runs, "start": start})
