"""A sweep that ended early goes on: nothing that had ended runs again, and the leaderboard is that of one life."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import pytest
from quadratic import APP, Sweep, await_true

from sweeps import SettingsError
from sweeps.jobs import PlannedJob
from sweeps.plan.plan import Plan
from sweeps.state.same_sweep import require_same
from tracking import ExperimentTracker
from tracking.files import read_json, read_lines, write_json

BASE = ("-m", "x=1,2,3,4", "hydra.sweeper.name=mine", "hydra.launcher.n_jobs=1")
OUTPUT = "${hydra:runtime.output_dir}"
FAULT = "fault=waits_at_first_if_three"


def ledger(folder: Path) -> list[dict[str, Any]]:
    return list(read_lines(folder / "experiments" / "sweeps" / "mine" / "jobs.jsonl"))


def planned(folder: Path) -> bool:
    return (folder / "experiments" / "sweeps" / "mine" / "plan.json").exists()


def one_ended(folder: Path) -> bool:
    return any(event["event"] == "finished" for event in ledger(folder))


def waits(folder: Path) -> bool:
    return bool(list(folder.glob("waiting-*")))


def ranking(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["rank"], row["job"], row["point"], row["objective"], row["status"]) for row in rows]


@pytest.fixture
def killed(start: Callable, finish: Callable, tmp_path: Path) -> Callable[..., Sweep]:
    """Start a sweep, and kill its parent as soon as `moment` has come."""

    def killed(moment: Callable[[Path], bool], *arguments: str) -> Sweep:
        process = start(*BASE, *arguments)
        await_true(lambda: moment(tmp_path))
        process.kill()
        result = finish(process)
        (tmp_path / "waited-3").touch()  # the job may not have come to its wait yet
        return result

    return killed


@pytest.mark.parametrize("moment", [planned, one_ended, waits])
def test_a_sweep_whose_parent_was_killed_ends_as_one_that_was_not(
    sweep: Callable, killed: Callable, podium: Callable, moment: Callable[[Path], bool]
) -> None:
    killed(moment, FAULT)
    result = podium("resume", "mine")
    assert result.code == 0, result.err
    assert [row["job"] for row in result.rows] == [1, 0, 2, 3]
    assert [row["objective"] for row in result.rows] == [0.0, 1.0, 1.0, 4.0]
    assert [row["rank"] for row in result.rows] == [1, 2, 3, 4]
    ended = [event["job"] for event in result.events if event["event"] == "finished"]
    assert sorted(ended) == [0, 1, 2, 3]
    assert "resumed: " in result.out


def test_a_job_that_was_cut_off_is_told_the_runs_of_its_earlier_attempts(
    killed: Callable, podium: Callable, tmp_path: Path
) -> None:
    killed(waits, FAULT)
    result = podium("resume", "mine")
    row = next(row for row in result.rows if row["job"] == 2)
    tracker = ExperimentTracker(tmp_path / "experiments")
    last = tracker.record(row["run"])
    assert last.sweep["attempt"] == 2
    (first,) = (tracker.record(run) for run in last.sweep["previous"])
    assert (first.status, last.status) == ("killed", "completed")
    assert first.finished_at is not None
    started = [event["attempt"] for event in result.events if event["event"] == "started"]
    assert started == [1, 1, 1, 2, 1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_sweep_that_a_signal_stopped_says_how_to_go_on_and_does(
    start: Callable, finish: Callable, podium: Callable, tmp_path: Path, number: signal.Signals
) -> None:
    process = start(*BASE, FAULT)
    await_true(lambda: waits(tmp_path))
    process.send_signal(number)
    stopped = finish(process)
    assert stopped.code == 128 + number
    assert f"stopped by {number.name}" in stopped.err
    assert "resume with: python -m sweeps resume mine" in stopped.err
    stopped_rows = stopped.rows
    assert {row["status"] for row in stopped_rows} == {"completed", "killed", "cancelled"}
    result = podium("resume", "latest")
    assert result.code == 0, result.err
    assert {row["status"] for row in result.rows} == {"completed"}
    _, resumed = [event for event in result.events if event["event"] == "began"]
    assert resumed["again"] == sorted(row["job"] for row in stopped_rows if row["status"] != "completed")


def test_a_sweep_whose_parent_was_killed_took_until_its_runs_were_last_heard_of(
    killed: Callable, podium: Callable
) -> None:
    first = killed(waits, FAULT)
    last = first.events[-1]["at"]
    shown = podium("show", "mine")
    assert "it was killed, and its time ends with the last that its runs logged" in shown.out
    result = podium("resume", "mine")
    assert result.code == 0, result.err
    _, resumed = [event for event in result.events if event["event"] == "began"]
    assert resumed["lived_until"] > last
    assert "it was killed" not in podium("show", "mine").out


def test_a_sweep_that_was_ended_at_once_goes_on_too(
    start: Callable, finish: Callable, podium: Callable, tmp_path: Path
) -> None:
    process = start(*BASE, "fault=stubborn", "x=3", "hydra.launcher.grace_s=600")
    await_true(lambda: any(event["event"] == "run" for event in ledger(tmp_path)))
    process.send_signal(signal.SIGINT)
    await_true(lambda: "SIGINT" in process.stdout.readline())
    process.send_signal(signal.SIGINT)
    assert [row["status"] for row in finish(process).rows] == ["killed"]
    assert "1 to run" in podium("resume", "mine", "hydra.launcher.timeout=1", "hydra.launcher.grace_s=0").out


def test_what_failed_by_itself_is_kept_unless_asked_otherwise(sweep: Callable, podium: Callable) -> None:
    first = sweep("-m", "fault=raise,none", "hydra.sweeper.name=mine")
    assert first.code == 1
    again = podium("resume", "mine")
    assert again.code == 1
    assert again.err == first.err
    assert "nothing to do" in again.out
    assert "no such luck" in again.out
    retried = podium("resume", "mine", "--failed")
    assert retried.code == 1
    assert [event["attempt"] for event in retried.events if event["event"] == "finished"] == [1, 1, 2]


def test_a_finished_sweep_has_nothing_to_do_and_shows_its_leaderboard(
    sweep: Callable, podium: Callable
) -> None:
    first = sweep(*BASE)
    again = podium("resume", "mine")
    assert again.code == 0, again.err
    assert "nothing to do, all of its jobs have ended" in again.out
    assert "Leaderboard of sweep mine" in again.out
    assert ranking(again.rows) == ranking(first.rows)


def test_a_sweep_is_resumed_by_the_same_command_with_one_override_too(
    sweep: Callable, killed: Callable
) -> None:
    killed(one_ended, FAULT)
    result = sweep(*BASE, FAULT, "hydra.sweeper.resume=latest", "hydra.launcher.timeout=60")
    assert result.code == 0, result.err
    assert len(result.rows) == 4


def test_a_sweep_that_still_runs_is_not_resumed(
    start: Callable, finish: Callable, sweep: Callable, podium: Callable, tmp_path: Path
) -> None:
    process = start(*BASE, FAULT)
    await_true(lambda: waits(tmp_path))
    refused = podium("resume", "mine")
    assert refused.code == 1
    assert f"mine: this sweep still runs (process {process.pid} on " in refused.err
    again = sweep(*BASE, FAULT, "hydra.sweeper.resume=mine")
    assert again.code == 1
    assert f"mine: this sweep still runs (process {process.pid} on " in again.err
    process.kill()
    finish(process)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("seed=1", "seed: 0 -> 1"),
        ("shape=triangle", "shape.sides: 4 -> 3"),
        ("+y=1,2", "swept keys: x -> x, y"),
        ("fault=none,raise", "a new sweep with reuse=true takes the jobs that are the same"),
        ("hydra.sweeper.objective.mode=max", "objective.mode: min -> max"),
    ],
)
def test_a_sweep_is_not_gone_on_with_as_another_one(
    sweep: Callable, killed: Callable, override: str, said: str
) -> None:
    killed(one_ended, FAULT)
    result = sweep(*BASE, FAULT, "hydra.sweeper.resume=mine", override)
    assert result.code == 1
    assert said in result.err
    assert "Traceback" not in result.err


def test_other_values_are_accepted_when_asked_for_and_other_keys_never(
    sweep: Callable, killed: Callable
) -> None:
    killed(waits, FAULT)
    accept = ("hydra.sweeper.resume=mine", "hydra.sweeper.resume_changed=true")
    assert "swept keys: x -> x, y" in sweep(*BASE, FAULT, *accept, "+y=1,2").err
    result = sweep(*BASE, FAULT, *accept, "seed=1")
    assert result.code == 0, result.err
    assert {row["job"]: row["objective"] for row in result.rows} == {0: 1.0, 1: 0.0, 2: 1.25, 3: 4.25}


def test_changed_code_is_named(tmp_path: Path, podium: Callable) -> None:
    copy_app(tmp_path)
    run_in(tmp_path, *COMMAND, "fault=raise")
    (tmp_path / "app.py").write_text((tmp_path / "app.py").read_text().replace("x - 2", "x - 1"))
    refused = podium("resume", "mine", "--failed")
    assert refused.code == 1
    assert "code: app.py changed" in refused.err
    assert "nothing" not in podium("resume", "mine", "--failed", "--changed").out


def test_the_command_is_recorded_as_it_was_given(sweep: Callable) -> None:
    result = sweep(*BASE)
    plan = read_json(result.dir / "plan.json")
    assert plan["command"] == [sys.executable, "-W", "error", str(APP), *BASE]
    assert plan["cwd"] == str(result.cwd)


def test_a_sweep_is_cancelled_by_name_and_can_go_on(
    start: Callable, finish: Callable, podium: Callable, tmp_path: Path
) -> None:
    process = start(*BASE, FAULT)
    await_true(lambda: waits(tmp_path))
    cancelled = podium("cancel", "mine")
    assert cancelled.code == 0, cancelled.err
    assert f"Asked process {process.pid}" in cancelled.out
    assert "stopped by SIGTERM" in finish(process).err
    assert "mine: this sweep is not running" in podium("cancel", "mine").err
    assert podium("resume", "mine").code == 0


def test_a_sweep_is_cancelled_at_once(
    start: Callable, finish: Callable, podium: Callable, tmp_path: Path
) -> None:
    process = start(*BASE, "fault=stubborn", "hydra.launcher.grace_s=600")
    await_true(lambda: any(event["event"] == "run" for event in ledger(tmp_path)))
    assert podium("cancel", "mine", "--now").code == 0
    assert finish(process).rows[0]["status"] == "killed"


def test_a_sweep_in_a_store_that_was_moved_goes_on_there(
    killed: Callable, podium: Callable, tmp_path: Path
) -> None:
    killed(one_ended, FAULT)
    (tmp_path / "experiments").rename(tmp_path / "moved")
    store = ("--store", str(tmp_path / "moved"))
    said = podium("show", "mine", *store).out
    assert f"python -m sweeps resume mine --store {tmp_path / 'moved'}" in said
    result = podium("resume", "mine", *store, "--changed", "--json")
    assert result.code == 0, result.err
    assert {json.loads(line)["event"] for line in result.out.splitlines()} >= {
        "began",
        "finished",
        "leaderboard",
    }
    rows = read_json(tmp_path / "moved" / "sweeps" / "mine" / "leaderboard.json")["rows"]
    assert {row["status"] for row in rows} == {"completed"}
    assert not (tmp_path / "experiments").exists()


def test_a_sweep_whose_folder_was_moved_says_how_to_go_on(
    sweep: Callable, podium: Callable, tmp_path: Path
) -> None:
    result = sweep(*BASE)
    plan = read_json(result.dir / "plan.json")
    write_json(result.dir / "plan.json", {**plan, "cwd": str(tmp_path / "gone")})
    said = podium("resume", "mine").err
    assert "repeat its command with hydra.sweeper.resume=mine" in said
    assert "x=1,2,3,4" in said


@pytest.mark.parametrize("name", ["latest"])
def test_a_sweep_cannot_be_called_what_means_another_one(
    sweep: Callable, podium: Callable, name: str
) -> None:
    assert "this name means the newest sweep" in sweep("-m", "x=1", f"hydra.sweeper.name={name}").err
    sweep(*BASE)
    assert "the name of a sweep is empty" in podium("show", "").err


def test_a_named_sweep_that_exists_says_how_to_go_on(sweep: Callable) -> None:
    sweep(*BASE)
    assert "python -m sweeps resume mine" in sweep(*BASE).err


def test_a_sweep_that_is_not_there_is_said_not_to_be(sweep: Callable, podium: Callable) -> None:
    assert "no sweeps in experiments" in podium("resume", "latest").err
    sweep(*BASE)
    assert "nope: no such sweep" in sweep(*BASE, "hydra.sweeper.resume=nope").err
    assert "nope: no such sweep" in podium("resume", "nope").err


def test_a_file_that_was_edited_meanwhile_is_named_by_the_jobs_it_changes(tmp_path: Path) -> None:
    copy_app(tmp_path)
    command = [*COMMAND, "shape=square,triangle", "fault=raise"]
    run_in(tmp_path, *command)
    (tmp_path / "shape" / "triangle.yaml").write_text("sides: 7\n")
    again = run_in(tmp_path, *command, "hydra.sweeper.resume=mine", "hydra.sweeper.resume_failed=true")
    assert again.returncode == 1
    assert "job 1 (shape=triangle): its config: " in again.stderr
    assert "job 0" not in again.stderr


COMMAND = ("app.py", "-m", "x=1", "hydra.sweeper.name=mine")


def copy_app(folder: Path) -> None:
    for name in ("app.py", "config.yaml", "bare.yaml"):
        (folder / name).write_text((APP.parent / name).read_text())
    (folder / "shape").mkdir()
    for option in (APP.parent / "shape").iterdir():
        (folder / "shape" / option.name).write_text(option.read_text())


def run_in(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return forked.run(*command, cwd=folder, env={**os.environ, "PYTHONPATH": str(APP.parents[4])})


@pytest.mark.parametrize(
    ("recorded", "key"),
    [
        (
            {"lr": 0.1, "copy": "${lr}", "out": OUTPUT},
            "as written",
        ),  # one value could not be resolved, so none was
        ({"lr": 0.1, "copy": 0.1, "out": OUTPUT}, "key"),
    ],
)
def test_a_plan_that_has_no_interpolations_of_its_own_is_compared_either_way(
    recorded: dict[str, Any], key: str
) -> None:
    def plan(config: dict[str, Any], written: dict[str, Any] | None = None) -> Plan:
        return Plan("mine", "", (), ("x",), {"metric": None}, None, 1, config=config, written=written)

    today = plan({"lr": 0.1, "copy": 0.1, "out": OUTPUT}, {"lr": 0.1, "copy": "${lr}", "out": OUTPUT})
    jobs = [PlannedJob(0, (), {"x": 1}, "key", "hash", "as written")]
    then = {0: PlannedJob(0, (), {"x": 1}, key, "hash")}
    require_same(plan(recorded), then, today, jobs, changed_is_fine=False)
    with pytest.raises(SettingsError, match=r"lr: 0\.2 -> 0\.1"):
        require_same(plan({**recorded, "lr": 0.2}), then, today, jobs, changed_is_fine=False)
    other = {0: PlannedJob(0, (), {"x": 1}, "another", "hash")}
    with pytest.raises(SettingsError, match=r"job 0 \(x=1\): its config: another -> key"):
        require_same(plan(recorded), other, today, jobs, changed_is_fine=False)
