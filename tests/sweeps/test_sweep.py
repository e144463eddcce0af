"""A sweep of somebody's Hydra app, from the command line to the leaderboard."""

import csv
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sweeps import aggregate
from tracking import ExperimentTracker
from tracking.files import read_json
from tracking.process import is_alive


def test_jobs_are_ranked_by_the_objective(sweep: Callable) -> None:
    result = sweep("-m", "x=0,1,2,3")
    assert result.code == 0, result.err
    assert [row["point"]["x"] for row in result.rows] == [2, 1, 3, 0]
    assert [row["rank"] for row in result.rows] == [1, 2, 3, 4]
    assert [row["objective"] for row in result.rows] == [0.0, 1.0, 1.0, 4.0]
    assert result.rows[0]["metrics"] == {"test_loss": 0.5}
    assert result.rows[0]["epochs"] == 2


def test_the_leaderboard_is_written_as_json_csv_and_markdown_and_printed(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2")
    with (result.dir / "leaderboard.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["x"] for line in lines] == ["2", "1"]
    assert lines[0]["status"] == "completed"
    assert (result.dir / "leaderboard.md").read_text().count("| completed |") == 2
    assert "Leaderboard of sweep" in result.out
    assert "rank" in result.out


def test_in_a_pipe_each_finished_job_is_one_line(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2,3")
    lines = [line for line in result.out.splitlines() if line.startswith("[")]
    assert [line.split()[0] for line in lines] == ["[1/3]", "[2/3]", "[3/3]"]
    assert "\x1b" not in result.out


def test_the_plan_is_frozen_before_the_jobs_and_names_each(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2", "shape=square,triangle", "fault=none")
    plan = read_json(result.dir / "plan.json")
    assert plan["swept"] == ["x", "shape"]
    assert (plan["version"], plan["total"]) == (2, 4)
    assert "jobs" not in plan
    assert [event["event"] for event in result.events[:5]] == ["asked"] * 4 + ["began"]
    assert [job["overrides"] for job in result.planned] == [
        ["fault=none", "x=1", "shape=square"],
        ["fault=none", "x=1", "shape=triangle"],
        ["fault=none", "x=2", "shape=square"],
        ["fault=none", "x=2", "shape=triangle"],
    ]
    assert len({job["key"] for job in result.planned}) == 4


def test_each_run_names_its_sweep_and_job(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2")
    tracker = ExperimentTracker(result.cwd / "experiments")
    for row in result.rows:
        record = tracker.record(row["run"])
        assert record is not None
        assert record.sweep is not None
        assert record.sweep["id"] == result.dir.name
        assert record.sweep["job"] == row["job"]
        assert record.sweep["key"] == result.planned[row["job"]]["key"]


def test_hydra_leaves_its_own_output_in_the_job_folder(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2")
    assert (result.dir / "jobs" / "0" / ".hydra" / "overrides.yaml").read_text() == "- x=1\n"
    assert (result.dir / "jobs" / "1" / "output.log").exists()


def test_one_job_of_every_bad_kind_fails_alone(sweep: Callable) -> None:
    faults = "none,raise,exit,os_exit,sigkill,segfault,unpicklable,huge,unraisable"
    result = sweep("-m", f"fault={faults}", "x=2")
    assert result.code == 1
    by_fault = {row["point"]["fault"]: row for row in result.rows}
    assert by_fault["none"]["rank"] == 1
    for fault in ("unpicklable", "huge"):
        assert by_fault[fault]["status"] == "completed"  # what it logged is what counts
    assert by_fault["raise"]["error"] == "ValueError: no such luck"
    assert by_fault["exit"]["error"] == "called sys.exit(3)"
    assert by_fault["os_exit"]["error"] == "the process ended without reporting a result (exit code 4)"
    assert by_fault["sigkill"]["error"] == "killed by SIGKILL"
    assert by_fault["segfault"]["error"] == "killed by SIGSEGV"
    assert "LocalError" in by_fault["unraisable"]["error"]
    assert "6 of 9 jobs failed" in result.err
    for fault in ("raise", "exit", "os_exit", "sigkill", "segfault", "unraisable"):
        assert by_fault[fault]["error"] in result.out


def test_a_run_that_cannot_be_read_is_its_own_jobs_matter(sweep: Callable) -> None:
    result = sweep("-m", "fault=none,tears_its_params", "hydra.launcher.n_jobs=1", "x=1")
    assert [(row["point"]["fault"], row["rank"]) for row in result.rows] == [
        ("none", 1),
        ("tears_its_params", None),
    ]
    assert "its run cannot be read" in result.rows[1]["error"]
    assert "params.json is not valid JSON" in result.rows[1]["error"]


def test_a_failed_jobs_traceback_is_in_its_log_and_in_the_ledger(sweep: Callable) -> None:
    result = sweep("-m", "fault=none,raise,segfault")
    assert 'raise ValueError("no such luck")' in (result.dir / "jobs" / "1" / "output.log").read_text()
    assert "Segmentation fault" in (result.dir / "jobs" / "2" / "output.log").read_text()
    (ended,) = (event for event in result.events if event["event"] == "finished" and event["job"] == 1)
    assert 'raise ValueError("no such luck")' in ended["traceback"]


def test_the_run_of_a_job_that_died_is_finished_in_its_name(sweep: Callable) -> None:
    result = sweep("-m", "fault=os_exit,sigkill,raise")
    tracker = ExperimentTracker(result.cwd / "experiments")
    records = {row["point"]["fault"]: tracker.record(row["run"]) for row in result.rows}
    assert {fault: str(record.status) for fault, record in records.items() if record} == {
        "os_exit": "failed",
        "sigkill": "killed",
        "raise": "failed",
    }
    assert all(record is not None and record.finished_at is not None for record in records.values())
    assert records["sigkill"] is not None
    assert records["sigkill"].error == "killed by SIGKILL"


def test_what_a_job_leaves_running_is_ended_with_it(sweep: Callable) -> None:
    result = sweep("-m", "fault=leaves_children", "x=1,2")
    assert result.code == 0, result.err
    pid = int((result.cwd / "child.pid").read_text())
    # The orphan may still be a zombie of init's for a moment; it runs no more.
    assert not is_alive(pid)


@pytest.mark.parametrize(("allowed", "code"), [("1", 0), ("0.5", 0), ("0.2", 1), ("0", 1)])
def test_failures_are_tolerated_as_a_count_or_a_share(sweep: Callable, allowed: str, code: int) -> None:
    assert sweep("-m", "fault=none,raise", f"hydra.sweeper.max_failures={allowed}").code == code


def test_jobs_that_were_not_started_did_not_fail(sweep: Callable) -> None:
    result = sweep("-m", "fault=raise", "x=1,2,3", "hydra.sweeper.fail_fast=true", "hydra.launcher.n_jobs=1")
    assert result.code == 1
    assert re.search(
        r"1 of 3 jobs failed, 2 cancelled \(max_failures=0\); resume with: python -m sweeps resume",
        result.err,
    )


def test_a_sweep_none_of_whose_jobs_can_be_ranked_says_so(sweep: Callable) -> None:
    result = sweep("-m", "x=inf", "seed=0,inf,-inf")
    assert result.code == 1
    assert "none of 3 completed jobs has a finite loss to rank by" in result.err


def test_a_returned_number_is_ranked_under_the_name_of_the_metric(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2,5", "track=false", "hydra.sweeper.objective.metric=val_loss")
    assert result.code == 0, result.err
    assert [row["objective"] for row in result.rows] == [0.0, 1.0, 9.0]
    assert "val_loss (min)" in result.out
    assert "contradicts" not in result.out


def test_a_mode_that_contradicts_the_name_wins_and_is_mentioned_once(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2,5", "track=false", "hydra.sweeper.objective={metric:rmse_val,mode:max}")
    assert result.code == 0, result.err
    assert [row["objective"] for row in result.rows] == [9.0, 1.0, 0.0]
    assert (result.out + result.err).count("mode=max contradicts the name of the metric: rmse_val") == 1


def test_a_long_leaderboard_is_cut_at_the_end_of_a_sweep(sweep: Callable) -> None:
    arguments = ("track=false", "hydra.sweeper.objective.metric=null", "hydra.launcher.isolation=reuse")
    result = sweep("-m", "x=range(60)", *arguments)
    assert result.code == 0, result.err
    assert "... and 10 more: python -m sweeps leaderboard" in result.out
    assert "epochs" not in result.out  # nothing was logged


def test_without_tracking_the_return_value_is_the_objective(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2", "track=false", "hydra.sweeper.objective={metric: null, mode: min}")
    assert result.code == 0, result.err
    assert [(row["run"], row["objective"]) for row in result.rows] == [(None, 0.0), (None, 1.0)]


def test_swept_keys_can_stand_in_the_config(sweep: Callable) -> None:
    result = sweep("-m", "+hydra.sweeper.params.x='1,2'")
    assert sorted(row["point"]["x"] for row in result.rows) == [1, 2]


def test_an_objective_that_no_job_logs_is_named_with_what_was_logged(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2", "hydra.sweeper.objective.metric=val_auc")
    assert result.code == 1
    assert (
        "objective.metric=val_auc: none of 2 completed jobs logged it; logged: loss, test_loss" in result.err
    )
    assert [row["status"] for row in result.rows] == ["completed", "completed"]


def test_a_column_that_no_job_logs_is_named_with_what_was_logged(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2", "hydra.sweeper.report=[los,loss]")
    assert result.code == 0, result.err
    assert "report=[los]: none of 2 completed jobs logged it; logged: loss, test_loss" in result.out


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("hydra.sweeper.objective.mode=best", "objective.mode=best: allowed are max, min"),
        ("hydra.sweeper.objective.at=first", "objective.at=first: allowed are best, last"),
        ("hydra.sweeper.max_failures=-1", "max_failures=-1"),
        ("hydra.sweeper.max_failures=2.5", "max_failures=2.5"),
        ("hydra.sweeper.check=nope.check", "hydra.sweeper.check=nope.check"),
        ("hydra.sweeper.winner=nope.show", "winner=nope.show: allowed is the dotted name of a function"),
        ("hydra.launcher.n_jobs=abc", "abc"),
        ("hydra.launcher.n_jobs=0", "n_jobs=0: allowed are 1, 2"),
        ("hydra.launcher.threads=0", "threads=0"),
        ("hydra.sweeper.name=../out", r"../out"),
        ("x=interval(0,1)", "cannot be listed for mode=grid"),
        ("nothing=1", "nothing"),
        ("hydra.sweeper.promotion.promote=true", "needs promotion.model_name"),
    ],
)
def test_impossible_settings_are_refused_before_anything_starts(
    sweep: Callable, argument: str, message: str
) -> None:
    result = sweep("-m", "x=1,2", argument)
    assert result.code == 1
    assert message in result.err
    assert not list(result.cwd.glob("experiments/sweeps/*"))


def test_a_named_sweep_is_never_overwritten(sweep: Callable) -> None:
    assert sweep("-m", "x=1", "hydra.sweeper.name=mine").code == 0
    again = sweep("-m", "x=2", "hydra.sweeper.name=mine")
    assert again.code == 1
    assert "choose a new name" in again.err
    assert [row["objective"] for row in again.rows] == [1.0]


def test_a_name_whose_sweep_was_killed_before_its_plan_is_free_again(sweep: Callable, tmp_path: Path) -> None:
    folder = tmp_path / "experiments" / "sweeps" / "mine"
    folder.mkdir(parents=True)
    (folder / ".plan.json.0123456789ab.tmp").write_text("{")
    result = sweep("-m", "x=1", "hydra.sweeper.name=mine")
    assert result.code == 0, result.err
    assert [row["objective"] for row in result.rows] == [1.0]


def test_a_store_that_cannot_be_written_is_one_clear_message(sweep: Callable, tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file, not a folder")
    result = sweep("-m", "x=1,2", "store=occupied/store")
    assert result.code == 1
    assert "cannot make a sweep folder" in result.err


def test_aggregating_again_gives_the_same_leaderboard(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2", "fault=none,raise")
    names = ("leaderboard.json", "leaderboard.csv", "leaderboard.md")
    before = [(result.dir / name).read_bytes() for name in names]
    for name in names:
        (result.dir / name).unlink()
    aggregate(result.dir)
    assert [(result.dir / name).read_bytes() for name in names] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_sweep_gently_and_ranks_what_is_there(
    start: Callable, finish: Callable, tmp_path: Path, number: signal.Signals
) -> None:
    process = start("-m", "fault=none,waits,raise", "hydra.launcher.n_jobs=1")
    for line in process.stdout:
        if line.startswith("[1/3]"):
            break
    await_file(tmp_path, "waiting-*", 1)
    process.send_signal(number)
    result = finish(process)
    assert result.code != 0
    assert f"stopped by {number.name}" in result.err
    statuses = [row["status"] for row in result.rows]
    assert statuses[0] == "completed"
    assert set(statuses[1:]) <= {"killed", "cancelled"}
    tracker = ExperimentTracker(tmp_path / "experiments")
    assert {str(record.status) for record in tracker.records()} <= {"completed", "killed"}


def test_an_early_signal_is_as_orderly_as_a_late_one(
    start_interpreter: Callable, finish: Callable, tmp_path: Path
) -> None:
    process = start_interpreter(
        "-m", "x=1,2,3", "hydra.launcher.preload=[slow_to_import]", "hydra.launcher.n_jobs=2"
    )
    for line in process.stdout:
        if line.startswith("Sweep"):  # planned; the forkserver is importing
            break
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it: to all of the group
    result = finish(process)
    assert "stopped by SIGINT" in result.err
    assert "Traceback" not in result.err
    assert {row["status"] for row in result.rows} <= {"completed", "killed", "cancelled"}


def test_jobs_end_with_a_parent_that_is_killed_and_what_had_completed_is_ranked(
    start: Callable, finish: Callable, tmp_path: Path
) -> None:
    process = start("-m", "fault=none,waits", "hydra.launcher.n_jobs=1")
    await_file(tmp_path, "waiting-*", 1)
    process.kill()
    result = finish(process)
    (waiting,) = tmp_path.glob("waiting-*")
    await_end(int(waiting.name.removeprefix("waiting-")))
    rows = aggregate(result.dir).rows
    assert [(row.rank, row.status, row.run) for row in rows] == [
        (1, "completed", "run_001"),
        (None, "killed", "run_002"),
    ]


def test_a_job_that_gets_sigterm_is_killed_by_name(start: Callable, finish: Callable, tmp_path: Path) -> None:
    process = start("-m", "fault=none,waits")
    await_file(tmp_path, "waiting-*", 1)
    (waiting,) = tmp_path.glob("waiting-*")
    os.kill(int(waiting.name.removeprefix("waiting-")), signal.SIGTERM)
    assert [(row["status"], row["error"]) for row in finish(process).rows] == [
        ("completed", None),
        ("killed", "killed by SIGTERM"),
    ]


def test_a_reader_that_leaves_does_not_stop_the_sweep(start: Callable, tmp_path: Path) -> None:
    process = start("-m", "x=1,2,3,4", "hydra.launcher.n_jobs=1")
    process.stdout.readline()
    process.stdout.close()
    process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 0
    (folder,) = (tmp_path / "experiments" / "sweeps").iterdir()
    assert [row["status"] for row in read_json(folder / "leaderboard.json")["rows"]] == ["completed"] * 4


def test_a_sweep_that_cannot_keep_its_records_stops_and_says_so(sweep: Callable) -> None:
    result = sweep("-m", "fault=breaks_the_ledger", "x=1,2,3,4,5", "hydra.launcher.n_jobs=1")
    assert result.code == 1
    assert "the sweep's records cannot be kept: " in result.err
    assert "jobs.jsonl is a folder, not a file" in result.err
    assert "Traceback" not in result.err
    statuses = [str(record.status) for record in ExperimentTracker(result.cwd / "experiments").records()]
    assert "running" not in statuses
    assert len(statuses) < 5


@pytest.mark.parametrize(
    ("argument", "key"),
    [("hydra.sweeper.objective.mode=max,min", "hydra.sweeper"), ("store=here,there", "hydra.sweeper.store")],
)
def test_what_a_sweep_is_ranked_by_cannot_be_swept(sweep: Callable, argument: str, key: str) -> None:
    result = sweep("-m", argument)
    assert result.code == 1
    assert key in result.err or "Hydra's configuration" in result.err
    assert not list(result.cwd.glob("*/sweeps/*"))


def await_end(pid: int) -> None:
    deadline = time.monotonic() + 30
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} runs on"
        time.sleep(0.01)


def await_file(folder: Path, pattern: str, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(list(folder.glob(pattern))) < count:
        assert time.monotonic() < deadline, f"{pattern} never came"
        time.sleep(0.01)


@pytest.mark.parametrize("more", [[], ["hydra.sweeper.dry_run=true"]])
def test_a_mode_that_contradicts_the_name_of_its_metric_is_mentioned_once(
    sweep: Callable, more: list[str]
) -> None:
    result = sweep("-m", "x=1,2", "hydra.sweeper.objective.mode=max", *more)
    assert result.code == 0, result.err
    assert (
        result.out.count("mode=max contradicts the name of the metric: loss is better when it is lower") == 1
    )
