"""The jobs of a sweep while they run: their states, the best one, and the time left.

The sweep updates it and a display reads it; it prints nothing itself.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeps.jobs import Event, EventKind, JobState, Outcome, PlannedJob
from sweeps.ranking.leaderboard import REUSED
from sweeps.settings.search_settings import SearchSettings
from sweeps.state.durations import Durations, ToRun, left_s
from sweeps.warned import Warned
from tracking.objective import Objective

FAILED = (JobState.FAILED, JobState.KILLED)
RANKED = (JobState.COMPLETED, JobState.PRUNED)  # the states of jobs whose values count


@dataclass
class JobLine:
    """A job at one moment; `latest` and `step` are the last logged value of the objective while it runs.

    `pid` is the process that it runs in, if that is known; `cost_s` the time of a slot that it took.
    """

    number: int
    point: Mapping[str, object]
    expected_s: float | None = None
    state: JobState = JobState.QUEUED
    run: str | None = None
    started: float | None = None
    wall_s: float | None = None
    objective: float | None = None
    latest: float | None = None
    step: float | None = None
    error: str | None = None
    note: str | None = None
    reused: bool = False
    pid: int | None = None
    cost_s: float | None = None

    @property
    def how(self) -> str:
        """The state as text; `reused` for a job whose run is of an earlier sweep."""
        return REUSED if self.reused else self.state


class Scoreboard:
    """The jobs of a sweep at one moment; `heard` and `finished` may be called from any thread.

    `expected_s` returns how long a job with this key took in earlier sweeps, or None. `typical_s` is used for the
    others while no job of this sweep has completed; None if that is unknown too. `search` decides on further jobs while
    others run; None if all are known.
    """

    def __init__(
        self,
        jobs: Sequence[PlannedJob],
        swept: Sequence[str],
        objective: Objective,
        *,
        slots: int,
        expected_s: Callable[[str | None], float | None] = lambda _key: None,
        typical_s: float | None = None,
        search: SearchSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.swept = tuple(swept)
        self.objective = objective
        self.slots = slots
        self.search = search
        self._typical_s = typical_s
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()
        self._expected_s = expected_s
        self._lines: dict[int, JobLine] = {}
        self._ended: list[JobLine] = []
        self.queued = 0  # jobs that wait for a slot; counted, because each start asks
        self.warned = Warned()
        self.add(jobs)

    @classmethod
    def of_store(
        cls,
        store: Path,
        jobs: Sequence[PlannedJob],
        swept: Sequence[str],
        objective: Objective,
        *,
        slots: int,
        search: SearchSettings | None = None,
    ) -> "Scoreboard":
        """Return the jobs of a sweep with what earlier sweeps of the store took."""
        known = Durations.of_store(store)
        expected_s, typical_s = known.known_s.get, known.typical_s
        return cls(
            jobs, swept, objective, slots=slots, expected_s=expected_s, typical_s=typical_s, search=search
        )

    def __len__(self) -> int:
        """Return the number of jobs that the sweep has in all, as far as that is known."""
        expected = self.search.n_trials if self.search else None
        return max(len(self._lines), expected or 0)

    def add(self, jobs: Iterable[PlannedJob]) -> None:
        """Add jobs, which wait for a slot."""
        with self._lock:
            for job in jobs:
                before = self._lines.get(job.number)
                self.queued += before is None or before.state is not JobState.QUEUED
                self._lines[job.number] = JobLine(job.number, job.point, self._expected_s(job.key))

    def heard(self, event: Event) -> JobLine:
        """Record that a job starts, opens a run, is tried again, or goes on after it was paused; return the job."""
        with self._lock:
            line = self._lines[event.job]
            if event.kind is EventKind.STARTED:
                self._enter(line, JobState.RUNNING)
                line.started, line.pid = self._clock(), event.data.get("pid")
                self.slots = event.data.get("places", self.slots)  # of nodes that come and go
            elif event.kind is EventKind.RUN:
                line.run, line.latest, line.step = str(event.data["run"]), None, None
            elif event.kind is EventKind.RETRY:
                self._enter(line, JobState.QUEUED)
                line.started = None
            elif event.kind is EventKind.RESUMED:
                self._enter(line, JobState.QUEUED)
                line.started, line.wall_s = None, None
                self._ended = [each for each in self._ended if each is not line]
            return line

    def finished(self, outcome: Outcome, objective: float | None) -> JobLine:
        """Record the end of a job; return the job."""
        with self._lock:
            line = self._lines[outcome.job]
            self._enter(line, JobState(outcome.status))
            line.wall_s = outcome.wall_s
            line.cost_s = outcome.cost_s
            line.objective, line.error, line.note = objective, outcome.error, outcome.note
            line.reused = outcome.reused
            line.run = outcome.runs[-1] if outcome.runs else line.run
            self._ended.append(line)
            return line

    @property
    def running(self) -> list[JobLine]:
        """The running jobs, by number."""
        return [line for line in self._lines.values() if line.state is JobState.RUNNING]

    @property
    def ended(self) -> list[JobLine]:
        """The jobs that have ended, in that order."""
        return list(self._ended)

    @property
    def pruned(self) -> int:
        """The number of jobs that were stopped early and have not gone on."""
        return sum(line.state is JobState.PRUNED for line in self._ended)

    @property
    def failed(self) -> int:
        """The number of jobs that failed or were killed."""
        return sum(line.state in FAILED for line in self._ended)

    @property
    def best(self) -> JobLine | None:
        """The best job, of equals the one with the lowest number; None while no job can be ranked."""
        ranked = [line for line in self.ended if line.state in RANKED]
        first = min(ranked, key=lambda line: (self.objective.key(line.objective), line.number), default=None)
        # A job without a finite value comes last, and is no best job when all are like it.
        return first if first is not None and self.objective.better(first.objective, None) else None

    @property
    def elapsed_s(self) -> float:
        """The time since the sweep started."""
        return self._clock() - self._began

    def took_s(self, line: JobLine) -> float | None:
        """Return how long a job took, or has taken so far; None before it starts."""
        if line.wall_s is not None or line.started is None:
            return line.wall_s
        return self._clock() - line.started

    def left_s(self) -> float | None:
        """Return an estimate of the time left, from completed jobs and earlier sweeps; None if there are too few.

        Jobs that share a process take their turns in it, so each has its share of the time. A search knows neither its
        jobs nor how far they go.
        """
        if self.search is not None:
            return None
        took = [line.cost_s for line in self.ended if line.state is JobState.COMPLETED and line.cost_s]
        left = [
            ToRun(line.expected_s, self.took_s(line) or 0.0, line.state is JobState.RUNNING, line.pid)
            for line in self._lines.values()
            if line.wall_s is None
        ]
        return left_s(left, took, slots=self.slots, typical_s=self._typical_s)

    def _enter(self, line: JobLine, state: JobState) -> None:
        """Change the state of a job; the lock is held."""
        self.queued += (state is JobState.QUEUED) - (line.state is JobState.QUEUED)
        line.state = state
