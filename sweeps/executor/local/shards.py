"""Which jobs go to one process: a job by itself, or a share of a group, sized so that all places have work.

Jobs of a group come one after the other or with others between them, and how many follow is not known. So grouped jobs
are pulled ahead, as many as all places could take, and the next process gets a fair share of those of the oldest one's
group. A search decides each job as late as it can, so of its jobs no more are pulled than the next process takes, and a
process whose jobs end takes further ones.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from sweeps.jobs import Job

MOST_ROUNDS = (
    10  # how often as many jobs as take turns at once go to one process, so that none lives too long
)
TURNS = (
    2  # the most jobs of a process, in terms of those at once: a job that ends early makes room for another
)


@dataclass(frozen=True, eq=False)
class Shard:
    """Jobs for one process, at most `at_once` of them begun; `is_open` if further ones may join them.

    They have had so many `attempts` before that count as their own.
    """

    jobs: tuple[Job, ...]
    at_once: int
    is_open: bool = False
    attempts: int = 0


class ShardSource(Protocol):
    """Where an executor's places get their jobs. Any thread may use it."""

    def __iter__(self) -> Iterator[Shard]:
        """Return itself."""

    def __next__(self) -> Shard:
        """Return the next shard; wait while it is not known whether there is one."""

    def another(self, shard: Shard, taken: int) -> Job | None:
        """Return a further job for the process of a shard, which has `taken` so many; None if none is ready now."""

    def ended(self, shard: Shard) -> None:
        """Note that the jobs of a shard have ended."""

    def close(self) -> None:
        """Make no more shards, also for who waits for one."""


class Shards:
    """Makes shards of `jobs` when they are asked for; `together` is the most jobs of a group that run at once.

    A job without a group is pulled at most one ahead of a shard that is asked for; a grouped one up to `TURNS` times
    `together` for each of the `places`. Where `jobs` can say whether they are `ready`, further ones are pulled only while
    they are, and only for one shard; their own `together` is a limit, too. Any thread may ask, while `jobs` may make it
    wait, and may tell that a shard has `ended`.
    """

    def __init__(
        self, jobs: Iterable[Job], places: int, together: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._jobs = iter(jobs)
        self._ready: Callable[[], bool] | None = getattr(self._jobs, "ready", None)
        own: int | None = getattr(self._jobs, "together", None)
        self.places = places  # which may change while jobs are asked for
        self._together = together if own is None else max(1, min(together, own))
        self._clock = clock
        self._waiting: deque[Job] = deque()
        self._running: dict[Shard, float] = {}  # with when they began
        self._done, self._done_s = 0, 0.0
        self._lock, self._asking = threading.Lock(), threading.Lock()
        self._is_closed = False

    def __iter__(self) -> Iterator[Shard]:
        return self

    def __next__(self) -> Shard:
        with self._asking:
            return self._next()

    def _next(self) -> Shard:
        self._pull()
        if self._is_closed or not self._waiting:
            raise StopIteration
        first = self._waiting[0]
        group = [job for job in self._waiting if self._is_of(first, job)]
        if self._ready is not None:
            most = self._together
        else:
            outstanding = len(self._waiting) + self._expected_left()
            most = min(share(outstanding, self.places), TURNS * self._together)
        jobs = tuple(group[:most])
        taken = {job.number for job in jobs}
        self._waiting = deque(job for job in self._waiting if job.number not in taken)
        is_open = self._ready is not None and self._is_grouped(first)
        at_once = self._together if is_open else min(len(jobs), self._together)
        shard = Shard(jobs, at_once, is_open)
        self.begin(shard)
        return shard

    def another(self, shard: Shard, taken: int) -> Job | None:
        """Return a further job for the process of an open shard, which has `taken` so many; None if none is ready now."""
        if not shard.is_open or taken >= MOST_ROUNDS * shard.at_once:
            return None
        if not self._asking.acquire(blocking=False):  # a free place asks, which comes first
            return None
        try:
            if not (self._waiting or self._is_closed) and self._ready is not None and self._ready():
                self._waiting.extend(filter(None, [next(self._jobs, None)]))
            found = next((job for job in self._waiting if job.group == shard.jobs[0].group), None)
            if found is not None:
                self._waiting.remove(found)
            return found
        finally:
            self._asking.release()

    def begin(self, shard: Shard) -> None:
        """Note that a process gets a shard, which may be one of jobs that were put back."""
        with self._lock:
            self._running[shard] = self._clock()

    def ended(self, shard: Shard) -> None:
        """Note that the jobs of a shard have ended."""
        with self._lock:
            self._done_s += self._clock() - self._running.pop(shard)
            self._done += len(shard.jobs)

    def lost(self, shard: Shard) -> None:
        """Note that a shard runs no more, and that its jobs have not all ended."""
        with self._lock:
            del self._running[shard]

    def close(self) -> None:
        """Make no more shards, also for who waits for one."""
        self._is_closed = True
        if self._ready is not None:
            end: Callable[[], object] = getattr(self._jobs, "close", lambda: None)
            end()

    def _pull(self) -> None:
        most = self._together if self._ready is not None else TURNS * self._together * self.places
        while not self._is_closed and (not self._waiting or self._is_grouped(self._waiting[-1])):
            if self._waiting and self._ready is not None and not self._ready():
                return
            job = next(self._jobs, None) if len(self._waiting) < most else None
            if job is None:
                return
            self._waiting.append(job)

    def _is_grouped(self, job: Job) -> bool:
        return job.group is not None and self._together > 1

    def _is_of(self, first: Job, job: Job) -> bool:
        return job is first or (self._is_grouped(first) and job.group == first.group)

    def _expected_left(self) -> float:
        """Return about how many jobs of the running shards have not ended, if jobs take as long as those before."""
        with self._lock:
            per_s = self._done / self._done_s if self._done_s else 0.0
            now = self._clock()
            return sum(
                max(0.0, len(each.jobs) - (now - began) * per_s) for each, began in self._running.items()
            )


def share(outstanding: float, places: int) -> int:
    """Return how many of the jobs that are left, running ones included, one place should take."""
    return max(1, math.ceil(outstanding / places))
