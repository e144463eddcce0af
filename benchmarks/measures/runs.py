"""What a run costs that does nothing but be recorded, and whether that grows with the store."""

from benchmarks.contestants import BARE, MLFLOW, MLFLOW_BATCHED, PODIUM, TENSORBOARD, TRACKIO, WANDB
from benchmarks.figures import Chapter, Figure, figure
from benchmarks.plan import Plan, Size, figures_of

NAME = "runs"
TARGET_MS = 3.0
SMALL = "a run in a new store"


def measure(plan: Plan) -> Chapter:
    """Side by side in new stores, then podium alone in ever larger ones."""
    count = plan.pick(3, 100)
    work = [
        (PODIUM, plan.place(PODIUM) / "runs", count),
        (BARE, plan.place(BARE), count),
        *((who, plan.place(who), plan.pick(2, 20)) for who in plan.peers(TRACKIO, TENSORBOARD)),
        *((who, plan.place(who), plan.pick(2, 20)) for who in plan.peers(MLFLOW, MLFLOW_BATCHED)),
        *((who, plan.place(who), plan.pick(2, 5)) for who in plan.peers(WANDB)),
    ]
    figures: list[Figure] = []
    for who, answers in plan.side_by_side("runs", work):
        figures += figures_of(who, answers, {"mean_ms": SMALL}, targets={"mean_ms": TARGET_MS})
    for runs in _sizes(plan):
        figures += _at(plan, runs, count)
    synced = [BARE.ask("sync", plan.place(BARE), 100)["sync_ms"] for _ in range(plan.rounds)]
    figures.append(figure("one fsync of this disk", "disk", "ms", synced))
    return Chapter(NAME, "create, 12 parameters, 6 metrics, 3 tags, finish", tuple(figures))


def _at(plan: Plan, runs: int, count: int) -> list[Figure]:
    """Measure the cost at a size, on average with what metadata.json costs, and of the run in the middle."""
    folder = plan.store(PODIUM, runs, "grown")
    answers = [PODIUM.ask("runs", folder, count) for _ in range(plan.rounds)]
    cases = {"mean_ms": f"a run after {runs:,}", "median_ms": f"the same, the run in the middle of {count}"}
    note = f"{answers[0]['syncs']:.3g} fsyncs per run"
    targets = {"mean_ms": TARGET_MS, "median_ms": TARGET_MS}
    return list(figures_of(PODIUM, answers, cases, targets=targets, note=note))


def _sizes(plan: Plan) -> list[int]:
    sizes = [plan.pick(2, 1_000), plan.pick(5, 10_000)]
    return [*sizes, 100_000] if plan.size is Size.FULL else sizes
