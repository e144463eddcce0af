"""Drives the jobs of a sweep by the decisions of its search.

A slot that is free gets the next decision; the search hears of every judgement and every end. All of it happens under one
lock, and each thing that the search hears is an event of the ledger, in the same order. So a ledger makes the same search
again (`sweeps.driving.replaying`). Only what nobody can hear twice is left out: a job that an order has stopped has
begun and not ended, and begins again when the sweep is resumed.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from sweeps.driving.objective_values import ObjectiveValues
from sweeps.driving.replaying import Heard
from sweeps.jobs import EventKind, Job, JobStatus, Outcome, PlannedJob
from sweeps.plan.planner import Planner
from sweeps.search.decisions import Arrival, Decision, GoOn, NewJob, Search
from sweeps.search.rungs import levels_of
from sweeps.settings.search_settings import Schedule, SearchSettings
from sweeps.space import Point
from sweeps.state.ledger import Ledger
from tracking.values.units import counted

LOOK_S = 0.2  # how often a slot that waits looks whether the sweep was stopped or its time is over
CLOCK_STEP = 0.001  # of a budget in time, the least that a search hears of
GROUP, ROUNDS = (
    4,
    10,
)  # the most jobs of a group that begin together, and how often all slots begin some at least

Arrived = tuple[int, int, Path]  # a job, how many values it has logged, and the folder of its run


@dataclass(frozen=True)
class Guide:
    """A search with what it takes to make jobs of its decisions.

    `seed_line` is the override that sets the seed of the n-th repeat of a job, None if it has none, `heard` what the sessions
    before have heard, `spent_s` the time that they took, and `first` the points that the search was given to begin with.
    """

    search: Search
    settings: SearchSettings
    seed_line: Callable[[int], str] | None
    heard: Heard
    spent_s: float = 0.0
    first: Sequence[Point] = ()


class Driven(Protocol):
    """The session of a sweep, as its search sees it. All but `built` are called under the lock of the driver."""

    def is_stopped(self) -> bool:
        """Return whether no further job may begin."""

    def recording(self) -> AbstractContextManager[None]:
        """Return a context in which the ledger is written; a fault of it stops the sweep, and is not raised."""

    def cannot_decide(self, error: Exception) -> None:
        """Hear that the search has failed, so that no further job can begin."""

    def begins(self, job: PlannedJob, decision: NewJob) -> None:
        """Hear of a job that the search has decided on."""

    def judged(self, arrival: Arrival, go_on: Mapping[int, int | None]) -> None:
        """Hear of a job that was judged, and which ones go on."""

    def goes_on(self, number: int, until: int | None, *, was_lost: bool) -> None:
        """Hear of a job that goes on; it was paused, or it was lost."""

    def built(self, number: int, until: int | None) -> Job | None:
        """Return a job that is ready to run; None if it cannot, which its outcome says."""


class Driver:
    """The search of a sweep at work in one session; `pending` are the jobs that have begun and not ended before."""

    def __init__(
        self,
        guide: Guide,
        session: Driven,
        planner: Planner,
        ledger: Ledger,
        values: ObjectiveValues,
        *,
        pending: Iterable[int] = (),
        slots: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._search = guide.search
        self._settings = guide.settings
        self._seed_line = guide.seed_line
        self._heard = guide.heard
        self._first = tuple(guide.first)
        self._session = session
        self._planner = planner
        self._ledger = ledger
        self._values = values
        self._pending = deque(pending)
        self._held: Job | None = None  # begun, and not taken yet
        self._folders: dict[int, tuple[Path, ...]] = {}
        self._clock = clock
        self._began = clock() - guide.spent_s
        self._share = 0.0
        self._changed = threading.Condition()
        self._is_closed = False
        self._ahead = ThreadPoolExecutor(1, "podium-search")
        self.together = _together(self._settings.n_trials, slots)

    @property
    def has_jobs(self) -> bool:
        """Whether a job is left to begin or to go on."""
        with self._changed:
            return bool(self._pending) or not self._is_over()

    @property
    def judges(self) -> bool:
        """Whether jobs are judged before they end."""
        return self._settings.schedule is not Schedule.NONE

    @property
    def ending(self) -> str:
        """Why the search tries no new point, as the end of a sentence."""
        if self._settings.mode.is_listed:
            return "all of its points have begun"
        with self._changed:
            return self._search.ending

    @property
    def unused(self) -> str | None:
        """Which points to begin with have not run although the search is over, as a sentence; None if all have."""
        tried = set(self._planner.points.values())
        left = sum(point not in tried for point in self._first)
        has = "has" if left == 1 else "have"
        of = f"{left} of the {counted(len(self._first), 'point')} to begin with {has} not run"
        return f"{of}: {self.ending}" if left else None

    @property
    def misfit(self) -> str | None:
        """What is wrong with the length of a job that the settings name, as a sentence; None if nothing is.

        Jobs may log less, as some stop by themselves, but not all of them less than the first judgement needs.
        """
        longest, settings, levels = self._heard.longest, self._settings, levels_of(self._settings)
        label = settings.objectives[0].label
        if not levels or not longest:
            return None
        if not self._heard.judged and longest < levels[0]:
            return (
                f"no job was judged: the first judgement is after {levels[0]} values of {label}, and jobs log {longest}; "
                f"set max_epochs={longest}, or min_epochs"
            )
        if settings.max_epochs is not None and longest > settings.max_epochs:
            return (
                f"jobs log {longest} values of {label}, more than max_epochs={settings.max_epochs}, and are not judged "
                f"after these; set max_epochs={longest}"
            )
        return None

    def close(self) -> None:
        """Decide on no further job; whoever waits for one is told that there is none."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._ahead.shutdown(wait=False, cancel_futures=True)

    def __iter__(self) -> Iterator[Job]:
        return self

    def __next__(self) -> Job:
        """Return the next job; wait while only running jobs can decide that there is one. One thread at a time may ask."""
        job, self._held = self._held or self._job(waits=True), None
        if job is None:
            raise StopIteration
        return job

    def ready(self) -> bool:
        """Return whether `next` would return a job without waiting, and keep that job for it."""
        self._held = self._held or self._job(waits=False)
        return self._held is not None

    def _job(self, *, waits: bool) -> Job | None:
        while (found := self._next(waits=waits)) is not None:
            job = self._session.built(*found)
            if job is not None:
                return job
        return None

    def judge(self, arrivals: Sequence[Arrived]) -> Mapping[int, int | None]:
        """Return those of the jobs that wait for a judgement which go on, with the next judgement of each."""
        reached = [
            self._values.reached(job, level, self._runs_of(job, folder)) for job, level, folder in arrivals
        ]
        with self._changed:
            self._tell_time()
            go_on = self._search.reached(reached)
            self._heard.reached(reached)
            with self._session.recording():
                self._ledger.mark(
                    EventKind.RUNG,
                    arrivals=[_kept(each) for each in reached],
                    go_on={str(job): until for job, until in go_on.items()},
                )
            for each in reached:
                self._session.judged(each, go_on)
            self._has_changed()
        return go_on

    def ended(self, outcome: Outcome, tell: Callable[[], object] = lambda: None) -> None:
        """Record the end of a job, call `tell`, and let the search hear of it.

        Whoever is told knows of the end before the search decides by it, such as that the job goes on at once.
        """
        end = self._values.end(outcome)
        with self._changed:
            end = None if end is None else self._heard.of_paused(outcome.job, end)
            with self._session.recording():
                self._ledger.finish(outcome, None if end is None else asdict(end))
            tell()
            if end is not None:
                self._search.ended(outcome.job, end)
                self._heard.end(outcome.job, end)
            self._has_changed()

    def value_at_judgement(self, outcome: Outcome) -> tuple[float | None] | None:
        """Return the first objective of a job that a judgement has ended, as it was then; None for any other job."""
        judged = self._heard.judged.get(outcome.job) if outcome.status is JobStatus.PRUNED else None
        return None if judged is None else (judged.values[0],)

    def follow(self, job: int, folders: Iterable[Path]) -> None:
        """Note the folders of the runs that earlier attempts at a job have left."""
        self._folders[job] = tuple(folders)

    def _runs_of(self, job: int, last: Path) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((*self._folders.get(job, ()), last)))  # most go on in the same run

    def _next(self, *, waits: bool) -> tuple[int, int | None] | None:
        with self._changed:
            while not (self._is_closed or self._session.is_stopped()):
                if self._pending:
                    number = self._pending.popleft()
                    return number, self._search.until(number)
                self._tell_time()
                decision = self._decide()
                if decision is not None:
                    return self._begin(decision), decision.until
                if not waits or self._is_over():
                    break
                self._changed.wait(LOOK_S)
        return None

    def _decide(self) -> Decision | None:
        """Return the decision of the search; None if it has failed, which the session hears."""
        try:
            return self._search.decide()
        except Exception as error:  # noqa: BLE001 - libraries suggest, and no error may end a thread of the executor
            self._session.cannot_decide(error)
            return None

    def _is_over(self) -> bool:
        return not self._session.is_stopped() and self._decide() is None and self._search.is_over

    def _begin(self, decision: Decision) -> int:
        if isinstance(decision, GoOn):
            number = decision.job
            with self._session.recording():
                self._ledger.mark(EventKind.RESUMED, job=number, until=decision.until)
            self._session.goes_on(number, decision.until, was_lost=number in self._heard.lost)
        else:
            job = self._planner.place(self._point(decision))
            number = job.number
            with self._session.recording():
                self._ledger.ask([job], until=decision.until, repeats=decision.repeats)
            self._session.begins(job, decision)
        self._search.asked(number, decision)
        self._prepare()
        return number

    def _point(self, decision: NewJob) -> tuple[str, ...]:
        if decision.repeats is None:
            return decision.point
        assert self._seed_line is not None  # noqa: S101 - without seeds a search confirms nothing
        self._heard.repeats[decision.repeats] += 1
        return (*decision.point, self._seed_line(self._heard.repeats[decision.repeats]))

    def _tell_time(self) -> None:
        """Let the search hear which share of its budget in time is spent."""
        if self._settings.budget_s is None:
            return
        share = round((self._clock() - self._began) / self._settings.budget_s, 6)
        if share - self._share >= CLOCK_STEP:
            self._share = share
            with self._session.recording():
                self._ledger.mark(EventKind.CLOCK, share=share, of_s=self._settings.budget_s)
            self._search.budget_spent(share)

    def _has_changed(self) -> None:
        self._prepare()
        self._changed.notify_all()

    def _prepare(self) -> None:
        """Have the next suggestion computed while the slots are busy."""
        if not self._is_closed:
            self._ahead.submit(self._search.prepare)


def _kept(arrival: Arrival) -> dict[str, Any]:
    """Return what the ledger keeps of a judgement: violations only where there are any."""
    return {name: value for name, value in asdict(arrival).items() if name != "violations" or value}


def _together(n_trials: int | None, slots: int) -> int:
    """Return how many jobs of a group may begin at once in a process: what is asked at once cannot learn from each other."""
    return GROUP if n_trials is None else max(1, min(GROUP, n_trials // (ROUNDS * slots)))
