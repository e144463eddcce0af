"""Our sweeper drives launchers that are not ours: ranked, isolated where they isolate, resumable by their runs."""

import signal
import subprocess
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import forked
import pytest

from sweeps.ranking.aggregate import rank
from tracking import ExperimentTracker

FOREIGN = ("--config-name", "foreign", "-m")
BASIC = (*FOREIGN, "hydra/launcher=basic")
LAUNCHERS = {
    "basic": BASIC,
    "joblib": (*FOREIGN, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
    "submitit_local": (*FOREIGN, "hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"),
}
INSTALLED = {
    "basic": True,
    "joblib": find_spec("hydra_plugins.hydra_joblib_launcher"),
    "submitit_local": find_spec("hydra_plugins.hydra_submitit_launcher"),
}


@pytest.fixture(
    params=["basic", *(pytest.param(name, marks=pytest.mark.slow) for name in LAUNCHERS if name != "basic")]
)
def launcher(request: pytest.FixtureRequest) -> tuple[str, ...]:
    if not INSTALLED[request.param]:
        pytest.skip(f"the launcher {request.param} is not installed: pip install -e '.[dev]'")
    return LAUNCHERS[request.param]


def test_its_jobs_are_ranked_by_what_they_logged(sweep: Callable, launcher: tuple[str, ...]) -> None:
    result = sweep(*launcher, "x=1,2,3")
    assert result.code == 0, result.out + result.err
    assert [(row["point"]["x"], row["objective"], row["status"]) for row in result.rows] == [
        (2, 0.0, "completed"),
        (1, 1.0, "completed"),
        (3, 1.0, "completed"),
    ]
    records = ExperimentTracker(result.cwd / "experiments").records()
    assert {(record.sweep or {})["job"] for record in records} == {0, 1, 2}
    assert (result.dir / "jobs" / "2" / ".hydra" / "overrides.yaml").read_text() == "- x=3\n"


def test_a_job_that_raises_is_a_failed_line(sweep: Callable, launcher: tuple[str, ...]) -> None:
    result = sweep(*launcher, "fault=none,raise", "hydra.sweeper.max_failures=1")
    assert result.code == 0, result.out + result.err
    assert [row["status"] for row in result.rows] == ["completed", "failed"]
    assert result.rows[1]["error"] == "ValueError: no such luck"
    assert "ValueError: no such luck" in (result.dir / "jobs" / "1" / "output.log").read_text()


def test_a_task_without_runs_is_ranked_by_what_it_returns(sweep: Callable, launcher: tuple[str, ...]) -> None:
    objective = ("hydra.sweeper.objective.metric=null", "hydra.sweeper.objective.mode=min")
    result = sweep(*launcher, "x=1,2", "track=false", *objective)
    assert result.code == 0, result.out + result.err
    assert [row["objective"] for row in result.rows] == [0.0, 1.0]


def test_the_callbacks_runs_are_those_of_the_jobs(sweep: Callable, launcher: tuple[str, ...]) -> None:
    result = sweep(
        *launcher, "hydra/callbacks=podium", "x=1,2", "track=false", "hydra.sweeper.objective.metric=null"
    )
    assert result.code == 0, result.out + result.err
    assert all(row["run"] for row in result.rows)


def test_batches_are_as_large_as_allowed_and_of_consecutive_jobs(sweep: Callable) -> None:
    result = sweep(*BASIC, "x=1,2,3", "hydra.sweeper.max_batch_size=2")
    assert result.code == 0, result.err
    order = [
        (event["event"], event["job"]) for event in result.events if event["event"] in ("started", "finished")
    ]
    assert order == [
        *(("started", 0), ("started", 1), ("finished", 0), ("finished", 1)),
        *(("started", 2), ("finished", 2)),
    ]


def test_a_job_that_leaves_by_sys_exit_in_this_process_fails_alone(sweep: Callable) -> None:
    result = sweep(*BASIC, "fault=exit,none", "hydra.sweeper.max_failures=1")
    assert result.code == 0, result.out + result.err
    assert result.rows[1]["error"] == "called sys.exit(3)"
    assert [row["status"] for row in result.rows] == ["completed", "failed"]


def test_a_batch_that_its_launcher_gives_up_is_judged_by_its_runs(sweep: Callable) -> None:
    result = sweep(
        *BASIC, "fault=none,exit", "x=2", "hydra.sweeper.max_batch_size=2", "hydra.sweeper.max_failures=1"
    )
    assert result.code == 0, result.out + result.err
    assert (result.rows[0]["status"], result.rows[0]["objective"]) == ("completed", 0.0)
    assert "the launcher failed: SystemExit: 3" in result.rows[1]["error"]


def test_an_interrupt_ends_the_running_job_and_starts_no_other(
    start: Callable[..., subprocess.Popen[str]], finish: Callable, tmp_path: Path
) -> None:
    process = start(*BASIC, "fault=waits,none")
    while not list(tmp_path.glob("waiting-*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.code == 130
    assert "stopped by SIGINT" in result.err
    assert {row["job"]: row["status"] for row in result.rows} == {0: "killed", 1: "cancelled"}
    assert [record.status for record in ExperimentTracker(tmp_path / "experiments").records()] == ["killed"]


def test_a_batch_whose_parent_dies_is_judged_by_its_runs(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = start(*BASIC, "fault=none,waits", "x=2", "hydra.sweeper.max_batch_size=2")
    while not [
        ledger
        for ledger in tmp_path.glob("experiments/sweeps/*/jobs.jsonl")
        if "run_002" in ledger.read_text()
    ]:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.kill()
    process.communicate()
    (folder,) = (tmp_path / "experiments" / "sweeps").iterdir()
    rows = rank(folder).rows
    assert [(row.run, row.status, row.objective) for row in rows[:1]] == [("run_001", "completed", 0.0)]


def test_a_sweep_whose_process_a_job_killed_is_resumed(sweep: Callable) -> None:
    arguments = (*BASIC, "x=1", "fault=none,dies_at_first,unpicklable")
    assert sweep(*arguments, "hydra.sweeper.name=first").code == -signal.SIGKILL
    result = sweep(*arguments, "hydra.sweeper.resume=first")
    assert result.code == 0, result.out + result.err
    assert {row["job"]: row["status"] for row in result.rows} == dict.fromkeys(range(3), "completed")
    started = [event["job"] for event in result.events if event["event"] == "started"]
    assert started == [0, 1, 1, 2]


def test_batches_of_no_jobs_are_refused(sweep: Callable) -> None:
    result = sweep(*BASIC, "x=1,2", "hydra.sweeper.max_batch_size=0")
    assert result.code == 1
    assert "max_batch_size=0: allowed is a whole number, 1 or more" in result.err


def test_the_trainers_sweeps_may_choose_another_launcher(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    choice = ("hydra/launcher=basic", "sweep.dry_run=true", "training.learning_rate=1e-3,1e-2")
    answer = forked.run("-m", "trainer", "-m", *choice, kind="trainer", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "2 jobs, 1 at once" in answer.stdout
