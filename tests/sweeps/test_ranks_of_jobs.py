"""A further rank of a job, started with the command of the sweep as Lightning does, does its part of the job and sweeps nothing."""

from pathlib import Path

from scripts import LAUNCH, call, events, logs, write_app

from tracking import ExperimentTracker
from tracking.files import read_json

TOP = """
import os, subprocess, sys
from omegaconf import OmegaConf
from tracking import active_run
"""
TASK = """
    if os.environ.get("LOCAL_RANK"):
        active_run().log({"further": cfg.x, "seen": cfg.get("y", 0)})
        return 7.0
    active_run().log({"first": cfg.x})
    command = [sys.executable, *sys.argv, "hydra.run.dir=ranks", "hydra.job.name=rank_1", "hydra.output_subdir=null"]
    subprocess.run(command, env={**os.environ, "LOCAL_RANK": "1"}, check=True)
"""
COMMAND = ("app.py", *LAUNCH, "hydra/callbacks=podium")


def test_a_further_rank_runs_the_task_with_the_config_of_its_job(tmp_path: Path) -> None:
    write_app(tmp_path, top=TOP, task=TASK)
    call(tmp_path, *COMMAND, "+y=5")
    (sweep,) = tmp_path.glob("experiments/sweeps/*")
    rows = read_json(sweep / "leaderboard.json")["rows"]
    assert [row["objective"] for row in rows] == [1.0, 1.0]  # what the first rank returns
    summaries = [record.last_values for record in ExperimentTracker(tmp_path / "experiments").records()]
    assert sorted((each["first"], each["further"], each["seen"]) for each in summaries) == [
        (1, 1, 5),
        (2, 2, 5),
    ]
    assert sum(event["event"] == "run" for event in events(tmp_path)) == 2


def test_a_further_rank_that_cannot_know_the_config_says_so(tmp_path: Path) -> None:
    write_app(tmp_path, top=TOP, task=TASK)
    call(tmp_path, *COMMAND, "+db_password=hunter2", "hydra.sweeper.max_failures=2")
    said = "a further rank of job 0 does not know the config of the job: its overrides hold a secret"
    assert said in logs(tmp_path)[0]
    assert len([*tmp_path.glob("experiments/sweeps/*")]) == 1
