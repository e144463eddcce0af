"""One replay of a ledger gives the state of every job and how well the slots were used."""

from pathlib import Path

import orjson
import pytest

from sweeps.jobs import JobStatus, Reason
from sweeps.plan.plan import Plan
from sweeps.ranking.status import sweep_status
from sweeps.state import ledger as ledger_module
from sweeps.state.job_runs import JobRuns
from sweeps.state.ledger import JobHistory, Usage, read_sweep, replay
from tracking import CorruptFileError, NewerFormatError
from tracking.files import read_json, write_json
from tracking.process.announcements import announce


def ledger(folder: Path, *entries: tuple[int, dict]) -> Path:
    path = folder / "jobs.jsonl"
    lines = [orjson.dumps({"at": f"2026-01-31T09:00:{second:02}+00:00", **data}) for second, data in entries]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def start_of(job: int, **data: object) -> dict:
    return {"event": "started", "job": job, "slot": job, **data}


def run_of(job: int, run: str) -> dict:
    return {"event": "run", "job": job, "run": run}


def end_of(job: int, wall_s: float, **data: object) -> dict:
    return {"event": "finished", "job": job, "wall_s": wall_s, "status": "completed", "runs": [], **data}


def test_a_job_that_finished_has_its_outcome_its_attempts_and_all_of_its_runs(tmp_path: Path) -> None:
    failed = {"event": "retry", "job": 3, "status": "failed", "wall_s": 1.0, "runs": ["run_001"]}
    path = ledger(
        tmp_path,
        (0, start_of(3, key="k")),
        (1, run_of(3, "run_001")),
        (2, failed),
        (3, start_of(3, key="k", attempt=2)),
        (4, run_of(3, "run_002")),
        (5, end_of(3, 2.0, runs=["run_002"], attempt=2, value="NaN", reason="error")),
    )
    job = replay(path).jobs[3]
    assert job.outcome is not None
    assert (job.outcome.status, job.outcome.reason) == (JobStatus.COMPLETED, Reason.ERROR)
    assert job.outcome.value != job.outcome.value
    assert (job.attempts, job.runs, job.last_run) == (2, ("run_001", "run_002"), "run_002")
    assert (job.is_open, job.open_run) == (False, None)
    assert replay(path).durations == {"k": 2.0}


def test_an_attempt_without_an_end_is_open_and_names_its_own_run_alone(tmp_path: Path) -> None:
    path = ledger(tmp_path, (0, start_of(0)), (1, run_of(0, "run_001")), (2, start_of(0, attempt=2)))
    job = replay(path).jobs[0]
    assert (job.is_open, job.open_run, job.last_run) == (True, None, "run_001")
    assert replay(path).outcomes == {}


def test_a_run_of_an_attempt_whose_start_was_not_recorded_is_known(tmp_path: Path) -> None:
    runs, folder = JobRuns(tmp_path, "mine"), tmp_path / "job"
    folder.mkdir()
    for attempt, run in ((1, "run_001"), (2, "run_002")):
        job = JobHistory(attempts=attempt - 1)
        job.hear(runs, folder)
        assert not job.is_open
        announce(folder, tmp_path / "runs" / run, attempt=attempt, by_child=False)
        job.hear(runs, folder)
        assert (job.is_open, job.attempts, job.runs) == (True, attempt, (run,))


def test_a_job_that_runs_again_keeps_its_last_outcome_until_the_next(tmp_path: Path) -> None:
    path = ledger(tmp_path, (0, start_of(0)), (1, end_of(0, 1.0, status="killed")), (2, start_of(0)))
    job = replay(path).jobs[0]
    assert job.is_open
    assert replay(path).outcomes[0].status is JobStatus.KILLED


def test_a_run_that_stands_in_for_a_job_says_nothing_about_its_duration(tmp_path: Path) -> None:
    path = ledger(tmp_path, (0, start_of(0, key="k")), (1, end_of(0, 0.0, reused=True)))
    assert replay(path).durations == {}


def test_an_event_of_a_later_version_is_passed_over(tmp_path: Path) -> None:
    path = ledger(tmp_path, (0, {"event": "paused", "job": 0}), (1, {"event": "moved"}))
    assert replay(path).jobs == {0: JobHistory()}


def test_the_state_of_a_sweep_takes_one_reading_of_its_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = tmp_path / "sweeps" / "mine"
    sweep.mkdir(parents=True)
    objective = {"metric": None, "mode": "max", "at": "best"}
    Plan("mine", "2026-01-31T09:30:00+00:00", ("app.py",), (), objective, None, total=1).save(
        sweep / "plan.json"
    )
    ledger(sweep, (0, start_of(0)), (1, end_of(0, 1.0, value=0.5)))
    read: list[Path] = []

    def counting(path: Path) -> object:
        read.append(path)
        return read_lines(path)

    read_lines = ledger_module.read_lines
    monkeypatch.setattr(ledger_module, "read_lines", counting)
    assert sweep_status(sweep).counts == {"completed": 1}
    assert read == [sweep / "jobs.jsonl"]


def test_slots_are_busy_while_jobs_hold_them(tmp_path: Path) -> None:
    path = ledger(
        tmp_path,
        (0, {"event": "began", "slots": 2}),
        (0, start_of(0)),
        (0, start_of(1)),
        (4, end_of(0, 4.0)),
        (10, end_of(1, 10.0)),
        (10, {"event": "ended"}),
    )
    assert replay(path).usage == Usage(2, wall_s=10.0, busy_s=14.0, available_s=20.0, utilisation=0.7)


