"""How long a filtered search takes."""

from benchmarks.contestants import MLFLOW, PODIUM
from benchmarks.figures import Chapter, Figure
from benchmarks.plan import Plan, figures_of

NAME = "search"
TARGET_MS = 50.0


def measure(plan: Plan) -> Chapter:
    """Measure a condition each on a metric, a parameter and a tag: the first in a process, and again."""
    figures: list[Figure] = []
    runs, fewer = plan.pick(5, 10_000), plan.pick(3, 1_000, 10_000)
    for size in sorted({fewer, runs}):
        peers = plan.peers(MLFLOW) if size == fewer else ()
        keys = {"first_ms": f"first in a process, {size:,} runs", "again_ms": f"again, {size:,} runs"}
        targets = dict.fromkeys(keys, TARGET_MS)
        for who, answers in plan.side_by_side("search", [(who, None, size) for who in (PODIUM, *peers)]):
            note = "" if isinstance(answers, str) else f"{answers[0]['found']:,} found"
            figures += figures_of(who, answers, keys, targets=targets, note=note)
            if who is PODIUM and size == runs:
                ordered = {"ordered_ms": f"ordered, the first 20, {size:,} runs"}
                figures += figures_of(who, answers, ordered, targets={"ordered_ms": TARGET_MS})
    return Chapter(NAME, "runs by metric, parameter and tag", tuple(figures))
