"""Sweeps of the small learner on engines: each is a command in a folder of its own, and leaves its files there."""

import csv
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine_processes import PACKAGES, PATIENCE_S, interpreter

Process = subprocess.Popen[str]
Start = Callable[..., Process]

APP = Path(__file__).parent / "apps" / "learner" / "app.py"
NAME = "hydra.sweeper.name=mine"
GRID = ("-m", "x=0.1,0.3,0.45,0.6,0.8,0.9", NAME)
SEARCH = (
    *("-m", "x=interval(0,1)", "hydra.sweeper.mode=tpe", "hydra.sweeper.n_trials=8"),
    *("hydra.sweeper.schedule=asha", NAME),
)  # fmt: skip
LONG = ("fault=slow", "epochs=4000")  # for minutes


def begin(
    folder: Path, *words: str, start: Start = interpreter, env: Mapping[str, str] | None = None
) -> Process:
    """Start a command of Python in a folder, with the packages that the tests have."""
    folder.mkdir(exist_ok=True)
    env = {**os.environ, "PYTHONPATH": PACKAGES} if env is None else env
    return start(*words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)


def sweep(folder: Path, *words: str, start: Start = interpreter) -> Process:
    """Start a sweep in a folder."""
    return begin(folder, str(APP), *words, start=start)


def end(process: Process) -> str:
    """Wait until a command has succeeded; return what it has said."""
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, out
    return out


def end_stopped(process: Process) -> str:
    """Wait until a sweep that got SIGINT has stopped; return what it has said."""
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, out
    assert "stopped by SIGINT" in out
    return out


def kill(process: Process) -> None:
    process.kill()
    process.communicate()


def board(folder: Path) -> list[dict[str, str]]:
    """Return the leaderboard without what depends on the clock: times, and which run got which name."""
    with (folder / "experiments" / "sweeps" / "mine" / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [{name: value for name, value in row.items() if name not in {"run", "duration_s"}} for row in rows]


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    """Return the events of a kind in the ledger of a sweep, which may be running."""
    try:
        text = (folder / "experiments" / "sweeps" / "mine" / "jobs.jsonl").read_text()
        return [entry for entry in map(json.loads, text.splitlines()) if entry["event"] == kind]
    except (OSError, ValueError):  # it has not begun, or writes a line
        return []
