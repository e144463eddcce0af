"""Limits, second attempts and shared children: what a job may do to itself, and nothing to its neighbours."""

from collections.abc import Callable

import psutil
import pytest
from quadratic import await_true

from tracking import ExperimentTracker
from tracking.process import is_alive


def by_fault(result: object) -> dict[str, dict]:
    return {row["point"]["fault"]: row for row in result.rows}  # type: ignore[attr-defined]  # the Sweep of conftest


def ended(result: object) -> dict[int, dict]:
    return {event["job"]: event for event in result.events if event["event"] == "finished"}  # type: ignore[attr-defined]


def test_a_job_that_hangs_is_ended_at_its_timeout_and_the_others_finish(sweep: Callable) -> None:
    result = sweep("-m", "fault=waits,none", "hydra.launcher.timeout=3s", "x=2")
    rows = by_fault(result)
    assert rows["none"]["rank"] == 1
    assert rows["waits"]["status"] == "killed"
    assert rows["waits"]["error"] == "took longer than its timeout of 3 s"
    assert ended(result)[0]["reason"] == "timeout"
    record = ExperimentTracker(result.cwd / "experiments").record(rows["waits"]["run"])
    assert record.status == "killed"


def test_a_job_that_ignores_being_asked_to_end_is_killed_after_the_grace_period(sweep: Callable) -> None:
    result = sweep("-m", "fault=stubborn,none", "hydra.launcher.timeout=2", "hydra.launcher.grace_s=0.5")
    rows = by_fault(result)
    assert rows["none"]["status"] == "completed"
    assert rows["stubborn"]["error"] == "took longer than its timeout of 2 s"


def test_a_job_that_uses_more_memory_than_it_may_is_ended_alone(sweep: Callable) -> None:
    result = sweep("-m", "fault=fills_memory,none", "hydra.launcher.memory_limit=400MB")
    rows = by_fault(result)
    assert rows["none"]["status"] == "completed"
    assert rows["fills_memory"]["status"] == "killed"
    assert "more than its memory_limit of 400 MB" in rows["fills_memory"]["error"]
    assert ended(result)[0]["reason"] == "memory"


def test_a_thread_that_will_not_end_does_not_hold_up_the_sweep(sweep: Callable) -> None:
    result = sweep("-m", "fault=leaves_a_thread,leaves_a_daemon,none", "hydra.launcher.grace_s=0.5")
    assert result.code == 0, result.err
    assert [row["status"] for row in result.rows] == ["completed"] * 3


def test_what_a_job_that_fills_the_memory_started_elsewhere_is_ended_too(sweep: Callable) -> None:
    result = sweep("-m", "fault=fills_memory_elsewhere,none", "hydra.launcher.memory_limit=400MB")
    assert "more than its memory_limit" in by_fault(result)["fills_memory_elsewhere"]["error"]
    pid = int((result.cwd / "child.pid").read_text())
    await_true(lambda: not is_alive(pid))  # a killed process takes a while to give its memory back


def test_jobs_wait_until_there_is_memory_for_them_from_the_first_on(sweep: Callable) -> None:
    limit = int(psutil.virtual_memory().available * 0.6)
    result = sweep("-m", "fault=takes_a_second", "x=1,2,3", f"hydra.launcher.memory_limit={limit}")
    assert result.code == 0, result.err
    first, second, third = ExperimentTracker(result.cwd / "experiments").records()
    assert first.finished_at <= second.created_at
    assert second.finished_at <= third.created_at


def test_whatever_a_job_says_is_kept_in_bounds_and_costs_nobody_else_anything(sweep: Callable) -> None:
    result = sweep("-m", "fault=says_odd_things,none", "x=1,2", "hydra.launcher.n_jobs=1")
    rows = {(row["point"]["fault"], row["point"]["x"]): row for row in result.rows}
    assert rows["none", 2]["status"] == "completed"
    error = rows["says_odd_things", 1]["error"]
    assert error.startswith("ValueError: caf\\udce9 \\x1b[31m\\x00yyy")
    assert error.endswith("y...")
    assert len(error) < 600
    assert "\x1b[31m" not in result.out
    (ended_badly,) = (event for event in result.events if event["event"] == "finished" and event["job"] == 0)
    assert "characters left out" in ended_badly["traceback"]
    assert len(ended_badly["traceback"]) < 100_000


def test_jobs_outlive_the_process_that_started_them(sweep: Callable) -> None:
    result = sweep("-m", "fault=ends_the_forkserver,takes_a_second,none", "x=1,2")
    assert result.code == 0, result.err
    assert {row["status"] for row in result.rows} == {"completed"}


def test_a_process_that_a_task_forked_does_not_answer_for_the_job(sweep: Callable) -> None:
    result = sweep("-m", "fault=forks,forks_and_raises", "x=3")
    assert result.code == 0, result.err
    assert [(row["status"], row["objective"]) for row in result.rows] == [("completed", 1.0)] * 2


