"""What a process pays before its first point is kept."""

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.contestants import BARE, MLFLOW, PODIUM, ROOT, TENSORBOARD, TRACKIO, WANDB
from benchmarks.figures import Chapter, Figure, figure
from benchmarks.plan import Plan, figures_of

NAME = "start"
TARGET_MS = 50.0  # of each: the import, and what start_run finds out about where it runs


def measure(plan: Plan) -> Chapter:
    """Measure the import and the first run of a process, side by side; then what podium's start_run adds to create_run."""
    everybody = (PODIUM, *plan.peers(TRACKIO, WANDB, TENSORBOARD, MLFLOW))
    for who in everybody:  # nobody is charged for compiling, nor for making a database
        if who.is_installed:
            who.ask("start", plan.place(who))
    keys = {"import_ms": "import", "first_run_ms": "first run, one point, finished"}
    figures: list[Figure] = []
    for who, answers in plan.side_by_side("start", [(who, plan.place(who), 1) for who in everybody]):
        figures += figures_of(who, answers, keys)
    looked = [PODIUM.ask("provenance", plan.place(PODIUM) / "provenance") for _ in range(plan.rounds)]
    cases = {"first_ms": "provenance at the first start_run", "again_ms": "provenance at the next"}
    figures += figures_of(PODIUM, looked, cases, targets={"first_ms": TARGET_MS})
    figures += _imports(plan)
    return Chapter(NAME, "import and first run of a process", tuple(figures))


def _imports(plan: Plan) -> Iterator[Figure]:
    """Measure the import where nothing was imported before, beside that of what it cannot do without."""
    names = {PODIUM.title: "tracking", BARE.title: "orjson, dataclasses, json, logging, pathlib, threading"}
    times: dict[str, list[float]] = {who: [] for who in names}
    for _ in range(plan.rounds):
        for who, what in names.items():
            code = (
                f"import time; start = time.perf_counter(); import {what}; print(time.perf_counter() - start)"
            )
            command = [sys.executable, "-c", code]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            times[who].append(float(done.stdout) * 1e3)
    for who, rounds in times.items():
        target = TARGET_MS if who == PODIUM.title else None
        note = "" if target else names[who]
        yield figure("import into an empty process", who, "ms", rounds, target=target, note=note)
