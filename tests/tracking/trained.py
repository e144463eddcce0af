"""What trainings of frameworks have logged, and trainings that are scripts."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tracking import ExperimentTracker, RunRecord
from tracking.integrations.training import Training

ROOT = Path(__file__).resolve().parents[2]
JOB = {"sweep": "first", "job": 0, "key": "k", "config_hash": "h"}


def only(tracker: ExperimentTracker) -> RunRecord:
    """Return the one run of a store."""
    (record,) = tracker.records()
    return record


def last(tracker: ExperimentTracker) -> RunRecord:
    """Return the last run of a store."""
    return list(tracker.records())[-1]


def points(tracker: ExperimentTracker, metric: str) -> list[tuple[Any, float]]:
    """Return the steps and values of a metric of the last run."""
    run = tracker.get_run(last(tracker).run_id)
    assert run is not None
    return [(point["step"], point["value"]) for point in run["metrics"][metric]]


def run_script(
    code: str, folder: Path, *words: str, launcher: tuple[str, ...] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run code as script.py in a folder, with these words and variables; a launcher is what Python runs it with."""
    (folder / "script.py").write_text(code)
    return subprocess.run(
        [sys.executable, *launcher, "script.py", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=280,
    )


def recorded(tracker: ExperimentTracker) -> list[RunRecord]:
    """Return the runs of a store."""
    return list(tracker.records())


def train(training: Training, losses: tuple[float, ...] = (1.0, 0.5)) -> None:
    """Train for an epoch per loss."""
    training.begin({"lr": 0.1})
    for step, loss in enumerate(losses):
        training.log({"loss": loss}, step)
    training.end()


class Fitted:
    """A search that was fitted, as far as `log_search` looks at it."""

    cv_results_ = {"params": [{"C": 1}], "mean_test_score": [0.5]}  # noqa: RUF012 - as searches have it
