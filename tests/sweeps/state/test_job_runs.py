"""A run is a job's by its folder and by its own record: a run of the same id in another place or of another job is not."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sweeps.jobs import Event, EventKind, JobStatus, Outcome, PlannedJob
from sweeps.plan.plan import Plan
from sweeps.ranking.aggregate import rank, read_value
from sweeps.ranking.leaderboard import Leaderboard
from sweeps.state.job_runs import JobRuns
from sweeps.state.ledger import Ledger, judge_by_run, read_sweep
from tracking import ExperimentTracker, Run, job_context
from tracking.objective import Objective

LOSS = Objective.of("loss", "min")


def open_run(store: Path, job: int = 0, *, sweep: str = "mine", attempt: int = 1, **metrics: float) -> Run:
    """Open a run as a job does, and finish it when it has metrics."""
    with job_context(sweep=sweep, job=job, key="k", config_hash="h", attempt=attempt):
        run = ExperimentTracker(store).start_run("e", capture_output=False)
    if metrics:
        run.log(metrics)
        run.finish()
    return run


def completed(*runs: str | Path, job: int = 0, **details: Any) -> Outcome:
    return Outcome(job, JobStatus.COMPLETED, 1.0, runs=tuple(map(str, runs)), **details)


def board(store: Path, *outcomes: Outcome, metric: str | None = "loss") -> Leaderboard:
    folder = store / "sweeps" / "mine"
    folder.mkdir(parents=True, exist_ok=True)
    objective = {"metric": metric, "mode": "min", "at": "best"}
    plan = Plan("mine", "2026-01-31T09:30:00+00:00", ("app.py",), ("x",), objective, None, len(outcomes))
    plan.save(folder / "plan.json")
    ledger = Ledger(folder / "jobs.jsonl")
    ledger.ask(PlannedJob(each.job, (), {"x": each.job}, "k", "h") for each in outcomes)
    for outcome in outcomes:
        ledger.finish(outcome)
    return rank(folder)


def test_a_run_goes_by_its_id_in_the_sweeps_store_and_by_its_folder_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "store")
    (tmp_path / "store" / "runs").mkdir(parents=True)
    runs = JobRuns(tmp_path / "store", "mine")
    elsewhere = str(tmp_path / "elsewhere" / "runs" / "run_001")
    for folder, name in {
        str(tmp_path / "store" / "runs" / "run_001"): "run_001",
        str(tmp_path / "link" / "runs" / "run_001"): "run_001",
        elsewhere: elsewhere,
        "run_001": "run_001",
    }.items():
        assert runs.name(folder) == name
        assert runs.name(name) == name
    assert runs.folder("run_001") == tmp_path / "store" / "runs" / "run_001"
    assert runs.folder(elsewhere) == Path(elsewhere)
    odd = runs.name(str(tmp_path / "caf\udce9" / "runs" / "run_001"))
    assert odd.encode()  # a ledger can hold it


def test_the_names_in_events_are_those_of_the_ledger(tmp_path: Path) -> None:
    runs = JobRuns(tmp_path, "mine")
    folder = str(tmp_path / "runs" / "run_001")
    assert runs.named(Event(EventKind.RUN, 0, {"run": folder})).data == {"run": "run_001"}
    assert runs.named(Event(EventKind.RETRY, 0, {"runs": (folder,), "error": "e"})).data == {
        "runs": ["run_001"],
        "error": "e",
    }
    assert runs.named(Event(EventKind.STARTED, 0, {"pid": 1})).data == {"pid": 1}


def test_a_run_of_another_store_is_read_there_and_not_under_its_id_in_the_sweeps_own(tmp_path: Path) -> None:
    open_run(tmp_path / "store", sweep="another", loss=0.0)
    own = open_run(tmp_path / "elsewhere", loss=5.0)
    (row,) = board(tmp_path / "store", completed(own.run_dir)).rows
    assert (row.rank, row.objective, row.run) == (1, 5.0, str(own.run_dir))


@pytest.mark.parametrize("where", ["store", "elsewhere"])
@pytest.mark.parametrize(
    ("sweep", "job", "whose"),
    [("mine", 1, "job 1 of sweep mine"), ("theirs", 0, "job 0 of sweep theirs"), (None, 0, "no sweep")],
)
def test_a_run_that_names_another_job_is_not_ranked_and_not_shown(
    tmp_path: Path, where: str, sweep: str | None, job: int, whose: str
) -> None:
    if sweep is None:
        run = ExperimentTracker(tmp_path / where).start_run("e")
        run.log({"loss": 0.0})
        run.finish()
    else:
        run = open_run(tmp_path / where, job, sweep=sweep, loss=0.0)
    (row,) = board(tmp_path / "store", completed(run.run_dir)).rows
    assert (row.rank, row.objective, row.run, row.status) == (None, None, None, "completed")
    assert row.error is not None
    assert row.error.endswith(f"run_001 is not its run; it belongs to {whose}")


def test_a_run_that_is_gone_is_the_reason_why_its_job_is_not_ranked(tmp_path: Path) -> None:
    run = open_run(tmp_path, loss=0.5)
    assert board(tmp_path, completed(run.run_id)).rows[0].rank == 1
    shutil.rmtree(run.run_dir)
    (row,) = board(tmp_path, completed(run.run_id)).rows
    assert (row.rank, row.objective, row.error) == (None, None, "its run run_001 is gone")


@pytest.mark.parametrize(
    "name", ["run_009", "../run_001", "a/b", "/", "/x", "/nowhere/runs/run_001", "caf\\udce9"]
)
def test_whatever_a_ledger_names_is_a_run_or_gone(tmp_path: Path, name: str) -> None:
    found = JobRuns(tmp_path, "mine").find(name, 0)
    assert (found.record, found.fault) == (None, f"its run {name} is gone")


def test_a_job_that_failed_keeps_its_own_error_whatever_became_of_its_run(tmp_path: Path) -> None:
    failed = Outcome(0, JobStatus.FAILED, 1.0, error="ValueError: late", runs=("run_007",))
    assert board(tmp_path, failed).rows[0].error == "ValueError: late"


def test_a_returned_value_is_ranked_whatever_became_of_the_run(tmp_path: Path) -> None:
    (row,) = board(tmp_path, completed("run_007", value=0.25), metric=None).rows
    assert (row.rank, row.objective, row.run) == (1, 0.25, None)


def test_a_returned_number_does_not_stand_in_for_a_run_that_is_gone(tmp_path: Path) -> None:
    (row,) = board(tmp_path, completed("run_007", value={"loss": 0.25})).rows
    assert (row.rank, row.error) == (None, "its run run_007 is gone")


def test_a_run_that_stands_in_for_a_job_is_that_of_another_sweep(tmp_path: Path) -> None:
    run = open_run(tmp_path, 7, sweep="earlier", attempt=2, loss=0.5)
    (row,) = board(tmp_path, completed(run.run_id, reused=True)).rows
    assert (row.rank, row.objective, row.run) == (1, 0.5, run.run_id)


def test_of_several_runs_the_last_that_logged_the_objective_counts(tmp_path: Path) -> None:
    for attempt, metrics in ((1, {"loss": 9.0}), (2, {"loss": 2.0}), (2, {"loss": 3.0}), (2, {"other": 1.0})):
        open_run(tmp_path, attempt=attempt, **metrics)
    ids = [f"run_{number:03d}" for number in range(1, 5)]
    runs = JobRuns(tmp_path, "mine")

    def chosen(*names: str, attempt: int = 2) -> str | None:
        return runs.of_outcome(completed(*names, attempt=attempt), "loss").name

    assert chosen(*ids) == "run_003"
    assert chosen("run_004") == "run_004"  # none logged it
    assert chosen("run_001", "run_004") == "run_004"  # that of an earlier attempt does not stand in
    assert chosen() is None
    assert runs.of_outcome(completed(*ids, attempt=2), None).name == "run_004"


def test_a_last_run_that_is_gone_is_not_replaced_by_one_before_it(tmp_path: Path) -> None:
    open_run(tmp_path, loss=0.5)
    outcome = completed("run_001", "run_002")
    assert read_value(JobRuns(tmp_path, "mine"), LOSS, outcome) is None
    assert board(tmp_path, outcome).rows[0].error == "its run run_002 is gone"


def test_the_end_of_a_job_is_not_read_from_the_run_of_another(tmp_path: Path) -> None:
    open_run(tmp_path, 1, loss=0.5)
    runs = JobRuns(tmp_path, "mine")
    assert judge_by_run(runs, 0, "run_001") is None
    judged = judge_by_run(runs, 1, "run_001")
    assert judged is not None
    assert judged.status is JobStatus.COMPLETED


def test_an_open_attempt_has_the_runs_that_it_has_announced(tmp_path: Path) -> None:
    board(tmp_path, completed("run_005", job=0), completed(job=1))
    folder = tmp_path / "sweeps" / "mine"
    ledger = Ledger(folder / "jobs.jsonl")
    for job in range(2):
        (folder / "jobs" / str(job)).mkdir(parents=True)
        first, second = (str(tmp_path / "runs" / f"run_{job}0{attempt}") for attempt in (1, 2))
        (folder / "jobs" / str(job) / "runs.jsonl").write_text(
            f'\n{{"run": "{first}", "attempt": 1}}\n\n{{"run": "{second}", "attempt": 2, "child": true}}\n'
            '\n{"run": 5, "attempt": 2}\n\n[]\n\nnull\n\n{"run": "to'
        )
    ledger.note(Event(EventKind.STARTED, 0, {"attempt": 2}))
    _, history = read_sweep(folder)
    assert (history.jobs[0].runs, history.jobs[0].child_runs) == (("run_005", "run_002"), ("run_002",))
    assert (history.jobs[1].runs, history.jobs[1].child_runs) == ((), ())  # its outcome has been recorded


def tags(runs: JobRuns, *names: str) -> list[object]:
    found = [runs.find(name, 0).record for name in names]
    return [record and record.tags.get("superseded_by") for record in found]


def test_the_runs_of_earlier_attempts_name_the_one_that_counts(tmp_path: Path) -> None:
    for attempt, metrics in ((1, {"loss": 9.0}), (2, {"loss": 2.0}), (3, {"loss": 3.0}), (3, {"other": 1.0})):
        open_run(tmp_path, attempt=attempt, **metrics)
    another = open_run(tmp_path, 1, attempt=1, loss=0.0)
    ids, runs = [f"run_{number:03d}" for number in range(1, 5)], JobRuns(tmp_path, "mine")
    runs.supersede(completed(another.run_id, "run_009", *ids, attempt=3), "loss")
    assert tags(runs, *ids) == ["run_003", "run_003", None, None]
    assert runs.read(another.run_id).record.tags == {}


@pytest.mark.parametrize("details", [{}, {"attempt": 3}, {"attempt": 2, "reused": True}])
def test_no_run_is_superseded_by_an_attempt_without_a_run_or_by_one_of_another_sweep(
    tmp_path: Path, details: dict[str, Any]
) -> None:
    for attempt in (1, 2):
        open_run(tmp_path, attempt=attempt, loss=float(attempt))
    runs = JobRuns(tmp_path, "mine")
    runs.supersede(completed("run_001", "run_002", **details), "loss")
    assert tags(runs, "run_001", "run_002") == [None, None]


def test_a_run_of_another_store_is_named_as_its_store_would(tmp_path: Path) -> None:
    near = open_run(tmp_path / "store", attempt=1, loss=1.0)
    first, last = (open_run(tmp_path / "elsewhere", attempt=attempt, loss=1.0) for attempt in (2, 3))
    runs = JobRuns(tmp_path / "store", "mine")
    names = [near.run_id, str(first.run_dir), str(last.run_dir)]
    runs.supersede(completed(*names, attempt=3), "loss")
    assert tags(runs, *names) == [str(last.run_dir), last.run_id, None]


def test_what_a_process_cut_off_says_so_unless_it_had_ended_by_itself(tmp_path: Path) -> None:
    open_run(tmp_path, attempt=1)
    for status in ("completed", "failed", "killed"):
        open_run(tmp_path, attempt=2).finish(status, error=None if status == "completed" else "its own")
    open_run(tmp_path, attempt=2)
    ids, runs = [f"run_{number:03d}" for number in range(1, 6)], JobRuns(tmp_path, "mine")
    said = "killed by SIGKILL; the job runs again alone"
    runs.cut_off(0, [*ids, "run_009"], 2, said)
    found = [runs.find(each, 0).record for each in ids]
    assert [(record.status, record.error) for record in found if record] == [
        ("running", None),
        ("completed", None),
        ("failed", "its own"),
        ("killed", said),
        ("killed", said),
    ]
    ExperimentTracker(tmp_path).open_run("run_001").finish()


def test_a_run_of_a_process_that_cannot_be_seen_from_here_is_finished(tmp_path: Path) -> None:
    run = open_run(tmp_path, attempt=1)
    file = run.run_dir / "run.json"
    elsewhere = {"host": "node7", "machine": "another", "boot_id": "another", "pid_namespace": "another"}
    file.write_text(json.dumps({**json.loads(file.read_text()), **elsewhere}))
    runs = JobRuns(tmp_path, "mine")
    runs.cut_off(0, [run.run_id], 1, "its node node7 was lost; the job runs again")
    record = runs.find(run.run_id, 0).record
    assert record is not None
    assert (record.status, record.error) == ("killed", "its node node7 was lost; the job runs again")
