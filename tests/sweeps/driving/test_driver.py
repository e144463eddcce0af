"""The driver: a slot gets what the search decides, and waits only for running jobs."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from driven import LOSS, Session, Told, driver_of

from sweeps.driving.driver import LOOK_S
from sweeps.driving.replaying import Heard
from sweeps.jobs import Job, JobStatus, Outcome, Reason
from sweeps.search.decisions import Arrival, Decision, GoOn, NewJob
from sweeps.settings.search_settings import Mode, Schedule, SearchSettings
from tracking.files import read_lines


@pytest.fixture
def session() -> Session:
    return Session()


KILLED = Outcome(0, JobStatus.KILLED, 1.0, reason=Reason.SIGNAL)
PAUSED = Outcome(0, JobStatus.PRUNED, 1.0)


def test_jobs_that_had_begun_come_first(tmp_path: Path, session: Session) -> None:
    driver = driver_of(Told(NewJob(("x=1",), 3)), tmp_path, session, pending=[4, 2])
    assert [(job.number, job.until) for job in driver] == [(4, 7), (2, 7), (0, 3)]
    assert not driver.has_jobs
    driver.close()


def test_a_slot_waits_for_a_running_job_and_is_woken_by_its_end(tmp_path: Path, session: Session) -> None:
    driver = driver_of(Told(NewJob(("x=1",)), None, GoOn(0, 9)), tmp_path, session)
    assert next(driver).number == 0
    assert not driver.ready()
    found: list[Job] = []
    waiting = threading.Thread(target=lambda: found.append(next(driver)))
    waiting.start()
    driver.ended(Outcome(0, JobStatus.PRUNED, 1.0))
    waiting.join(30)
    assert [(job.number, job.until) for job in found] == [(0, 9)]
    assert session.heard == ["begins 0 to None", "goes on 0 to 9"]
    kinds = [(event["event"], event.get("job")) for event in read_lines(tmp_path / "jobs.jsonl")]
    assert kinds == [("asked", 0), ("finished", 0), ("resumed", 0)]
    driver.close()


@pytest.mark.parametrize(
    ("before", "ends", "said"),
    [
        ((), [PAUSED], ["goes on"]),
        ((), [KILLED], ["lost"]),
        ((), [KILLED, PAUSED, KILLED], ["lost", "goes on", "lost"]),
        ([0], [], ["lost"]),  # in the session before
        ([0], [PAUSED], ["lost", "goes on"]),
        ([1], [], ["goes on"]),
    ],
)
def test_whether_a_job_that_goes_on_was_lost_is_what_the_search_has_heard(
    tmp_path: Path, session: Session, before: Sequence[int], ends: list[Outcome], said: list[str]
) -> None:
    driver = driver_of(Told(*[GoOn(0, 9)] * len(said)), tmp_path, session, heard=Heard(lost=set(before)))
    for outcome in ends if len(ends) == len(said) else [None, *ends]:
        if outcome is not None:
            driver.ended(outcome)
        next(driver)
    assert session.heard == [f"{how} 0 to 9" for how in said]
    driver.close()


def test_the_end_of_a_job_is_told_before_the_job_can_go_on(tmp_path: Path, session: Session) -> None:
    driver = driver_of(Told(NewJob(("x=1",)), None, GoOn(0, 9)), tmp_path, session)
    next(driver)
    waiting = threading.Thread(target=lambda: next(driver))
    waiting.start()
    driver.ended(PAUSED, lambda: (waiting.join(2 * LOOK_S), session.heard.append("told")))
    waiting.join(30)
    assert session.heard == ["begins 0 to None", "told", "goes on 0 to 9"]
    driver.close()


@pytest.mark.parametrize("how", ["closed", "stopped"])
def test_who_waits_is_told_when_no_job_will_come(tmp_path: Path, session: Session, how: str) -> None:
    driver = driver_of(Told(NewJob(("x=1",)), None, GoOn(0)), tmp_path, session)
    next(driver)
    found: list[Job | None] = []
    waiting = threading.Thread(target=lambda: found.append(next(driver, None)))
    waiting.start()
    if how == "closed":
        driver.close()
    session.stopped = how == "stopped"
    waiting.join(30)
    assert found == [None]
    driver.close()


def test_what_is_ready_is_built_and_a_job_that_cannot_run_keeps_nobody_waiting(tmp_path: Path) -> None:
    session = Session(refused=[0, 2])
    search = Told(NewJob(("x=1",)), NewJob(("x=2",)), NewJob(("x=3",)), None, GoOn(1))
    driver = driver_of(search, tmp_path, session)
    assert driver.ready()
    assert driver.ready()
    assert next(driver).number == 1
    assert not driver.ready()  # though job 2 was decided on
    assert search.asked_for == [0, 1, 2]
    driver.close()


def test_a_search_that_fails_ends_the_jobs_and_no_thread(tmp_path: Path, session: Session) -> None:
    class Broken(Told):
        def decide(self) -> Decision | None:
            if self.asked_for:
                raise ImportError("no module named optuna")
            return super().decide()

    driver = driver_of(Broken(NewJob(("x=1",)), NewJob(("x=2",))), tmp_path, session)
    assert [job.number for job in driver] == [0]
    assert [str(error) for error in session.faults] == ["no module named optuna"]
    assert driver.has_jobs
    driver.close()


def test_a_repeat_gets_the_next_seed_of_its_job(tmp_path: Path, session: Session) -> None:
    search = Told(*(NewJob(("x=1",), None, repeats) for repeats in (None, 0, 0, 5)))
    driver = driver_of(search, tmp_path, session)
    assert len(list(driver)) == 4
    points = [event["point"] for event in read_lines(tmp_path / "jobs.jsonl")]
    assert points == [{"x": 1}, {"x": 1, "seed": 1}, {"x": 1, "seed": 2}, {"x": 1, "seed": 1}]
    driver.close()


def test_the_search_hears_how_much_of_its_time_is_spent(tmp_path: Path, session: Session) -> None:
    now = iter([0.0, 1.0, 1.0, 5.0, 11.0])
    search = Told(*(NewJob((f"x={number}",)) for number in range(9)))
    timed = SearchSettings(Mode.RANDOM, Schedule.NONE, (LOSS,), budget_s=10.0)
    driver = driver_of(search, tmp_path, session, settings=timed, clock=lambda: next(now))
    assert [job.number for job in driver] == [0, 1, 2]
    assert search.shares == [0.1, 0.5, 1.1]
    shares = [event["share"] for event in read_lines(tmp_path / "jobs.jsonl") if event["event"] == "clock"]
    assert shares == search.shares
    driver.close()


@pytest.mark.parametrize(
    ("n_trials", "slots", "together"), [(None, 2, 4), (40, 1, 4), (40, 2, 2), (40, 8, 1), (400, 8, 4)]
)
def test_few_jobs_begin_at_once_in_a_process(
    tmp_path: Path, session: Session, n_trials: int | None, slots: int, together: int
) -> None:
    few = SearchSettings(Mode.TPE, Schedule.ASHA, (LOSS,), n_trials=n_trials, max_epochs=9)
    driver = driver_of(Told(), tmp_path, session, settings=few, slots=slots)
    assert driver.together == together
    driver.close()


@pytest.mark.parametrize(
    ("given", "heard", "said"),
    [
        (
            {"max_epochs": 1000},
            Heard(longest=27),
            "the first judgement is after 62 values of loss, and jobs log 27",
        ),
        (
            {"max_epochs": 1000},
            Heard(longest=62, judged={0: Arrival(0, 3, (1.0,))}),
            None,
        ),  # one had come to it
        (
            {"max_epochs": 27},
            Heard(longest=9, judged={0: Arrival(0, 3, (1.0,))}),
            None,
        ),  # jobs may stop early
        ({"max_epochs": 27}, Heard(longest=27), None),
        ({"max_epochs": 27}, Heard(), None),  # no job has completed
        (
            {"max_epochs": 6},
            Heard(longest=27, judged={0: Arrival(0, 3, (1.0,))}),
            "jobs log 27 values of loss, more than max_epochs=6",
        ),
        ({"max_epochs": None, "min_epochs": 50}, Heard(longest=27), "the first judgement is after 50 values"),
        ({"max_epochs": 1000, "schedule": Schedule.NONE}, Heard(longest=27), None),
    ],
)
def test_jobs_that_are_longer_or_shorter_than_their_schedule_says_are_named(
    tmp_path: Path, session: Session, given: dict[str, Any], heard: Heard, said: str | None
) -> None:
    length = SearchSettings(
        **{"mode": Mode.RANDOM, "schedule": Schedule.ASHA, "objectives": (LOSS,), **given}
    )
    driver = driver_of(Told(), tmp_path, session, settings=length, heard=heard)
    assert (driver.misfit is None) == (said is None)
    assert (said or "") in (driver.misfit or "")
    assert said is None or "set max_epochs=27" in (driver.misfit or "")
    driver.close()
