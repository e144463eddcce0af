"""A job that an earlier sweep has done is not done again, if it is asked so."""

from collections.abc import Callable

import pytest
from quadratic import Sweep

from sweeps.cli.app import main
from tracking import ExperimentTracker
from tracking.files import read_json, write_json


@pytest.fixture
def again(sweep: Callable[..., Sweep]) -> Callable[..., Sweep]:
    """Run a sweep that may reuse runs, beside whatever is there."""
    return lambda *arguments: sweep("-m", *arguments, "hydra.sweeper.reuse=true", "hydra.sweeper.name=again")


def rows(result: Sweep) -> dict[int, dict]:
    folder = result.cwd / "experiments" / "sweeps" / "again"
    return {row["point"]["x"]: row for row in read_json(folder / "leaderboard.json")["rows"]}


def test_completed_runs_of_the_same_config_are_taken_and_marked(sweep: Callable, again: Callable) -> None:
    sweep("-m", "x=1,2", "hydra.sweeper.name=first")
    result = again("x=1,2,3")
    assert result.code == 0, result.err
    assert "reuse: 2 of 3 jobs have a completed job of the same config" in result.out
    assert [line.split("  ")[2] for line in result.out.splitlines() if line.startswith("[")] == [
        "reused",
        "reused",
        "completed",
    ]
    assert [
        line.split()[-1] for line in result.out.splitlines() if " run_00" in line and "[" not in line
    ] == [
        "reused",
        "reused",
        "completed",
    ]
    found = rows(result)
    assert {x: (row["reused"], row["rank"], row["objective"]) for x, row in found.items()} == {
        2: (True, 1, 0.0),
        1: (True, 2, 1.0),
        3: (False, 3, 1.0),
    }
    table = (result.cwd / "experiments" / "sweeps" / "again" / "leaderboard.csv").read_text()
    assert table.count(",reused,") == 2
    tracker = ExperimentTracker(result.cwd / "experiments")
    assert len(tracker.records()) == 3
    assert tracker.record(found[1]["run"]).sweep["id"] == "first"


def test_the_log_of_a_job_that_did_not_run_is_that_of_its_run(
    sweep: Callable, again: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep("-m", "x=1", "hydra.sweeper.name=first")
    store = again("x=1").cwd / "experiments"
    assert main(["logs", "again", "0", "--store", str(store)]) == 1
    assert "job 0 of again did not run: it reuses run_001" in capsys.readouterr().err
    assert main(["jobs", "again", "--json", "--store", str(store)]) == 0
    assert '"reused": true' in capsys.readouterr().out


def test_runs_that_failed_and_runs_of_other_configs_are_not_taken(sweep: Callable, again: Callable) -> None:
    sweep("-m", "x=1", "fault=raise", "hydra.sweeper.name=first")
    sweep("-m", "x=1", "seed=4", "hydra.sweeper.name=second")
    assert "reuse: 0 of 2 jobs" in again("x=1", "fault=none,raise").out


def test_runs_of_other_code_are_not_taken(sweep: Callable, again: Callable) -> None:
    first = sweep("-m", "x=1", "hydra.sweeper.name=first")
    plan = read_json(first.dir / "plan.json")
    assert list(plan["code"]) == ["app.py"]
    write_json(first.dir / "plan.json", {**plan, "code": {"app.py": "0" * 16}})
    assert "reuse: 0 of 1 jobs" in again("x=1").out


def test_all_runs_that_are_taken_saw_the_same_data_as_the_newest(sweep: Callable, again: Callable) -> None:
    first = sweep("-m", "x=1,2", "hydra.sweeper.name=first", "hydra.launcher.n_jobs=1")
    for run, data in (("run_001", "sha256:old"), ("run_002", "sha256:new")):
        file = first.cwd / "experiments" / "runs" / run / "run.json"
        write_json(file, {**read_json(file), "data": {"fingerprint": data}})
    result = again("x=1,2")
    assert "reuse: 1 of 2 jobs have a completed job of the same config, on the data sha256:new" in result.out
    assert {x: row["reused"] for x, row in rows(result).items()} == {1: False, 2: True}


RETURNS = ("track=false", "hydra.sweeper.objective={metric:null,mode:min}")


@pytest.mark.parametrize("more", [(), ("hydra/callbacks=podium",)])
def test_a_returned_objective_is_taken_from_the_ledger(
    sweep: Callable, again: Callable, more: tuple[str, ...]
) -> None:
    sweep("-m", "x=1,2", "hydra.sweeper.name=first", *RETURNS, *more)
    result = again("x=1,2,3", *RETURNS, *more)
    assert result.code == 0, result.err
    assert "reuse: 2 of 3 jobs have a completed job of the same config" in result.out
    found = rows(result)
    assert {x: (row["reused"], row["rank"], row["objective"]) for x, row in found.items()} == {
        2: (True, 1, 0.0),
        1: (True, 2, 1.0),
        3: (False, 3, 1.0),
    }
    assert [row["run"] is None for row in found.values()] == [not more] * 3


def test_so_is_a_returned_number_that_the_metric_names(sweep: Callable, again: Callable) -> None:
    sweep("-m", "x=1,2", "hydra.sweeper.name=first", "track=false", "hydra.sweeper.objective.metric=val_loss")
    result = again("x=1,2", "track=false", "hydra.sweeper.objective.metric=val_loss")
    assert {x: (row["reused"], row["objective"]) for x, row in rows(result).items()} == {
        1: (True, 1.0),
        2: (True, 0.0),
    }


def test_a_job_without_a_value_is_not_taken(sweep: Callable, again: Callable) -> None:
    first = sweep("-m", "x=1,2", "hydra.sweeper.name=first", *RETURNS)
    (first.dir / "jobs.jsonl").write_text((first.dir / "jobs.jsonl").read_text().replace('"value":1.0,', ""))
    assert "reuse: 1 of 2 jobs" in again("x=1,2", *RETURNS).out


def test_a_damaged_ledger_adds_nothing(sweep: Callable, again: Callable) -> None:
    first = sweep("-m", "x=1,2", "hydra.sweeper.name=first", *RETURNS)
    (first.dir / "jobs.jsonl").write_bytes(b"\xff[}")
    result = again("x=1,2", *RETURNS)
    assert result.code == 0, result.err
    assert "reuse: 0 of 2 jobs" in result.out
