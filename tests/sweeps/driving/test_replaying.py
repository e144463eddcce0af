"""A ledger makes the same search again."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driven import BOUND, Known, Session, Told, driver_of
from hypothesis import given, settings
from hypothesis import strategies as st
from searched import make

from sweeps.driving.driver import Driver
from sweeps.driving.replaying import replay_search
from sweeps.jobs import EventKind, Job, JobStatus, Outcome, Reason
from sweeps.search.decisions import End, EndKind, NewJob
from sweeps.settings.search_settings import Mode, Schedule
from sweeps.state.ledger import Ledger
from tracking.files import read_lines

PAUSED = Outcome(0, JobStatus.PRUNED, 1.0)


@pytest.fixture
def session() -> Session:
    return Session()


def lives(driver: Driver, source: random.Random, running: dict[int, Job], steps: int) -> Iterator[int]:
    """Let jobs begin, be judged and end in a random order."""
    for step in range(steps):
        if (len(running) < 3 and driver.ready()) or not running:
            job = next(driver, None)
            if job is None:
                return
            running[job.number] = job
            continue
        job = running[source.choice(sorted(running))]
        if job.until is not None and source.random() < 0.8:
            go_on = driver.judge([(job.number, job.until, Path(str(job.number)))])
            if job.number in go_on:
                running[job.number] = Job(job.number, "", "", (), {}, Path(), b"", until=go_on[job.number])
                continue
            outcome = Outcome(job.number, JobStatus.PRUNED, 1.0)
        else:
            reason = source.choice([None, None, None, Reason.ERROR, Reason.SIGNAL])
            status = JobStatus.COMPLETED if reason is None else JobStatus.FAILED
            outcome = Outcome(job.number, status, 1.0, reason=reason)
        del running[job.number]
        driver.ended(outcome)
        yield step


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 40),
    st.sampled_from([Mode.RANDOM, Mode.QMC, Mode.TPE]),
    st.booleans(),
)
def test_a_ledger_makes_the_same_search_again(
    tmp_path_factory: pytest.TempPathFactory, seed: int, steps: int, mode: Mode, is_bounded: bool
) -> None:
    folder, source = tmp_path_factory.mktemp("search"), random.Random(seed)
    asked: dict[str, Any] = {"mode": mode, "schedule": Schedule.ASHA, "n_trials": 12, "confirm": 0.2}
    asked["constraints"] = (BOUND,) if is_bounded else ()
    search, running = make(**asked), dict[int, Job]()
    values = Known({number: source.random() for number in range(50)}, is_bounded=is_bounded)
    driver = driver_of(search, folder, Session(), values=values)
    for _ in lives(driver, source, running, steps):
        pass
    driver.close()
    judged = [each for event in read_lines(folder / "jobs.jsonl") for each in event.get("arrivals", ())]
    assert all(("violations" in each) == is_bounded for each in judged)
    again = make(**asked)
    planner: Any = driver._planner
    heard = replay_search(folder / "jobs.jsonl", again, planner.points)
    assert again.is_over == search.is_over
    assert again.decide() == search.decide()
    assert {job: again.until(job) for job in running} == {job: search.until(job) for job in running}
    assert heard == driver._heard


def test_a_job_that_a_judgement_has_ended_came_to_what_it_was_judged_by(
    tmp_path: Path, session: Session
) -> None:
    values = Known({0: 6.0})  # 2 after three epochs, and 6 at its end
    driver = driver_of(Told(NewJob(("x=1",), 3), NewJob(("x=2",), 3)), tmp_path, session, values=values)
    next(driver)
    assert driver.value_at_judgement(PAUSED) is None
    driver.judge([(0, 3, tmp_path)])
    driver.ended(PAUSED)
    assert driver.value_at_judgement(PAUSED) == (2.0,)
    assert driver.value_at_judgement(Outcome(0, JobStatus.COMPLETED, 1.0)) is None
    driver.close()
    told = [event["told"] for event in read_lines(tmp_path / "jobs.jsonl") if event["event"] == "finished"]
    assert [(each["values"], each["epochs"]) for each in told] == [([2.0], 3)]
    heard = replay_search(tmp_path / "jobs.jsonl", Told(NewJob(("x=1",), 3)), {0: ("x=1",)})
    again = heard.of_paused(0, End(EndKind.PAUSED, (6.0,), 9))  # whose end the session before did not record
    assert (again.values, again.epochs) == ((2.0,), 3)
    whole = End(EndKind.COMPLETED, (6.0,), 9)
    assert heard.of_paused(0, whole) == whole


@pytest.mark.parametrize(
    ("was", "now", "share"),
    [(4.0, 4.0, 1.19), (4.0, 40.0, 0.119), (4.0, 2.0, 2.38), (None, 40.0, 1.19), (4.0, None, None)],
)
def test_the_time_that_is_spent_counts_as_a_share_of_the_budget_that_there_is_now(
    tmp_path: Path, was: float | None, now: float | None, share: float | None
) -> None:
    spent = {"share": 1.19} if was is None else {"share": 1.19, "of_s": was}
    Ledger(tmp_path / "jobs.jsonl").mark(EventKind.CLOCK, **spent)
    search = Told(NewJob(("x=1",)))
    replay_search(tmp_path / "jobs.jsonl", search, {}, now)
    assert search.shares == ([] if share is None else [pytest.approx(share)])


def test_damaged_events_and_unknown_jobs_are_left_out(
    tmp_path: Path, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    driver = driver_of(make(n_trials=3), tmp_path, session)
    jobs = [next(driver) for _ in range(2)]
    driver.ended(Outcome(jobs[0].number, JobStatus.COMPLETED, 1.0))
    driver.close()
    with (tmp_path / "jobs.jsonl").open("a") as ledger:
        ledger.write('{"event": "finished", "job": 1, "told": {"kind": "lucky"}}\n')
        ledger.write('{"event": "finished", "job": 77, "told": {"kind": "completed"}}\n{"event": "rung"}\n')
    again = make(n_trials=3)
    points: Any = driver._planner
    replay_search(tmp_path / "jobs.jsonl", again, points.points, None)
    assert len([each for each in caplog.records if "a damaged event" in each.getMessage()]) == 2
    assert isinstance(again.decide(), NewJob)
