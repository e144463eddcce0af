"""A Hydra app with the tracking callback: the runs of its jobs, and how errors of the tracking are reported."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hydra_plugins.podium.versions import current_defaults
from tracking import ExperimentTracker, RunRecord

CONFIG = """
defaults:
  - override hydra/callbacks: podium
  - _self_
x: 1
model: {layers: [8, 4], rate: 0.1, twice: "${x}"}
db: {password: hunter2}
does: nothing
paths: {data: data, output: "${hydra:runtime.output_dir}", checkpoints: "${.output}/checkpoints"}
name: x${x}_${now:%f}
size: 1180591620717411303424
"""
APP = """
import os, sys
import hydra
from hydra.core.hydra_config import HydraConfig
from tracking import active_run

@hydra.main(config_path=".", config_name="config", version_base="1.3")
def main(cfg):
    print("the task began")
    if cfg.does == "raise":
        raise ValueError("no such luck")
    if cfg.does == "exit":
        sys.exit(3)
    if cfg.does == "leave":
        sys.exit(0)
    if cfg.does == "terminate":
        os.kill(os.getpid(), 15)
    if cfg.does == "log":
        active_run().log({"loss": cfg.x}, step=0)
    if cfg.does == "mapping":
        return {"loss": 0.5, "note": "text", "auc": 0.75}
    if cfg.does == "tuple":
        return 0.5, {"acc": 0.75}, "text"
    if cfg.does == "text":
        return "done"
    if cfg.does == "break_the_run":
        (active_run().run_dir / "run.json").unlink()
        (active_run().run_dir / "run.json").mkdir()
    return float(cfg.x)

if __name__ == "__main__":
    main()
