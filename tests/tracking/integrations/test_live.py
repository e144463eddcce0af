"""One-liners log into the open run, else into one of their own, which ends as its user says."""

import subprocess
import sys
from pathlib import Path

import pytest
from trained import JOB

from tracking import ExperimentTracker, InvalidValueError, job_context
from tracking.integrations.live import Live, log
from tracking.integrations.training import Training
from tracking.process.job_gate import Gate, Verdict

ROOT = Path(__file__).resolve().parents[3]


def test_log_goes_to_the_run_that_is_open(tracker: ExperimentTracker) -> None:
    with tracker.start_run("ctr") as run:
        assert log({"loss": 0.5}, 3).run_id == run.run_id
    record = tracker.record(run.run_id)
    assert record is not None
    assert (record.summary["loss"].last, record.summary["loss"].last_step) == (0.5, 3)


@pytest.mark.parametrize(
    ("end", "status"), [("", "ended"), ("run.finish()", "completed"), ("raise ValueError('no')", "failed")]
)
def test_log_alone_makes_one_run_which_ends_with_the_process(tmp_path: Path, end: str, status: str) -> None:
    (tmp_path / "train.py").write_text(
        f"from tracking.integrations.live import log\nfor step in range(3):\n    run = log({{'loss': 1 / (step + 1)}}, step)\n{end}\n"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, env=environment, capture_output=True, timeout=120
    )
    (record,) = ExperimentTracker(tmp_path / "experiments").records()
    assert (record.experiment_name, record.status.value, record.summary["loss"].count) == ("train", status, 3)


def test_live_counts_steps_and_completes_its_run(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("hi")
    live = Live("ctr", store=base)
    live.log_param("lr", 0.1)
    live.log_params({"depth": 3})
    for value in (1.0, 0.5):
        live.log_metric("loss", value)
        live.log_metrics({"acc": value, "f1": value})
        live.next_step()
    live.step = 10
    live.log_metric("loss", 0.25)
    live.log_artifact(tmp_path / "notes.txt")
    assert not live.should_stop()
    live.end()
    run = tracker.get_run("run_001")
    assert run is not None
    assert (run["status"], run["params"]) == ("completed", {"lr": 0.1, "depth": 3})
    assert [(point["step"], point["value"]) for point in run["metrics"]["loss"]] == [
        (0, 1.0),
        (1, 0.5),
        (10, 0.25),
    ]
    assert (live.run.run_dir / "artifacts" / "notes.txt").read_text() == "hi"


def test_live_in_an_open_run_leaves_it_open(tracker: ExperimentTracker) -> None:
    with tracker.start_run("ctr") as run:
        with Live() as live:
            live.log_metric("loss", 1.0)
        live.end()
        record = tracker.record(run.run_id)
        assert record is not None
        assert record.status.value == "running"
    assert len(tracker.records()) == 1


def test_an_error_in_the_block_of_live_fails_its_run(tracker: ExperimentTracker, base: Path) -> None:
    with pytest.raises(ZeroDivisionError), Live("ctr", store=base):
        raise ZeroDivisionError("no")
    record = tracker.record("run_001")
    assert record is not None
    assert (record.status.value, record.error) == ("failed", "ZeroDivisionError: no")


def test_in_a_job_a_new_run_is_in_the_store_of_its_sweep(tmp_path: Path) -> None:
    store = tmp_path / "else" / "where"
    folder = store / "sweeps" / "first" / "jobs" / "0"
    folder.mkdir(parents=True)
    with job_context(**JOB, folder=folder, cwd=tmp_path):
        with Live("ctr") as live:
            live.log_metric("loss", 1.0)
        log({"loss": 2.0}).finish()
    ran = ExperimentTracker(store).records()
    assert [(record.status.value, record.summary["loss"].last) for record in ran] == [
        ("completed", 1.0),
        ("completed", 2.0),
    ]


def test_in_a_job_with_a_folder_elsewhere_a_new_run_is_below_the_folder_of_its_sweep(tmp_path: Path) -> None:
    with job_context(**JOB, folder=tmp_path, cwd=tmp_path):
        Live("ctr").end()
    assert len(ExperimentTracker(tmp_path / "experiments").records()) == 1


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (None, "completed", None),
        ("the disk is full", "failed", "the disk is full"),
        (ValueError("no"), "failed", "ValueError: no"),
        (KeyboardInterrupt(), "killed", "KeyboardInterrupt"),
    ],
)
def test_live_ends_its_run_as_its_error_says(
    tracker: ExperimentTracker, base: Path, error: str | BaseException | None, status: str, line: str | None
) -> None:
    live = Live("ctr", store=base)
    live.log_metric("loss", 1.0)
    live.end()
    live.log_metric("loss", 0.5)  # opens the run again
    live.end(error)
    record = tracker.record("run_001")
    assert record is not None
    assert (record.status.value, record.error, record.summary["loss"].last) == (status, line, 0.5)


def test_a_run_that_its_sweep_stopped_stays_pruned_when_it_is_evaluated_after(
    tracker: ExperimentTracker, base: Path
) -> None:
    with job_context(**JOB, gate=Gate(("loss",), 1, lambda _run, _level: Verdict(False))):
        live = Live("ctr", store=base)
        assert not live.should_stop()
        live.log_metric("loss", 1.0)
        assert live.should_stop()
        live.end()
        live.log_metric("test_loss", 1.0)
        live.end()
    record = tracker.record("run_001")
    assert record is not None
    assert (record.status.value, record.summary["test_loss"].last) == ("pruned", 1.0)


@pytest.mark.parametrize("made", [Live, Training])
def test_a_run_that_is_finished_in_its_block_ends_as_that_says(
    tracker: ExperimentTracker, base: Path, made: type[Live]
) -> None:
    with made("ctr", store=base) as live:
        live.run.finish("failed", "the loss diverged")
    record = tracker.record("run_001")
    assert record is not None
    assert (record.status.value, record.error) == ("failed", "the loss diverged")
    live.run.log({"loss": 1.0})
    live.run.finish()
    with made("ctr", store=base) as live:
        live.run.finish("failed", "the loss diverged")
        live.run.log({"loss": 1.0})  # opens it again
    assert [each.status.value for each in tracker.records()] == ["completed"] * 2


@pytest.mark.parametrize("step", [-1, 0.5, True, "1"])
def test_a_step_is_a_whole_number(base: Path, step: object) -> None:
    with (
        Live("ctr", store=base) as live,
        pytest.raises(InvalidValueError, match="is no whole number from 0 on"),
    ):
        live.step = step  # type: ignore[assignment]
