"""The contestants, the interpreter that drives each, and how each does a task in a new process."""

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from benchmarks.driving import MARK, Answer

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ENVIRONMENTS = HERE / ".envs"
PINS = HERE / "peers"
SETUP = "python -m benchmarks setup"

# Keeps the peers off the network, and from waiting for it.
QUIET = {
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONWARNINGS": "ignore",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
}


class DriverError(RuntimeError):
    """Raised when a driver gives no answer. The message says why, as the note of a figure."""


class Module(StrEnum):
    """The drivers in `benchmarks/peers`."""

    BARE = "bare"
    MLFLOW = "mlflow"
    PODIUM = "podium"
    TENSORBOARD = "tensorboard"
    TRACKIO = "trackio"
    WANDB = "wandb"

    @property
    def is_ours(self) -> bool:
        """Say whether it runs in the project's own environment."""
        return self in (Module.PODIUM, Module.BARE)

    @property
    def interpreter(self) -> Path:
        """Return the interpreter that drives it."""
        return Path(sys.executable) if self.is_ours else ENVIRONMENTS / self / "bin" / "python"

    @property
    def version(self) -> str:
        """Return the version in its environment, as it is pinned; empty for the bare write."""
        if self is Module.BARE:
            return ""
        if self is Module.PODIUM:
            from tracking.version import __version__

            return __version__
        pins = dict(line.split("==") for line in (PINS / f"{self}.txt").read_text().split())
        return pins[self]


@dataclass(frozen=True)
class Contestant:
    """One way of doing the work with one tracker; `suffix` picks its tasks in the driver."""

    title: str
    module: Module
    suffix: str = ""

    def ask(self, task: str, folder: Path, count: int = 1) -> Answer:
        """Do a task in a new process; return its answer, with how long the process took. Raise DriverError without one."""
        if not self.module.interpreter.exists():
            raise DriverError(f"skipped: not installed ({SETUP})")
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            self.module.interpreter,
            "-m",
            "benchmarks.driving",
            self.module,
            task + self.suffix,
            folder,
        ]
        started = time.monotonic()
        done = subprocess.run(
            [*map(str, command), str(count)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env={**os.environ, **QUIET, "TRACKIO_DIR": str(folder)},
            check=False,
        )
        answers = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
        if done.returncode or not answers:
            said = _said(done.stderr)
            raise DriverError(f"failed: {self.title}, {task}: exit code {done.returncode}, {said}")
        return {**json.loads(answers[-1].removeprefix(MARK)), "process_s": time.monotonic() - started}


def _said(text: str) -> str:
    """Return the line of a traceback that names the exception, else the last one."""
    lines = text.strip().splitlines() or ["no output"]
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Exit)\b", line)]
    return (named or lines)[-1]


PODIUM = Contestant("podium", Module.PODIUM)
BARE = Contestant("bare write", Module.BARE)
MLFLOW = Contestant("MLflow (SQLite)", Module.MLFLOW)
MLFLOW_BATCHED = Contestant("MLflow, log_batch", Module.MLFLOW, "_batched")
TENSORBOARD = Contestant("TensorBoard", Module.TENSORBOARD)
TRACKIO = Contestant("Trackio", Module.TRACKIO)
WANDB = Contestant("W&B offline", Module.WANDB)
