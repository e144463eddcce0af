"""How long a table of all runs takes."""

from benchmarks.contestants import MLFLOW, PODIUM, TRACKIO
from benchmarks.figures import Chapter, Figure
from benchmarks.plan import Plan, figures_of

NAME = "table"
TARGET_MS = 600.0


def measure(plan: Plan) -> Chapter:
    """12 parameters and 6 metrics of each run as a DataFrame; pandas is imported before."""
    figures: list[Figure] = []
    runs, fewer = plan.pick(5, 10_000), plan.pick(3, 1_000, 10_000)
    for size in sorted({fewer, runs}):
        peers = plan.peers(MLFLOW, TRACKIO) if size == fewer else ()
        for who, answers in plan.side_by_side("table", [(who, None, size) for who in (PODIUM, *peers)]):
            shape = "" if isinstance(answers, str) else f"{answers[0]['rows']:,} x {answers[0]['columns']}"
            keys = {"first_ms": f"first in a process, {size:,} runs", "again_ms": f"again, {size:,} runs"}
            figures += figures_of(who, answers, keys, targets={"first_ms": TARGET_MS}, note=shape)
            if who is PODIUM and size == runs:
                figures += figures_of(who, answers, {"pandas_ms": "the import of pandas"})
    return Chapter(NAME, "all runs with 18 values each as a DataFrame", tuple(figures))