"""
Answer = subprocess.CompletedProcess[str]


@pytest.fixture
def app(tmp_path: Path) -> Callable[..., Answer]:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "config.yaml").write_text(CONFIG)

    def app(*arguments: str) -> Answer:
        return subprocess.run(
            [sys.executable, "app.py", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )

    return app


def records(folder: Path) -> list[RunRecord]:
    return ExperimentTracker(folder / "experiments").records()


def test_a_run_keeps_the_config_and_what_the_task_returned(app: Callable, tmp_path: Path) -> None:
    answer = app("x=3")
    assert answer.returncode == 0, answer.stderr
    (record,) = records(tmp_path)
    assert (record.experiment_name, record.status) == ("app", "completed")
    assert record.params["x"] == record.params["model.twice"] == 3
    assert record.params["model.layers"] == [8, 4]
    assert record.summary["objective"].last == 3.0
    folder = tmp_path / "experiments" / "runs" / record.run_id
    assert "x: 3" in (folder / "config.yaml").read_text()
    assert "x=3" in (folder / "overrides.yaml").read_text()
    assert "the task began" in (folder / "stdout.log").read_text()
    assert not [path for path in folder.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]


def test_what_hydra_derives_for_each_job_is_in_the_config_and_no_parameter(
    app: Callable, tmp_path: Path
) -> None:
    answer = app("-m", "x=1,2", "does=nothing,log", "+number='${hydra:job.num}'")
    assert answer.returncode == 0, answer.stderr
    for record in records(tmp_path):
        assert {name: value for name, value in record.params.items() if not name.startswith("model")} == {
            "x": record.params["x"],
            "does": record.params["does"],
            "db.password": "***",
            "paths.data": "data",
            "size": 2**70,
        }
        config = (tmp_path / "experiments" / "runs" / record.run_id / "config.yaml").read_text()
        assert "output: ${hydra:runtime.output_dir}" in config
        assert "number: ${hydra:job.num}" in config
    shown = subprocess.run(
        [sys.executable, "-m", "tracking", "compare", "app", "--differing", "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(json.loads(shown.stdout)["runs"][0]) == {
        "run_id",
        "x",
        "model.twice",
        "does",
        "objective",
        "loss",
    }


def test_the_task_may_log_to_its_run(app: Callable, tmp_path: Path) -> None:
    assert app("does=log", "x=2").returncode == 0
    (record,) = records(tmp_path)
    assert record.summary["loss"].last == 2


def test_the_numbers_of_a_returned_mapping_are_metrics(app: Callable, tmp_path: Path) -> None:
    assert app("does=mapping").returncode == 0
    (record,) = records(tmp_path)
    assert {name: summary.last for name, summary in record.summary.items()} == {"loss": 0.5, "auc": 0.75}


def test_the_numbers_of_a_returned_tuple_are_metrics(app: Callable, tmp_path: Path) -> None:
    assert app("does=tuple").returncode == 0
    (record,) = records(tmp_path)
    assert {name: summary.last for name, summary in record.summary.items()} == {
        "objective_0": 0.5,
        "acc": 0.75,
    }


def test_a_task_that_returns_no_number_is_tracked_too(app: Callable, tmp_path: Path) -> None:
    assert app("does=text").returncode == 0
    (record,) = records(tmp_path)
    assert (record.status, dict(record.summary)) == ("completed", {})


def test_store_and_experiment_can_be_chosen_and_stay_when_the_job_changes_its_folder(
    app: Callable, tmp_path: Path
) -> None:
    answer = app(
        "hydra.callbacks.podium.store=mine", "hydra.callbacks.podium.experiment=trial", "hydra.job.chdir=true"
    )
    assert answer.returncode == 0, answer.stderr
    (record,) = ExperimentTracker(tmp_path / "mine").records()
    assert record.experiment_name == "trial"


def test_a_task_that_raises_leaves_a_failed_run_with_its_traceback(app: Callable, tmp_path: Path) -> None:
    answer = app("does=raise")
    assert answer.returncode == 1
    assert "ValueError: no such luck" in answer.stderr
    (record,) = records(tmp_path)
    assert (record.status, record.error) == ("failed", "ValueError: no such luck")
    assert "in main" in (tmp_path / "experiments" / "runs" / record.run_id / "error.txt").read_text()


# Hydra 1.4 tells a callback of the SystemExit, as a block of a run hears of it; Hydra 1.3 only lets it pass.
EXITED, LEFT = ("ended", "ended") if current_defaults() else ("failed", "completed")


@pytest.mark.parametrize(
    ("does", "code", "status"), [("exit", 3, EXITED), ("leave", 0, LEFT), ("terminate", 143, "killed")]
)
def test_a_task_that_never_returns_leaves_a_finished_run(
    app: Callable, tmp_path: Path, does: str, code: int, status: str
) -> None:
    assert app(f"does={does}").returncode == code
    (record,) = records(tmp_path)
    assert record.status == status
    assert record.finished_at is not None


@pytest.mark.parametrize("arguments", [(), ("-m", "x=1,2")])
def test_a_job_that_cannot_be_tracked_is_not_started_and_says_so(
    app: Callable, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "experiments").write_text("a file in the way")
    answer = app(*arguments)
    assert answer.returncode == 1
    assert "podium: the job was not started, because it cannot be tracked:" in answer.stderr
    assert "the task began" not in answer.stdout


def test_a_run_that_cannot_be_finished_fails_its_job(app: Callable, tmp_path: Path) -> None:
    answer = app("does=break_the_run")
    assert answer.returncode == 1
    assert "podium: run_001 could not be finished:" in answer.stderr
    assert "the task began" in answer.stdout


def test_an_unknown_setting_is_refused(app: Callable, tmp_path: Path) -> None:
    answer = app("+hydra.callbacks.podium.stroe=mine")
    assert answer.returncode == 1
    assert "stroe" in answer.stderr
    assert "the task began" not in answer.stdout


def test_each_job_of_the_stock_sweeper_and_launcher_is_a_run(app: Callable, tmp_path: Path) -> None:
    answer = app("-m", "x=1,2,3")
    assert answer.returncode == 0, answer.stderr
    assert [record.summary["objective"].last for record in records(tmp_path)] == [1, 2, 3]


def test_each_job_of_a_sweep_is_a_run_in_the_sweeps_store_that_names_its_job(
    app: Callable, tmp_path: Path
) -> None:
    answer = app(
        "-m",
        "hydra/sweeper=podium",
        "hydra/launcher=podium",
        "hydra.sweeper.store=mine",
        "hydra.sweeper.name=first",
        "hydra.sweeper.max_failures=1",
        "does=nothing,raise",
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    runs = ExperimentTracker(tmp_path / "mine").records()
    assert {(run.sweep["id"], run.sweep["job"], str(run.status)) for run in runs if run.sweep} == {
        ("first", 0, "completed"),
        ("first", 1, "failed"),
    }


def test_the_store_of_a_section_that_holds_the_sweepers_settings_is_the_runs_store(
    app: Callable, tmp_path: Path
) -> None:
    section = ("hydra/sweeper=podium", "hydra/launcher=podium", "hydra.sweeper.settings_from=mine")
    answer = app("-m", *section, "+mine.store=elsewhere", "x=1,2")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    runs = ExperimentTracker(tmp_path / "elsewhere").records()
    assert [record.sweep is not None for record in runs] == [True, True]
    assert not (tmp_path / "experiments").exists()


@pytest.mark.parametrize(
    ("rank", "opened"),
    [
        ({"RANK": "1"}, False),
        ({"LOCAL_RANK": "2"}, False),
        ({"RANK": "0", "LOCAL_RANK": "1"}, True),
        ({}, True),
    ],
)
def test_a_further_rank_logs_into_the_run_of_the_process_that_started_it(
    app: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: dict[str, str], opened: bool
) -> None:
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in rank.items():
        monkeypatch.setenv(name, value)
    with ExperimentTracker(tmp_path / "experiments").start_run("first rank") as run:
        answer = app("does=log", "x=2")
    assert answer.returncode == 0, answer.stderr
    ranks = records(tmp_path)
    assert [record.experiment_name for record in ranks] == ["first rank", *(["app"] if opened else [])]
    assert "loss" in ranks[-1].summary
    assert [str(record.status) for record in ranks] == ["completed"] * len(ranks)
    assert ranks[0].run_id == run.run_id


def test_a_further_rank_without_a_run_to_join_opens_one(
    app: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    assert app("does=log").returncode == 0
    assert len(records(tmp_path)) == 1
