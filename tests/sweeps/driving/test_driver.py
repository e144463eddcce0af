"""The driver: a slot gets what the search decides, waits only for running jobs, and a ledger makes the same search again."""

import contextlib
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searched import make

from sweeps.driving.driver import LOOK_S, Driver, Guide
from sweeps.driving.objective_values import ObjectiveValues
from sweeps.driving.replaying import Heard, replay_search
from sweeps.jobs import EventKind, Job, JobStatus, Outcome, PlannedJob, Reason
from sweeps.search.decisions import Arrival, Decision, End, EndKind, GoOn, NewJob, Search
from sweeps.settings.search_settings import Constraint, Mode, Schedule, SearchSettings
from sweeps.space import Point, values_of
from sweeps.state.ledger import Ledger
from tracking.files import read_lines
from tracking.objective import Objective

LOSS = Objective.of("loss", "min")
BOUND = Constraint.parse("size <= 1")
SETTINGS = SearchSettings(Mode.RANDOM, Schedule.ASHA, (LOSS,), n_trials=12, max_epochs=27)


class Points:
    """A planner of points alone."""

    def __init__(self) -> None:
        self.points: dict[int, Point] = {}

    def place(self, point: Point) -> PlannedJob:
        self.points[len(self.points)] = point
        return PlannedJob(len(self.points) - 1, point, values_of(point))


class Session:
    """A session that refuses some jobs, and notes what it hears."""

    def __init__(self, refused: Sequence[int] = ()) -> None:
        self.refused = refused
        self.stopped = False
        self.heard: list[str] = []
        self.faults: list[Exception] = []

    def is_stopped(self) -> bool:
        return self.stopped

    def recording(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def cannot_decide(self, error: Exception) -> None:
        self.faults.append(error)
        self.stopped = True

    def begins(self, job: PlannedJob, decision: NewJob) -> None:
        self.heard.append(f"begins {job.number} to {decision.until}")

    def judged(self, arrival: Arrival, go_on: Mapping[int, int | None]) -> None:
        self.heard.append(f"judged {arrival.job} {'on' if arrival.job in go_on else 'off'}")

    def goes_on(self, number: int, until: int | None, *, was_lost: bool) -> None:
        self.heard.append(f"{'lost' if was_lost else 'goes on'} {number} to {until}")

    def built(self, number: int, until: int | None) -> Job | None:
        if number in self.refused:
            return None
        return Job(number, "", "", (), {}, Path(), b"", until=until)


class Known(ObjectiveValues):
    """Values that a test knows, without runs."""

    def __init__(self, loss: Mapping[int, float], *, is_bounded: bool = False) -> None:
        self.loss = loss
        self.is_bounded = is_bounded

    def reached(self, job: int, level: int, folders: Sequence[Path]) -> Arrival:
        violations = {str(BOUND): 0.5 - self.loss[job]} if self.is_bounded else {}
        return Arrival(job, level, (self.loss[job] / level,), violations)

    def end(self, outcome: Outcome) -> End | None:
        if outcome.reason is Reason.STOPPED:
            return None
        kinds = {JobStatus.COMPLETED: EndKind.COMPLETED, JobStatus.PRUNED: EndKind.PAUSED}
        kind = kinds.get(outcome.status, EndKind.LOST if outcome.reason is Reason.SIGNAL else EndKind.FAILED)
        return End(kind, (self.loss[outcome.job],), 27)


class Told:
    """A search that decides what it is told to."""

    def __init__(self, *decisions: Decision | None) -> None:
        self.decisions = list(decisions)
        self.asked_for: list[int] = []
        self.shares: list[float] = []

    @property
    def is_over(self) -> bool:
        return not self.decisions

    @property
    def ending(self) -> str:
        return "it was told to"

    def decide(self) -> Decision | None:
        return self.decisions[0] if self.decisions else None

    def asked(self, job: int, _decision: Decision) -> None:
        self.asked_for.append(job)
        self.decisions.pop(0)

    def reached(self, _arrivals: Sequence[Arrival]) -> Mapping[int, int | None]:
        return {}

    def ended(self, _job: int, _end: End) -> None:
        if self.decisions and self.decisions[0] is None:
            self.decisions.pop(0)

    def until(self, _job: int) -> int | None:
        return 7

    def budget_spent(self, share: float) -> None:
        self.shares.append(share)
        if share >= 1:
            self.decisions.clear()

    def prepare(self) -> None:
        pass


def driver_of(search: Search, folder: Path, session: Session, **given: Any) -> Driver:
    values = Known(dict.fromkeys(range(50), 1.0))
    guide = Guide(
        search, given.pop("settings", SETTINGS), lambda count: f"seed={count}", given.pop("heard", Heard())
    )
    return Driver(
        guide, session, Points(), Ledger(folder / "jobs.jsonl"), given.pop("values", values), **given
    )  # type: ignore[arg-type]


@pytest.fixture
def session() -> Session:
    return Session()


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


KILLED = Outcome(0, JobStatus.KILLED, 1.0, reason=Reason.SIGNAL)
PAUSED = Outcome(0, JobStatus.PRUNED, 1.0)


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