def test_jobs_that_share_a_process_count_by_their_shares_of_its_time(tmp_path: Path) -> None:
    path = ledger(
        tmp_path,
        (0, {"event": "began", "slots": 1}),
        (0, start_of(0, key="k")),
        (0, start_of(1)),
        (9, end_of(0, 9.0, share_s=4.0)),
        (10, end_of(1, 10.0, share_s=5.0)),
        (10, {"event": "ended"}),
    )
    assert replay(path).usage == Usage(1, wall_s=10.0, busy_s=9.0, available_s=10.0, utilisation=0.9)
    assert replay(path).durations == {"k": 4.0}


def test_the_time_between_two_sessions_of_a_sweep_counts_for_nothing(tmp_path: Path) -> None:
    path = ledger(
        tmp_path,
        (0, {"event": "began", "slots": 1}),
        (1, start_of(0)),
        (5, run_of(0, "run_001")),  # and then the process that ran the sweep was killed
        (50, {"event": "began", "slots": 2}),
        (50, end_of(7, 3.0)),  # of the first session, found by the second
        (50, start_of(0)),
        (55, end_of(0, 5.0)),
    )
    assert replay(path).usage == Usage(2, wall_s=10.0, busy_s=9.0, available_s=15.0, utilisation=0.6)


def test_places_of_nodes_that_come_and_go_count_for_the_time_that_they_are_there(tmp_path: Path) -> None:
    path = ledger(
        tmp_path,
        (0, {"event": "began", "slots": 8}),  # of the machine where the sweep runs
        (10, start_of(0, node="a", places=1)),  # the first node has come late
        (20, end_of(0, 10.0)),
        (20, start_of(1, node="b", places=3)),
        (30, end_of(1, 10.0)),
        (30, start_of(2, node="b", places=2)),
        (40, end_of(2, 10.0)),
        (40, {"event": "ended"}),
    )
    assert replay(path).usage == Usage(3, wall_s=40.0, busy_s=30.0, available_s=60.0, utilisation=0.5)


def test_a_ledger_that_names_no_slots_gives_no_usage(tmp_path: Path) -> None:
    assert replay(tmp_path / "jobs.jsonl").usage is None
    assert replay(ledger(tmp_path, (0, start_of(0)), (5, end_of(0, 5.0)))).usage is None


def test_a_launcher_that_names_no_slots_gives_no_usage(tmp_path: Path) -> None:
    began = {"event": "began", "slots": 2}
    path = ledger(tmp_path, (0, began), (0, {"event": "started", "job": 0}), (5, end_of(0, 5.0)))
    assert replay(path).usage is None


@pytest.mark.parametrize(
    "damage",
    [
        {"status": "odd"},
        {"reason": "odd"},
        {"status": None},
        {"runs": 5},
        {"job": "x"},
        {"at": "x"},
        {"at": None},
        {"wall_s": None},
    ],
)
def test_a_damaged_event_is_left_out_and_named(
    tmp_path: Path, damage: dict, caplog: pytest.LogCaptureFixture
) -> None:
    path = ledger(
        tmp_path,
        (0, {"event": "began", "slots": 2}),
        (0, start_of(0)),
        (1, {**end_of(0, 1.0), **damage}),
        (2, start_of(1)),
        (3, end_of(1, 2.0)),
    )
    history = replay(path)
    assert history.jobs[1].outcome is not None
    assert 0 not in history.outcomes
    assert f"left out: {path}: a damaged event" in caplog.text


@pytest.mark.parametrize(
    "damage",
    [
        {"total": "x"},
        {"total": 10**9},
        {"total": -1},
        {"objective": {"metric": "a", "mode": "foo", "at": "best"}},
        {"objective": None},
        {"command": 5},
        {"version": "x"},
        {"jobs": [{}]},
    ],
)
def test_a_plan_that_is_damaged_is_named(tmp_path: Path, damage: dict) -> None:
    path = tmp_path / "plan.json"
    objective = {"metric": None, "mode": "max", "at": "best"}
    Plan("mine", "2026-01-31T09:30:00+00:00", ("app.py",), (), objective, None, total=1).save(path)
    assert Plan.read(path).total == 1
    write_json(path, {**read_json(path), **damage})
    with pytest.raises(
        CorruptFileError, match=r"plan.json is not the plan of a sweep .*; repair or remove it"
    ):
        Plan.read(path)


@pytest.mark.parametrize("text", ["{}", "[]", "5"])
def test_a_file_that_is_not_a_plan_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(CorruptFileError, match=r"plan.json is not the plan of a sweep"):
        Plan.read(tmp_path / "plan.json")


def test_a_plan_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "plan.json", {"version": 3})
    with pytest.raises(NewerFormatError, match=r"plan.json has format 3; a newer version of podium wrote it"):
        Plan.read(tmp_path / "plan.json")


def test_a_job_that_the_ledger_has_lost_is_still_counted(tmp_path: Path) -> None:
    objective = {"metric": None, "mode": "max", "at": "best"}
    plan = Plan("mine", "2026-01-31T09:30:00+00:00", ("app.py",), (), objective, None, total=3)
    plan.save(tmp_path / "plan.json")
    _, history = read_sweep(tmp_path)
    assert [job.number for job in history.planned] == [0, 1, 2]


@pytest.mark.parametrize("point", [None, 5, "x=1"])
def test_a_damaged_point_leaves_its_job_with_its_number_alone(tmp_path: Path, point: object) -> None:
    path = ledger(tmp_path, (0, {"event": "asked", "job": 0, "point": point}), (1, end_of(0, 1.0)))
    (job,) = replay(path).planned
    assert (job.number, job.point) == (0, {})
