"""What is paid to record: `log` for one step of three metrics, `runs` for a run that does nothing else."""

from benchmarks.contestants import BARE, MLFLOW, MLFLOW_BATCHED, PODIUM, TENSORBOARD, TRACKIO, WANDB
from benchmarks.figures import Figure
from benchmarks.plan import Plan, Result, Size, in_turn

MAX_RATIO = 3.0  # of a step to the bare write of the same bytes
RUN_MS = 3.0


def log(plan: Plan) -> Result:
    """Measure a step, the closing of the run shared out among its steps. Slow peers get fewer steps."""
    steps, some, few = plan.pick(200, 100_000), plan.pick(20, 20_000), plan.pick(5, 200)
    counts = {
        **{PODIUM: steps, BARE: steps},
        **dict.fromkeys(plan.peers(TRACKIO, TENSORBOARD, WANDB), some),
        **dict.fromkeys(plan.peers(MLFLOW_BATCHED), some // 4),
        **dict.fromkeys(plan.peers(MLFLOW), few),
    }
    asked = plan.side_by_side("log", counts)
    figures: list[Figure] = []
    for who, count in counts.items():
        answers = asked[who.title]
        lost = max((each.get("lost", 0) for each in answers.rounds), default=0)
        note = f"{count:,} steps" + (f", {lost:,} of them lost" if lost else "")
        figures += answers.figures({"us_per_step": "step of 3 metrics, close included"}, note=note)
    own, bare = asked[PODIUM.title], asked[BARE.title]
    figures += own.figures({"us_per_call": "the call alone", "close_ms": "the close alone"})
    if own.rounds and bare.rounds:
        note = f"{own.rounds[0]['bytes'] / bare.rounds[0]['bytes']:.2f} times its bytes"
        figures += own.ratio("podium / bare write", bare, "us_per_step", target=MAX_RATIO, note=note)
    return f"{steps:,} steps x 3 metrics", figures


def runs(plan: Plan) -> Result:
    """Measure a run side by side in new stores, then podium's alone in ever larger ones."""
    count = plan.pick(3, 100)
    counts = {
        **{PODIUM: count, BARE: count},
        **dict.fromkeys(plan.peers(TRACKIO, TENSORBOARD, MLFLOW, MLFLOW_BATCHED), plan.pick(2, 20)),
        **dict.fromkeys(plan.peers(WANDB), plan.pick(2, 5)),
    }
    targets = {"mean_ms": RUN_MS, "median_ms": RUN_MS}
    figures: list[Figure] = []
    for answers in plan.side_by_side("runs", counts).values():
        figures += answers.figures({"mean_ms": "a run in a new store"}, targets=targets)
    larger = [100_000] if plan.size is Size.FULL else []
    for size in (plan.pick(2, 1_000), plan.pick(5, 10_000), *larger):
        grown = plan.alone(PODIUM, "runs", plan.store(PODIUM, size, "grown"), count)
        # the mean has what metadata.json costs, the run in the middle has not
        cases = {
            "mean_ms": f"a run after {size:,}",
            "median_ms": f"the same, the run in the middle of {count}",
        }
        figures += grown.figures(cases, targets=targets, note="{syncs:.3g} fsyncs per run")
    synced = in_turn(plan.rounds, ["disk"], lambda _: BARE.ask("sync", plan.place(BARE, "sync"), 100))
    figures += synced["disk"].figures({"sync_ms": "one fsync of this disk"})
    return "create, 12 parameters, 6 metrics, 3 tags, finish", figures
