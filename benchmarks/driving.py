"""What a driver is: a module that does tasks with one tracker, run by that tracker's own interpreter.

    python -m benchmarks.peers.NAME TASK FOLDER COUNT

prints its answer, a JSON object, as the last line. Times are in the units that the keys name.
Standard library only, as is the workload.
"""

import functools
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

MARK = "answer: "

Answer = dict[str, Any]
Task = Callable[[Path, int], Answer]


def answer(tasks: Mapping[str, Task]) -> None:
    """Do the task named on the command line and print its answer."""
    name, folder, count = sys.argv[1:]
    print(MARK + json.dumps(tasks[name](Path(folder), int(count))), flush=True)


def timed_ms(work: Callable[[], Any]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


def first_and_again(work: Callable[[], Any], times: int = 5) -> Answer:
    """How long the first call takes, and the fastest of the next ones."""
    return {"first_ms": timed_ms(work), "again_ms": min(timed_ms(work) for _ in range(times))}


def timed_table(work: Callable[[], tuple[int, int]]) -> Answer:
    """How long a table takes, the first time and again; `work` gives its rows and columns."""
    shapes: list[tuple[int, int]] = []
    took = first_and_again(lambda: shapes.append(work()), times=1)
    return {**took, "rows": shapes[0][0], "columns": shapes[0][1]}


def per_run(do: Callable[[int], Any], count: int) -> Answer:
    """How long a run takes, over `count` of them: on average, and the run in the middle.

    A first one is not counted: what a process pays once is the matter of the benchmark `start`.
    """
    do(count)
    times = sorted(timed_ms(functools.partial(do, number)) for number in range(count))
    return {"mean_ms": sum(times) / count, "median_ms": times[count // 2]}
