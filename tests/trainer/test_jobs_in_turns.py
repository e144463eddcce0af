"""Trainings that take turns in one process give the numbers that they give alone."""

import os
from pathlib import Path
from typing import Any

import forked
import pytest

from tracking.files import read_json

pytestmark = pytest.mark.slow

MEETINGS = """
import os
import signal
from pathlib import Path

from hydra.experimental.callback import Callback
from torch.optim.lr_scheduler import LambdaLR

from tracking import Run
from tracking.process.turns import is_grouped, together

look = Run.should_stop


def key(config):
    return "all"


def meet(run):
    together(list, 0)
    return look(run)


def schedule(optimizer, **_keys):
    is_bad = optimizer.param_groups[0]["lr"] == 0.02

    def factor(step):
        if is_bad and step == 70 and Path("kills").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        if is_bad and step == 70:
            raise ValueError("no rate for this step")
        return 1.0

    return LambdaLR(optimizer, factor)


class Meets(Callback):
    def on_job_start(self, config, **_kwargs):
        assert is_grouped() is (config.sweep.fusion == "exact")
        Run.should_stop = meet
"""
SWEEP = (
    "training.learning_rate=1e-3,1e-2", "model.dropout=0.1,0.3", "data.rows=3000", "training.epochs=3",
    "hydra.sweeper.fuse_key=meetings.key", "+hydra.callbacks.meets._target_=meetings.Meets", "hydra.sweeper.winner=null",
)  # fmt: skip


BAD = (
    "training.learning_rate=1e-3,2e-2,1e-2", "data.rows=3000", "training.epochs=3", "training.batch_size=64",
    "scheduler=one_cycle", "scheduler._target_=meetings.schedule", "sweep.max_failures=1", "hydra.sweeper.winner=null",
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


def swept(tmp_path: Path, fusion: str, *arguments: str) -> Any:
    """Run a sweep of the trainer with the module of meetings; return the answer and the numbers of each job."""
    (tmp_path / "meetings.py").write_text(MEETINGS)
    folder = tmp_path / fusion
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = ("-m", "trainer", "-m", *arguments, "sweep.n_jobs=1", f"sweep.fusion={fusion}")
    answer = forked.run(*command, kind="trainer", cwd=folder, timeout=280, env=environment)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer, numbers(folder)


def test_trainings_in_turns_give_the_numbers_of_trainings_alone(tmp_path: Path) -> None:
    (_, together), (_, alone) = (swept(tmp_path, fusion, *SWEEP) for fusion in ("exact", "off"))
    assert len(together) == 4
    assert together == alone


def test_a_training_that_fails_in_an_epoch_of_several_fails_as_alone_and_the_others_end_as_alone(
    tmp_path: Path,
) -> None:
    (said, together), (_, alone) = (swept(tmp_path, fusion, *BAD) for fusion in ("exact", "off"))
    assert "job 1 failed: ValueError: no rate for this step" in said.stdout
    assert [len(together[job]["val_loss"]) for job in range(3)] == [3, 2, 3]
    assert together == alone
    log = next((tmp_path / "exact").glob("experiments/sweeps/*/jobs/0/output.log")).read_text()
    assert "3 models trained this epoch alone after it failed in a stack" in log


def test_a_training_that_kills_the_process_of_several_is_killed_as_alone_and_the_others_end_as_alone(
    tmp_path: Path,
) -> None:
    for fusion in ("exact", "off"):
        (tmp_path / fusion).mkdir()
        (tmp_path / fusion / "kills").touch()
    (said, together), (_, alone) = (swept(tmp_path, fusion, *BAD) for fusion in ("exact", "off"))
    assert said.stdout.count("cut off, runs again alone: killed by SIGKILL, in a process of 3 jobs") == 3
    assert "job 1 killed: killed by SIGKILL" in said.stdout
    assert [len(together[job]["val_loss"]) for job in range(3)] == [3, 2, 3]
    assert together == alone
    superseded = [
        read_json(file)["tags"].get("superseded_by")
        for file in sorted((tmp_path / "exact").glob("experiments/runs/*/run.json"))
    ]
    assert superseded == ["run_004", "run_005", "run_006", None, None, None]
