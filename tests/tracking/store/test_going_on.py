"""A pruned run is opened again by the next attempt at its job, and goes on where it was."""

import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, RunStatus, job_context
from tracking.process.job_gate import Gate, Verdict
from tracking.store.ending import PRUNED

METRIC = "val_auc"


@pytest.fixture
def tracker(tmp_path: Path) -> ExperimentTracker:
    return ExperimentTracker(tmp_path / "experiments")


def job(
    attempt: int, *previous: str, number: int = 0, gate: Gate | None = None
) -> AbstractContextManager[None]:
    return job_context(
        sweep="s", job=number, key="k", config_hash="h", attempt=attempt, previous=previous, gate=gate
    )


def pruned(tracker: ExperimentTracker, *, experiment: str = "e", number: int = 0) -> str:
    """Make a run that its sweep stopped after two values."""
    with job(1, number=number), tracker.start_run(experiment, params={"lr": 0.1}) as run:
        for step in (1, 2):
            run.log({METRIC: step / 10, "loss": 1 / step}, step=step)
        run.log({"test_auc": 0.5})
        (run.run_dir / "stop").write_bytes(PRUNED)
        assert run.should_stop()
    return run.run_id


def record(tracker: ExperimentTracker, run_id: str) -> Any:
    found = tracker.record(run_id)
    assert found is not None
    return found


def steps(tracker: ExperimentTracker, run_id: str, metric: str = METRIC) -> list[Any]:
    found = tracker.get_run(run_id)
    assert found is not None
    return [point["step"] for point in found["metrics"][metric]]


def test_a_pruned_run_goes_on_and_leaves_out_what_is_logged_again(tracker: ExperimentTracker) -> None:
    first = pruned(tracker)
    before = record(tracker, first)
    assert before.status is RunStatus.PRUNED
    with job(2, first), tracker.start_run("e", params={"lr": 0.1}) as run:
        assert run.run_id == first
        assert not run.should_stop()
        assert record(tracker, first).status is RunStatus.RUNNING
        for step in (1, 2, 3):
            run.log({METRIC: step / 10, "loss": 1 / step}, step=step)
        run.log({"test_auc": 0.6})
    after = record(tracker, first)
    assert after.status is RunStatus.COMPLETED
    assert (after.sweep["attempt"], after.sweep["previous"]) == (2, [])
    assert after.created_at == before.created_at
    assert steps(tracker, first) == steps(tracker, first, "loss") == [1, 2, 3]
    assert after.last_values == {METRIC: 0.3, "loss": 1 / 3, "test_auc": 0.6}
    assert len(tracker.list_runs()) == 1


def test_a_run_may_be_pruned_again_and_again(tracker: ExperimentTracker) -> None:
    run_id, levels = pruned(tracker), list[int]()

    def ask(_run_dir: Path, level: int) -> Verdict:
        levels.append(level)
        return Verdict(False)

    for attempt in (2, 3, 4):
        with job(attempt, run_id, gate=Gate((METRIC,), attempt + 1, ask)), tracker.start_run("e") as run:
            for step in range(1, 9):
                run.log({METRIC: step / 10}, step=step)
                if run.should_stop():
                    break
        assert record(tracker, run_id).status is RunStatus.PRUNED
    assert levels == [3, 4, 5]
    assert steps(tracker, run_id) == [1, 2, 3, 4, 5]


def test_a_run_goes_on_in_another_process(tracker: ExperimentTracker) -> None:
    first = pruned(tracker)
    code = (
        "import sys; from tracking import ExperimentTracker as T\n"
        "with T(sys.argv[1]).start_run('e') as run: run.log({'val_auc': 0.3}, step=3); print(run.run_id)"
    )
    with job(2, str(tracker.base_dir.absolute() / "runs" / first)):
        command = [sys.executable, "-c", code, str(tracker.base_dir)]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == [first]
    assert steps(tracker, first) == [1, 2, 3]
    assert record(tracker, first).status is RunStatus.COMPLETED


@pytest.mark.parametrize(
    "case", ["another job", "another experiment", "no attempt before", "completed", "two runs of an attempt"]
)
def test_any_other_attempt_begins_a_run_of_its_own(tracker: ExperimentTracker, case: str) -> None:
    first = pruned(tracker, number=1 if case == "another job" else 0)
    previous = () if case == "no attempt before" else (first,)
    if case == "completed":
        tracker.open_run(first).finish("completed")
    if case == "two runs of an attempt":
        previous = first, pruned(tracker)
    before = {run["run_id"]: run["status"] for run in tracker.list_runs()}
    with job(2, *previous), tracker.start_run("f" if case == "another experiment" else "e") as run:
        run.log({METRIC: 0.1}, step=1)
    assert run.run_id not in before
    assert steps(tracker, run.run_id) == [1]
    assert {run_id: record(tracker, run_id).status for run_id in before} == before


def test_a_second_run_of_the_attempt_is_new(tracker: ExperimentTracker) -> None:
    first = pruned(tracker)
    with job(2, first), tracker.start_run("e") as one, tracker.start_run("e") as two:
        assert one.run_id == first
        assert two.run_id != first


def test_sigterm_ends_a_run_that_was_asked_to_stop_as_pruned(tracker: ExperimentTracker) -> None:
    code = (
        "import os, signal, sys; from tracking import ExperimentTracker as T\n"
        "from tracking.store.ending import PRUNED\n"
        "with T(sys.argv[1]).start_run('e') as run:\n"
        "    run.log({'val_auc': 0.3}, step=1)\n"
        "    if sys.argv[2:]: (run.run_dir / 'stop').write_bytes(PRUNED)\n"
        "    os.kill(os.getpid(), signal.SIGTERM); signal.pause()\n"
    )
    for more, status in ((["asked"], RunStatus.PRUNED), ([], RunStatus.KILLED)):
        subprocess.run([sys.executable, "-c", code, str(tracker.base_dir), *more], check=False, timeout=60)
        run = tracker.list_runs()[-1]["run_id"]
        assert record(tracker, run).status is status
        assert (record(tracker, run).error is None) is (status is RunStatus.PRUNED)


def test_a_run_that_never_looked_at_the_request_has_completed(tracker: ExperimentTracker) -> None:
    with tracker.start_run("e") as run:
        run.log({METRIC: 0.1}, step=1)
        (run.run_dir / "stop").write_bytes(PRUNED)
    assert record(tracker, run.run_id).status is RunStatus.COMPLETED


def test_a_run_can_be_finished_as_pruned_and_found_by_its_status(tracker: ExperimentTracker) -> None:
    with tracker.start_run("e") as run:
        run.log({METRIC: 0.1}, step=1)
        run.finish("pruned")
    assert [each.run_id for each in tracker.search_runs("status == 'pruned'")] == [run.run_id]
