"""What a process pays before its first point is kept."""

from benchmarks.contestants import MLFLOW, PODIUM, TENSORBOARD, TRACKIO, WANDB
from benchmarks.figures import Chapter, Figure
from benchmarks.plan import Plan, figures_of

NAME = "start"
TARGET_MS = 50.0  # of each: the import, and what start_run finds out about where it runs


def measure(plan: Plan) -> Chapter:
    """The import and the first run of a process, side by side; then what podium's start_run adds to create_run."""
    everybody = (PODIUM, *plan.peers(TRACKIO, WANDB, TENSORBOARD, MLFLOW))
    for who in everybody:  # nobody is charged for compiling, nor for making a database
        if who.is_installed:
            who.ask("start", plan.place(who))
    keys = {"import_ms": "import", "first_run_ms": "first run, one point, finished"}
    figures: list[Figure] = []
    for who, answers in plan.side_by_side("start", [(who, plan.place(who), 1) for who in everybody]):
        figures += figures_of(who, answers, keys, targets={"import_ms": TARGET_MS})
    looked = [PODIUM.ask("provenance", plan.place(PODIUM) / "provenance") for _ in range(plan.rounds)]
    cases = {"first_ms": "provenance at the first start_run", "again_ms": "provenance at the next"}
    figures += figures_of(PODIUM, looked, cases, targets={"first_ms": TARGET_MS})
    return Chapter(NAME, "import and first run of a process", tuple(figures))
