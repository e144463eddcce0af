"""W&B in its offline mode: points go to a second process, which writes them.

It has no call that finds runs of the offline mode: that needs its server.
"""

import time
from pathlib import Path
from typing import Any

from benchmarks import workload
from benchmarks.driving import Answer, answer, per_run, timed_ms


def log(folder: Path, steps: int) -> Answer:
    """`run.log`, until `run.finish` has returned."""
    run = _started(folder)
    started = time.perf_counter()
    for step in range(steps):
        run.log(workload.point(step), step=step)
    run.finish()
    return {"us_per_step": (time.perf_counter() - started) / steps * 1e6}


def runs(folder: Path, count: int) -> Answer:
    """`wandb.init` with the parameters and tags, `log`, `finish`."""

    def run(number: int) -> None:
        tags = [f"{name}={value}" for name, value in workload.tags(number).items()]
        started = _started(folder, config=workload.params(number), tags=tags)
        started.log(workload.results(number))
        started.finish()

    return per_run(run, count)


def start(folder: Path, _count: int) -> Answer:
    """Measure the import, and a run that has its first point."""
    import_ms = timed_ms(lambda: __import__("wandb"))

    def first_run() -> None:
        run = _started(folder, config=workload.params(0))
        run.log(workload.point(0), step=0)
        run.finish()

    return {"import_ms": import_ms, "first_run_ms": timed_ms(first_run)}


def _started(folder: Path, **options: Any) -> Any:
    import wandb

    return wandb.init(project=workload.EXPERIMENT, mode="offline", dir=str(folder), **options)


if __name__ == "__main__":
    answer({"log": log, "runs": runs, "start": start})
