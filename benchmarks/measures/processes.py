"""What a process pays: `start` for its first point, `commands` for one command from start to end."""

import contextlib
import subprocess
import sys

from benchmarks.contestants import BARE, MLFLOW, PODIUM, ROOT, TENSORBOARD, TRACKIO, WANDB, DriverError
from benchmarks.driving import timed_ms
from benchmarks.figures import Figure
from benchmarks.plan import Plan, Result, in_turn

START_MS = 50.0  # of each: the import, and what start_run finds out about where it runs
COMMAND_MS = 300.0

IMPORTS = {PODIUM.title: "tracking", BARE.title: "orjson, dataclasses, json, logging, pathlib, threading"}
IMPORT = "import time; start = time.perf_counter(); import {}; print((time.perf_counter() - start) * 1e3)"


def start(plan: Plan) -> Result:
    """Measure the import and the first run of a process; then what start_run adds to create_run."""
    everybody = dict.fromkeys((PODIUM, *plan.peers(TRACKIO, WANDB, TENSORBOARD, MLFLOW)), 1)
    for who in everybody:  # compiling and making a database are not part of the figures
        with contextlib.suppress(DriverError):
            who.ask("start", plan.place(who, "start"))
    keys = {"import_ms": "import", "first_run_ms": "first run, one point, finished"}
    figures: list[Figure] = []
    for answers in plan.side_by_side("start", everybody).values():
        figures += answers.figures(keys)
    cases = {"first_ms": "provenance at the first start_run", "again_ms": "provenance at the next"}
    provenance = plan.alone(PODIUM, "provenance", plan.place(PODIUM, "provenance"))
    figures += provenance.figures(cases, targets={"first_ms": START_MS})
    # where nothing was imported before, beside the import of what the tracker cannot do without
    for title, answers in in_turn(plan.rounds, IMPORTS, _import).items():
        note = IMPORTS[title] if title != PODIUM.title else ""
        case = {"ms": "import into an empty process"}
        figures += answers.figures(case, targets={"ms": START_MS}, note=note)
    return "import and first run of a process", figures


def commands(plan: Plan) -> Result:
    """Measure `list`, its output going to a pipe, beside an interpreter that does nothing."""
    runs = plan.pick(5, 10_000)
    store = plan.store(PODIUM, runs)
    PODIUM.ask("best", store)
    lines = {PODIUM.title: ["-m", "tracking", "list", "--store", str(store)], "python": ["-c", "pass"]}
    cases = {PODIUM.title: f"python -m tracking list, {runs:,} runs", "python": "python -c pass"}

    def command(who: str) -> dict[str, float]:
        return {"ms": timed_ms(lambda: _python(*lines[who]))}

    figures: list[Figure] = []
    for who, answers in in_turn(plan.rounds, lines, command).items():
        figures += answers.figures({"ms": cases[who]}, targets={"ms": COMMAND_MS})
    return "whole processes", figures


def _import(who: str) -> dict[str, float]:
    return {"ms": float(_python("-c", IMPORT.format(IMPORTS[who])))}


def _python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout
