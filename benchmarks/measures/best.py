"""How long it takes to find the best run."""

from benchmarks.contestants import MLFLOW, PODIUM, TRACKIO
from benchmarks.figures import Chapter, Figure
from benchmarks.plan import Plan, Size, figures_of

NAME = "best"
FIRST_MS, AGAIN_MS = 50.0, 5.0
LARGE, LARGE_MS = 100_000, 100.0


def measure(plan: Plan) -> Chapter:
    """Measure a new process, after its import: the first question, and the same again. Peers have fewer runs to look through."""
    figures: list[Figure] = []
    runs, fewer = plan.pick(5, 10_000), plan.pick(3, 1_000, 10_000)
    sizes = sorted({fewer, runs} | ({LARGE} if plan.size is Size.FULL else set()))
    for size in sizes:
        peers = plan.peers(MLFLOW, TRACKIO) if size == fewer else ()
        PODIUM.ask(
            "best", plan.store(PODIUM, size)
        )  # who makes the index is the matter of the benchmark `index`
        keys = {"first_ms": f"first in a process, {size:,} runs", "again_ms": f"again, {size:,} runs"}
        targets = {"first_ms": FIRST_MS, "again_ms": AGAIN_MS} if size != LARGE else {"again_ms": LARGE_MS}
        for who, answers in plan.side_by_side("best", [(who, None, size) for who in (PODIUM, *peers)]):
            figures += figures_of(who, answers, keys, targets=targets)
    return Chapter(NAME, "the best run by its last val_auc", tuple(figures))
