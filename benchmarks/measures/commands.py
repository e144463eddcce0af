"""How long a command takes, from its start to its end."""

import functools
import subprocess
import sys

from benchmarks.contestants import PODIUM, ROOT
from benchmarks.driving import timed_ms
from benchmarks.figures import Chapter, figure
from benchmarks.plan import Plan

NAME = "commands"
TARGET_MS = 300.0


def measure(plan: Plan) -> Chapter:
    """`list`, its output going to a pipe, beside an interpreter that does nothing."""
    runs = plan.pick(5, 10_000)
    store = plan.store(PODIUM, runs)
    PODIUM.ask("best", store)
    commands = {
        f"python -m tracking list, {runs:,} runs": ["-m", "tracking", "list", "--store", str(store)],
        "python -c pass": ["-c", "pass"],
    }
    times: dict[str, list[float]] = {case: [] for case in commands}
    for _ in range(plan.rounds):
        for case, arguments in commands.items():
            command = [sys.executable, *arguments]
            times[case].append(timed_ms(functools.partial(_run, command)))
    figures = [
        figure(case, PODIUM.title if target else "python", "ms", rounds, target=target)
        for (case, rounds), target in zip(times.items(), (TARGET_MS, None), strict=True)
    ]
    return Chapter(NAME, "whole processes", tuple(figures))


def _run(command: list[str]) -> None:
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