def test_a_job_that_was_killed_is_tried_again(sweep: Callable) -> None:
    result = sweep("-m", "fault=dies_at_first,raise", "hydra.launcher.retries=2", "x=2")
    rows = by_fault(result)
    assert rows["dies_at_first"]["rank"] == 1
    assert rows["raise"]["error"] == "ValueError: no such luck"
    (retry,) = (event for event in result.events if event["event"] == "retry")
    assert retry["error"] == "killed by SIGKILL"
    assert ended(result)[0]["attempt"] == 2
    assert ended(result)[1]["attempt"] == 1  # an error would only come again
    assert "attempt 1 failed, trying again: killed by SIGKILL" in result.out
    tracker = ExperimentTracker(result.cwd / "experiments")
    first, second = (tracker.record(run) for run in ended(result)[0]["runs"])
    assert (first.status, second.status) == ("killed", "completed")
    assert (first.sweep["attempt"], second.sweep["attempt"]) == (1, 2)


def test_which_reasons_are_tried_again_can_be_chosen(sweep: Callable) -> None:
    result = sweep("-m", "fault=raise,sigkill", "hydra.launcher.retries=1", "hydra.launcher.retry_on=[error]")
    assert {number: event["attempt"] for number, event in ended(result).items()} == {0: 2, 1: 1}


def test_fail_fast_starts_no_more_jobs_after_the_tolerated_failures(sweep: Callable) -> None:
    result = sweep(
        "-m", "fault=raise,none", "x=1,2,3,4", "hydra.sweeper.fail_fast=true", "hydra.launcher.n_jobs=1"
    )
    assert result.code == 1
    statuses = {row["job"]: row["status"] for row in result.rows}
    assert statuses[0] == "failed"
    assert statuses[7] == "cancelled"
    assert "stopping: 1 job failed (fail_fast=true)" in result.out


def test_each_job_sees_its_slots_gpu_alone(sweep: Callable) -> None:
    result = sweep(
        "-m", "fault=gpu", "x=1,2,3,4", "hydra.launcher.gpus=[0,1]", "hydra.launcher.jobs_per_gpu=2"
    )
    assert result.code == 0, result.err
    slots = {event["job"]: event["slot"] for event in result.events if event["event"] == "started"}
    for row in result.rows:
        assert (result.cwd / f"gpu-{row['point']['x']}-{slots[row['job']] % 2}").exists()


def test_a_reused_child_takes_job_after_job_with_a_clean_environment(sweep: Callable) -> None:
    result = sweep(
        "-m",
        "fault=pid,sees_what_was_left",
        "x=1,2,3",
        "hydra.launcher.n_jobs=1",
        "hydra.launcher.isolation=reuse",
    )
    assert result.code == 0, result.err
    assert len(list(result.cwd.glob("pid-*"))) == 1


def test_reused_children_keep_the_guarantees_of_a_process_per_job(sweep: Callable) -> None:
    faults = "none,raise,exit,os_exit,sigkill,segfault,unpicklable,unraisable,leaves_children,leaves_a_thread"
    result = sweep("-m", f"fault={faults}", "x=1,2", "hydra.launcher.isolation=reuse")
    rows = {(row["point"]["fault"], row["point"]["x"]): row for row in result.rows}
    for x in (1, 2):
        assert rows["none", x]["status"] == rows["leaves_children", x]["status"] == "completed"
        assert rows["raise", x]["error"] == "ValueError: no such luck"
        assert rows["exit", x]["error"] == "called sys.exit(3)"
        assert rows["sigkill", x]["error"] == "killed by SIGKILL"
        assert rows["segfault", x]["error"] == "killed by SIGSEGV"
    assert 'raise ValueError("no such luck")' in (result.dir / "jobs" / "2" / "output.log").read_text()
    assert (result.dir / "jobs" / "0" / "output.log").read_text() == ""


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("timeout=soon", "timeout: 'soon' is not a duration; write seconds"),
        ("timeout=0", "timeout=0: allowed are more than 0"),
        ("memory_limit=4XB", "memory_limit: '4XB' is not a size; write bytes"),
        ("retries=-1", "retries=-1: allowed is a whole number, 0 or more"),
        ("retry_on=[bad]", "retry_on=bad: allowed are error, exit, signal"),
        ("gpus=[0,0]", "allowed are different devices"),
        ("gpus=[a]", "gpus=['a']: allowed are different devices"),
        ("gpus=[-1]", "allowed are different devices"),
        ("gpus=['0,1']", "allowed are different devices"),
        ("gpus=[]", "allowed are different devices"),
        ("jobs_per_gpu=2", "jobs_per_gpu=2: needs gpus, which is null"),
        ("isolation=none", "isolation=none: allowed are process, reuse"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_before_anything_starts(
    sweep: Callable, setting: str, said: str
) -> None:
    result = sweep("-m", "x=1,2", f"hydra.launcher.{setting}")
    assert result.code == 1
    assert said in result.err
    assert not list((result.cwd / "experiments" / "sweeps").glob("*"))
