"""Questions to stores of many runs: `best`, `search`, `table`, and the read `index` that answers them."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.contestants import MLFLOW, PODIUM, TRACKIO, Contestant
from benchmarks.figures import Figure
from benchmarks.plan import Plan, Result, Size

LARGE = 100_000  # runs, where the size is full
BUILD_MS = 5000.0


@dataclass(frozen=True)
class Question:
    """A task that reads: what it asks, which peers can answer, and what podium promises.

    `note` is a format of the answer. `more` are cases that only podium has, in the larger store. `large` are the
    targets in a store of LARGE runs; without them, it is not asked there.
    """

    title: str
    peers: tuple[Contestant, ...]
    targets: Mapping[str, float]
    note: str = ""
    more: Mapping[str, str] = field(default_factory=dict)
    large: Mapping[str, float] = field(default_factory=dict)


QUESTIONS = {
    "best": Question(
        "the best run by its last val_auc",
        (MLFLOW, TRACKIO),
        {"first_ms": 50.0, "again_ms": 5.0},
        large={"again_ms": 100.0},
    ),
    "search": Question(
        "runs by metric, parameter and tag",
        (MLFLOW,),
        {"first_ms": 50.0, "again_ms": 50.0, "ordered_ms": 50.0},
        "{found:,} found",
        {"ordered_ms": "ordered, the first 20, {:,} runs"},
    ),
    "table": Question(
        "all runs with 18 values each as a DataFrame",
        (MLFLOW, TRACKIO),
        {"first_ms": 600.0},
        "{found[0]:,} x {found[1]}",
        {"pandas_ms": "the import of pandas"},
    ),
}


def put(task: str, plan: Plan) -> Result:
    """Put a question twice in a new process, after its import. Peers have fewer runs to look through."""
    question = QUESTIONS[task]
    runs, fewer = plan.pick(5, 10_000), plan.pick(3, 1_000, 10_000)
    large = {LARGE} if question.large and plan.size is Size.FULL else set()
    figures: list[Figure] = []
    for size in sorted({fewer, runs} | large):
        PODIUM.ask("best", plan.store(PODIUM, size))  # makes the index, which is measured by `index`
        peers = plan.peers(*question.peers) if size == fewer else ()
        asked = plan.side_by_side(task, dict.fromkeys((PODIUM, *peers), size), stored=True)
        cases = {"first_ms": f"first in a process, {size:,} runs", "again_ms": f"again, {size:,} runs"}
        targets = question.large if size == LARGE else question.targets
        for answers in asked.values():
            figures += answers.figures(cases, targets=targets, note=question.note)
            if answers.who == PODIUM.title and size == runs:
                more = {key: case.format(size) for key, case in question.more.items()}
                figures += answers.figures(more, targets=targets)
    return question.title, figures


best, search, table = (functools.partial(put, task) for task in QUESTIONS)


def index(plan: Plan) -> Result:
    """Measure the first question ever, then the next question after 1, 10 and 100 finished runs got a new tag."""
    runs = plan.pick(5, 10_000)
    figures: list[Figure] = []
    for size in (runs, LARGE) if plan.size is Size.FULL else (runs,):
        built = plan.alone(PODIUM, "index", plan.store(PODIUM, size))
        targets = {"first_ms": BUILD_MS} if size == runs else {}
        figures += built.figures({"first_ms": f"first build, {size:,} runs"}, targets=targets)
    for changed in (1, plan.pick(2, 10), plan.pick(3, 100)):
        again = plan.alone(PODIUM, "refresh", plan.store(PODIUM, runs), changed)
        figures += again.figures({"first_ms": f"best run after {changed} changed, {runs:,} runs"})
    return "the read index, as part of a question", figures
