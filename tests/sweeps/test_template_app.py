"""A training app as a widely used template lays it out, alone and as a sweep, without a line of podium's in its task.

It finds its root and sets the path before it imports itself, instantiates what its configs name, loads data in forked
workers, saves whole models into the output folder of the job, and returns the metric that the config names.
"""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import forked
import pytest

from tracking.files import read_json, read_lines

APP = Path(__file__).parent / "apps" / "moons"
EXPERIMENT = "experiment=narrow"
SWEEP = ("-m", EXPERIMENT, "hparams_search=podium", "hydra.launcher.n_jobs=1", "hydra.sweeper.name=mine")
PATIENCE_S = 240.0

pytestmark = pytest.mark.slow


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    answer = forked.run(*arguments, kind="trainer", cwd=folder, timeout=PATIENCE_S)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after a sweep that was killed after its first job and resumed."""
    folder = tmp_path_factory.mktemp("template") / "project"
    shutil.copytree(APP, folder)
    ledger = folder / "experiments" / "sweeps" / "mine" / "jobs.jsonl"
    process = forked.start(
        "src/train.py",
        *SWEEP,
        kind="trainer",
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + PATIENCE_S
    while not any(event["event"] == "finished" for event in read_lines(ledger)):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)
    run(folder, "-m", "sweeps", "resume", "mine")
    return folder


@pytest.fixture(scope="module")
def rows(project: Path) -> list[dict[str, Any]]:
    board = read_json(project / "experiments" / "sweeps" / "mine" / "leaderboard.json")
    return sorted(board["rows"], key=lambda row: row["job"])


def logged(output_dir: Path) -> list[list[str]]:
    with (output_dir / "csv" / "metrics.csv").open(newline="") as stream:
        return list(csv.reader(stream))


def test_every_job_completes_and_one_that_had_ended_is_not_run_again(
    project: Path, rows: list[dict[str, Any]]
) -> None:
    assert [row["status"] for row in rows] == ["completed"] * 4
    assert [row["point"] for row in rows] == [
        {"model.optimizer.lr": lr, "seed": seed} for lr in (0.01, 0.1) for seed in (12345, 12346)
    ]
    events = list(read_lines(project / "experiments" / "sweeps" / "mine" / "jobs.jsonl"))
    assert sum(event["event"] == "started" and event["job"] == 0 for event in events) == 1


def test_a_job_has_the_numbers_of_the_app_alone(project: Path, rows: list[dict[str, Any]]) -> None:
    for row in (rows[0], rows[3]):
        point = [f"{key}={value}" for key, value in row["point"].items()]
        alone = project / f"alone-{row['job']}"
        run(
            project,
            "src/train.py",
            EXPERIMENT,
            *point,
            "optimized_metric=val/loss",
            f"hydra.run.dir={alone}",
        )
        in_a_job = project / "experiments" / "sweeps" / "mine" / "jobs" / str(row["job"])
        assert logged(in_a_job) == logged(alone)
        last = [float(value) for _, name, value in logged(alone) if name == "val/loss"][-1]
        assert row["objective"] == last


def test_what_a_job_writes_is_in_its_own_output_folder(project: Path) -> None:
    for job in range(4):
        folder = project / "experiments" / "sweeps" / "mine" / "jobs" / str(job)
        for name in ("checkpoints/best.ckpt", "config_tree.log", "tags.log", "train.log"):
            assert (folder / name).exists(), name
        assert f"output_dir: {folder}" in (folder / "config_tree.log").read_text()
        assert f"Output dir: {folder}" in (folder / "train.log").read_text()


def test_a_saved_model_can_be_loaded_by_the_projects_own_code(project: Path) -> None:
    code = (
        "import sys, torch; sys.path.insert(0, '.'); model = torch.load(sys.argv[1], weights_only=False); "
        "print(type(model).__module__, tuple(model(torch.zeros(3, 2)).shape))"
    )
    best = project / "experiments" / "sweeps" / "mine" / "jobs" / "2" / "checkpoints" / "best.ckpt"
    assert run(project, "-c", code, str(best)).stdout == "src.models.classifier (3, 2)\n"


def test_runs_that_differ_in_their_seed_alone_are_one_group_although_each_has_its_folder(
    project: Path, rows: list[dict[str, Any]]
) -> None:
    answer = run(project, "-m", "tracking", "compare", "train", "--grouped", "--json")
    groups = json.loads(answer.stdout)["groups"]
    by_rate = {
        rate: {row["run"] for row in rows if row["point"]["model.optimizer.lr"] == rate}
        for rate in (0.01, 0.1)
    }
    assert {group["model.optimizer.lr"]: set(group["run_ids"]) for group in groups} == by_rate
    assert [group["n"] for group in groups] == [2, 2]


def test_nothing_of_the_output_folder_is_a_difference_between_runs(project: Path) -> None:
    answer = run(project, "-m", "tracking", "compare", "train", "--differing", "--json")
    names = {name for found in json.loads(answer.stdout)["runs"] for name in found}
    assert {"model.optimizer.lr", "seed"} <= names
    assert not [name for name in names if name.startswith(("paths.", "callbacks.", "logger.", "trainer."))]


def test_the_app_is_tracked_alone_too_and_needs_no_folder_of_its_own(project: Path) -> None:
    elsewhere = project.parent / "elsewhere"
    elsewhere.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PROJECT_ROOT"}
    subprocess.run(
        [
            sys.executable,
            str(project / "src" / "train.py"),
            EXPERIMENT,
            "hydra/callbacks=podium",
            "trainer.max_epochs=1",
        ],
        cwd=elsewhere,
        env=environment,
        check=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    summary = read_json(elsewhere / "experiments" / "runs" / "run_001" / "summary.json")["metrics"]
    assert {"train_loss", "val_loss", "val_acc", "test_loss", "test_acc"} <= set(summary)
