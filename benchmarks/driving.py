"""How a tracker is driven: a module of `benchmarks/peers` does tasks, run by that tracker's own interpreter.

    python -m benchmarks.driving DRIVER TASK FOLDER COUNT

prints the answer, a JSON object, as the last line. Times are in the units that the keys name. A task is a function of
the driver, or one of `log`, `runs` and `start` here, which need of the driver

- `PACKAGE`: what its user imports
- `open_run(folder, name, params, tags)`: starts a run; returns its `log(metrics, step=step)` and its `close()`

Standard library only, as is the workload.
"""

import functools
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import workload

MARK = "answer: "

Answer = dict[str, Any]
OpenRun = tuple[Callable[..., Any], Callable[[], Any]]  # the functions that log and close


def main(name: str, task: str, folder: str, count: str) -> None:
    """Do a task and print its answer."""
    driver = importlib.import_module(f"benchmarks.peers.{name}")
    shared = {each.__name__: functools.partial(each, driver) for each in (log, runs, start)}
    print(MARK + json.dumps({**shared, **vars(driver)}[task](Path(folder), int(count))), flush=True)


def log(driver: Any, folder: Path, steps: int) -> Answer:
    """Log steps of three metrics in one run, and close it."""
    opened: OpenRun = driver.open_run(folder, f"log-{os.getpid()}", {}, {})
    return timed_log(*opened, steps)


def runs(driver: Any, folder: Path, count: int) -> Answer:
    """Record runs with parameters, tags and the metrics they come to."""

    def run(number: int) -> None:
        name, params, tags = f"run-{os.getpid()}-{number}", workload.params(number), workload.tags(number)
        log, close = driver.open_run(folder, name, params, tags)
        log(workload.results(number))
        close()

    return per_run(run, count)


def start(driver: Any, folder: Path, _count: int) -> Answer:
    """Measure the import, and a run that has its first point and is closed."""

    def first_run() -> None:
        log, close = driver.open_run(folder, f"start-{os.getpid()}", workload.params(0), {})
        log(workload.point(0), step=0)
        close()

    import_ms = timed_ms(lambda: importlib.import_module(driver.PACKAGE))
    return {"import_ms": import_ms, "first_run_ms": timed_ms(first_run)}


def timed_ms(work: Callable[[], Any]) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


def timed_log(log: Callable[..., Any], close: Callable[[], Any], steps: int) -> Answer:
    """Return how long a step takes with and without its share of the close, and how long the close takes."""
    points = [workload.point(step) for step in range(steps)]
    started = time.perf_counter()
    for step, metrics in enumerate(points):
        log(metrics, step=step)
    logged = time.perf_counter()
    close()
    closed = time.perf_counter()
    return {
        "us_per_step": (closed - started) / steps * 1e6,
        "us_per_call": (logged - started) / steps * 1e6,
        "close_ms": (closed - logged) * 1e3,
    }


def first_and_again(work: Callable[[], Any], times: int = 5) -> Answer:
    """Return how long the first call takes, what it found, and how long the fastest of the next ones takes."""
    found: list[Any] = []
    first_ms = timed_ms(lambda: found.append(work()))
    return {"first_ms": first_ms, "found": found[0], "again_ms": min(timed_ms(work) for _ in range(times))}


def per_run(do: Callable[[int], Any], count: int) -> Answer:
    """Return how long a run takes, over `count` of them: on average, and the run in the middle.

    A first one is not counted: what a process pays once is measured by the benchmark `start`.
    """
    do(count)
    times = sorted(timed_ms(functools.partial(do, number)) for number in range(count))
    return {"mean_ms": sum(times) / count, "median_ms": times[count // 2]}


if __name__ == "__main__":
    main(*sys.argv[1:])
