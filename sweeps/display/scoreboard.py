"""What is known of a sweep's jobs while they run: who runs, who ended how, who leads, how long it may still take.

It is fed by the sweep and drawn by whatever shows it; it prints nothing itself.
"""

import statistics
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sweeps.jobs import Event, EventKind, JobStatus, Outcome, PlannedJob
from sweeps.ranking.leaderboard import REUSED
from tracking.objective import Objective

QUEUED = "queued"
RUNNING = "running"


@dataclass
class JobLine:
    """One job as it stands. `latest` and `step` are the objective's last logged value while it runs."""

    number: int
    point: Mapping[str, object]
    expected_s: float | None = None
    status: str = QUEUED
    run: str | None = None
    started: float | None = None
    wall_s: float | None = None
    objective: float | None = None
    latest: float | None = None
    step: int | None = None
    error: str | None = None
    reused: bool = False

    @property
    def how(self) -> str:
        """Its status for reading, which tells a run of an earlier sweep from one of this."""
        return REUSED if self.reused else self.status

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.wall_s is not None


class Scoreboard:
    """The jobs of a sweep as they stand; `heard` and `finished` may be called from any thread.

    `jobs` are those of the plan; `expected_s` tells from a job's key what it took earlier, `typical_s` what jobs take
    of which neither that nor anything of this sweep is known (None: nobody knows).
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.swept = tuple(swept)
        self.objective = objective
        self.slots = slots
        self._typical_s = typical_s
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()
        self._expected_s = expected_s
        self._lines: dict[int, JobLine] = {}
        self._ended: list[JobLine] = []
        self.add(jobs)

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, jobs: Iterable[PlannedJob]) -> None:
        """Take further jobs, which wait for a slot."""
        with self._lock:
            for job in jobs:
                self._lines[job.number] = JobLine(job.number, job.point, self._expected_s(job.key))

    def line(self, job: int) -> JobLine:
        """The job of that number."""
        return self._lines[job]

    def heard(self, event: Event) -> JobLine:
        """Take note of a job's start, of the run it opened, or that it is tried again; return the job."""
        with self._lock:
            line = self._lines[event.job]
            if event.kind is EventKind.STARTED:
                line.status, line.started = RUNNING, self._clock()
            elif event.kind is EventKind.RUN:
                line.run, line.latest, line.step = str(event.data["run"]), None, None
            elif event.kind is EventKind.RETRY:
                line.status, line.started = QUEUED, None
            return line

    def finished(self, outcome: Outcome, objective: float | None) -> JobLine:
        """Take note of a job's end; return the job."""
        with self._lock:
            line = self._lines[outcome.job]
            line.status, line.wall_s = str(outcome.status), outcome.wall_s
            line.objective, line.error = objective, outcome.error
            line.reused = outcome.reused
            line.run = outcome.runs[-1] if outcome.runs else line.run
            self._ended.append(line)
            return line

    @property
    def running(self) -> list[JobLine]:
        """The jobs that run, in the order of their numbers."""
        return [line for line in self._lines.values() if line.status == RUNNING]

    @property
    def ended(self) -> list[JobLine]:
        """The jobs that have ended, in the order in which they did."""
        return list(self._ended)

    def count(self, *statuses: str) -> int:
        """How many jobs have one of these statuses."""
        return sum(line.status in statuses for line in self._lines.values())

    @property
    def failed(self) -> int:
        """How many jobs ended badly of their own."""
        return self.count(JobStatus.FAILED, JobStatus.KILLED)

    @property
    def best(self) -> JobLine | None:
        """The job that leads, equals by the lower number; None while nothing can be ranked."""
        completed = [line for line in self.ended if line.status == JobStatus.COMPLETED]
        first = min(
            completed, key=lambda line: (self.objective.key(line.objective), line.number), default=None
        )
        return first if first is not None and self.objective.better(first.objective, None) else None

    @property
    def elapsed_s(self) -> float:
        """How long the sweep has run."""
        return self._clock() - self._began

    def took_s(self, line: JobLine) -> float | None:
        """How long a job took, or has taken so far; None before it starts."""
        if line.wall_s is not None or line.started is None:
            return line.wall_s
        return self._clock() - line.started

    def left_s(self) -> float | None:
        """How long the sweep may still take, going by its own jobs and by earlier ones; None when nobody knows."""
        took = [line.wall_s for line in self.ended if line.status == JobStatus.COMPLETED and line.wall_s]
        usual = statistics.median(took) if took else self._typical_s
        work, longest = 0.0, 0.0
        for line in self._lines.values():
            if line.has_ended:
                continue
            expected = usual if line.expected_s is None else line.expected_s
            if expected is None:
                return None
            rest = max(0.0, expected - (self.took_s(line) or 0.0))
            work, longest = work + rest, max(longest, rest)
        return max(work / self.slots, longest)
