"""Who takes part, which interpreter drives each, and how each is asked."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.driving import MARK

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ENVIRONMENTS = HERE / ".envs"
PINS = HERE / "peers"
SETUP = "python -m benchmarks setup"

# Nobody uses the network, and nobody is slowed down by trying to.
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
    """A driver did not answer; the message has the end of what it said."""


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
        """Whether it runs in the project's own environment."""
        return self in (Module.PODIUM, Module.BARE)

    @property
    def interpreter(self) -> Path:
        """The interpreter that drives it."""
        return Path(sys.executable) if self.is_ours else ENVIRONMENTS / self / "bin" / "python"

    @property
    def version(self) -> str:
        """The version in its environment, as it is pinned."""
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

    @property
    def is_installed(self) -> bool:
        """Whether it can take part."""
        return self.module.interpreter.exists()

    def ask(self, task: str, folder: Path, count: int = 1) -> dict[str, Any]:
        """Do a task in a new process; its answer. DriverError when there is none."""
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            str(self.module.interpreter),
            "-m",
            f"benchmarks.peers.{self.module}",
            task + self.suffix,
            str(folder),
            str(count),
        ]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **QUIET}, check=False
        )
        answers = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
        if done.returncode or not answers:
            raise DriverError(f"{self.title}, {task}: exit code {done.returncode}, {_said(done.stderr)}")
        answer: dict[str, Any] = json.loads(answers[-1].removeprefix(MARK))
        return answer


def _said(text: str) -> str:
    """Return the line of a traceback that names the exception, else the last one."""
    lines = text.strip().splitlines() or ["nothing said"]
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Exit)\b", line)]
    return (named or lines)[-1]


PODIUM = Contestant("podium", Module.PODIUM)
BARE = Contestant("bare write", Module.BARE)
MLFLOW = Contestant("MLflow (SQLite)", Module.MLFLOW)
MLFLOW_BATCHED = Contestant("MLflow, log_batch", Module.MLFLOW, "_batched")
TENSORBOARD = Contestant("TensorBoard", Module.TENSORBOARD)
TRACKIO = Contestant("Trackio", Module.TRACKIO)
WANDB = Contestant("W&B offline", Module.WANDB)
