"""What the tests of the driver share: a driver of a search that a test tells what to decide, and of values that it knows."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeps.driving.driver import Driver, Guide
from sweeps.driving.objective_values import ObjectiveValues
from sweeps.driving.replaying import Heard
from sweeps.jobs import Job, JobStatus, Outcome, PlannedJob, Reason
from sweeps.search.decisions import Arrival, Decision, End, EndKind, NewJob, Search
from sweeps.settings.search_settings import Constraint, Mode, Schedule, SearchSettings
from sweeps.space import Point, values_of
from sweeps.state.ledger import Ledger
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
