"""Trainings that take turns in one process give the numbers that they give alone."""

import os
from pathlib import Path
from typing import Any

import forked
import pytest

from tracking.files import read_json

pytestmark = pytest.mark.slow

MEETINGS = """
from hydra.experimental.callback import Callback

from tracking import Run
from tracking.process.turns import is_grouped, together

look = Run.should_stop


def key(config):
    return "all"


def meet(run):
    together(list, 0)
    return look(run)


class Meets(Callback):
    def on_job_start(self, config, **_kwargs):
        assert is_grouped() is (config.sweep.fusion == "exact")
        Run.should_stop = meet
"""
SWEEP = (
    "-m", "training.learning_rate=1e-3,1e-2", "model.dropout=0.1,0.3", "data.rows=3000", "training.epochs=3",
    "sweep.n_jobs=1", "hydra.sweeper.fuse_key=meetings.key", "+hydra.callbacks.meets._target_=meetings.Meets",
)  # fmt: skip


def numbers(folder: Path) -> dict[int, Any]:
    (sweep,) = (folder / "experiments" / "sweeps").iterdir()
    rows = read_json(sweep / "leaderboard.json")["rows"]
    runs = {row["job"]: folder / "experiments" / "runs" / row["run"] for row in rows}
    return {
        job: {
            name: [point["value"] for point in points]
            for name, points in read_json(run / "metrics.json").items()
            if not name.endswith(("_s", "seconds"))
        }
        for job, run in runs.items()
    }


def test_trainings_in_turns_give_the_numbers_of_trainings_alone(tmp_path: Path) -> None:
    (tmp_path / "meetings.py").write_text(MEETINGS)
    found = {}
    for fusion in ("exact", "off"):
        folder = tmp_path / fusion
        folder.mkdir()
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        command = ("-m", "trainer", *SWEEP, f"sweep.fusion={fusion}")
        answer = forked.run(*command, kind="trainer", cwd=folder, timeout=280, env=environment)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        found[fusion] = numbers(folder)
    assert len(found["exact"]) == 4
    assert found["exact"] == found["off"]
