"""A sweep of the trainer that is killed again and again ends with the numbers of one that never was, to the last digit."""

import os
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import forked
import pytest

from tracking.files import read_json

ROOT = Path(__file__).resolve().parents[3]
EPOCHS, JITTER_S = 2, 0.15  # a life ends within so many epochs and so much more
SWEEP = (
    "-m", "trainer", "-m", "model.dropout=0.1,0.3", "optimizer=adam,sgd", "scheduler=constant,plateau",
    "data.rows=6000", "training.early_stopping_patience=20", "training.checkpoint_every_s=0",
    "sweep.n_jobs=2", "sweep.name=mine", "promotion.promote=false",
)  # fmt: skip


def start(folder: Path, *command: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    with (folder / "output.log").open("ab") as output:
        return forked.start(
            *command,
            kind="trainer",
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )


def logs(folder: Path) -> str:
    return "".join(log.read_text() for log in folder.glob("experiments/sweeps/mine/jobs/*/output.log"))


def trained(folder: Path) -> int:
    return logs(folder).count("] - epoch ")


def results(folder: Path) -> list[tuple[Any, ...]]:
    rows = read_json(folder / "experiments" / "sweeps" / "mine" / "leaderboard.json")["rows"]
    keys = ("rank", "job", "point", "objective", "metrics", "epochs", "status", "error")
    return [tuple(row[key] for key in keys) for row in rows]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("kills", "epochs"),
    [pytest.param(3, 6, marks=pytest.mark.slow), pytest.param(20, 20, marks=pytest.mark.exhaustive)],
)
def test_a_sweep_killed_at_random_moments_ends_with_the_same_numbers(
    tmp_path: Path, kills: int, epochs: int
) -> None:
    sweep = (*SWEEP, f"training.epochs={epochs}")
    moments = random.Random(20)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(whole, *sweep).wait() == 0, (whole / "output.log").read_text()
    life, killed = start(broken, *sweep), 0
    while killed < kills and life.poll() is None:
        enough = trained(broken) + moments.randint(1, EPOCHS)
        while trained(broken) < enough and life.poll() is None:
            time.sleep(0.01)
        try:
            life.wait(moments.uniform(0, JITTER_S))
        except subprocess.TimeoutExpired:
            life.kill()
            life.wait()
            killed += 1
            life = start(broken, "-m", "sweeps", "resume", "mine")
    assert life.wait() == 0, (broken / "output.log").read_text()
    assert killed == kills
    assert results(broken) == results(whole)
    assert "continuing after epoch" in logs(broken)
    assert not list(broken.rglob("checkpoint.pt"))
