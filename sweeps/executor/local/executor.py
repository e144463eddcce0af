"""Runs jobs on this machine: joblib's threads, each supervising one killable child process at a time.

A thread takes a slot, hands the job to a child forked by the forkserver, which has the task's modules loaded, and
waits for messages, the end of the child, its limits or the order to stop. Only that thread uses the child, so a fault
of one job reaches no other. Jobs of one group go to a child together (`sweeps.executor.local.shards`); those that its
end cuts off run again, each in a child of its own.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from multiprocessing import Pipe
from typing import NamedTuple

import joblib

from sweeps.executor.contract import Judge, Listener, cancelled, make_folder, not_started, started
from sweeps.executor.judging import Judging
from sweeps.executor.local.attempt import Attempt, Ended
from sweeps.executor.local.child import Assignment
from sweeps.executor.local.forkserver import Preparation
from sweeps.executor.local.memory import available_bytes
from sweeps.executor.local.program import Common
from sweeps.executor.local.server import ForkServer, prepared
from sweeps.executor.local.shards import Shard, Shards, ShardSource
from sweeps.executor.local.slots import Slot, pool_of
from sweeps.executor.local.supplies import Supplies, deliver
from sweeps.executor.local.worker import Worker
from sweeps.jobs import Event, EventKind, Job, Outcome, counted
from sweeps.settings.launcher_settings import Isolation, LauncherSettings

Another = Callable[[int], Job | None]

ADMISSION_POLL_S = 0.2  # how often a waiting job checks for free memory


class Prepared(NamedTuple):
    """What an executor takes from the process of the sweep: it may be made there and used in another process.

    `metrics` are those whose values say how far a job has come.
    """

    preparation: Preparation
    metrics: tuple[str, ...]

    @classmethod
    def of(cls, settings: LauncherSettings, common: Common, *, without: Collection[str] = ()) -> "Prepared":
        """Return that of the sweep of this process; packages in `without` are not loaded ahead of jobs."""
        task = str(getattr(common.task_function, "__module__", ""))
        return cls(prepared(settings, common.packed(), task, without=without), counted(common.objective))


class LocalExecutor:
    """An `Executor` on this machine's cores.

    The forkserver starts with the executor, so that it loads the task's modules while the sweep is still planned. `supply`
    returns what a job lacks, from the process of the sweep. `settle` is called with the end of an attempt before it is
    decided whether there is another one; it may wait for the order to stop.
    """

    def __init__(
        self,
        settings: LauncherSettings,
        common: Common | Prepared,
        *,
        supply: Callable[[Supplies], bytes] = deliver,
        settle: Callable[[Outcome], None] = lambda _outcome: None,
    ) -> None:
        known = common if isinstance(common, Prepared) else Prepared.of(settings, common)
        self._settings = settings
        self._free = pool_of(settings)
        self._server = ForkServer(settings, known.preparation)
        self._metrics = known.metrics
        self._supply = supply
        self._settle = settle
        self._judging: Judging | None = None
        self._stopping = threading.Event()
        self._wake, self._waker = Pipe(duplex=False)
        self._idle: dict[int, Worker] = {}  # children that can take another job, by slot
        self._running: dict[int, Attempt] = {}
        self._admission = threading.Lock()
        self._admitted: dict[int, int] = {}  # the memory of processes that run or are about to start

    def run(self, jobs: Iterable[Job], listener: Listener, judge: Judge | None = None) -> Iterator[Outcome]:
        """Run `jobs`, at most ``n_jobs`` processes at once, and yield outcomes as they end; see `Executor`."""
        shards = Shards(jobs, self._settings.n_jobs, self._settings.together)
        return self.run_shards(shards, listener, judge)

    def run_shards(
        self, shards: ShardSource, listener: Listener, judge: Judge | None = None
    ) -> Iterator[Outcome]:
        """Run jobs that are shared out already, as `run` does."""
        places = self._settings.n_jobs
        outcomes = _Outcomes(one_by_one=places == 1)
        if judge is not None:
            self._judging = Judging(judge, self._metrics, grace_s=self._settings.grace_s)

        # Each place takes its next jobs by itself: joblib would take those of all places at once, and a search decides
        # them when a place is free.
        def supervise() -> None:
            try:
                for shard in shards:
                    self._supervise(shard, listener, outcomes.put, partial(shards.another, shard))
                    shards.ended(shard)
            finally:
                shards.close()  # there are none left, or this process has a fault

        def run_all() -> None:
            try:
                threads = joblib.Parallel(n_jobs=places, backend="threading", batch_size=1)
                threads(joblib.delayed(supervise)() for _ in range(places))
            finally:
                outcomes.end()

        # Outcomes come one by one, also those of jobs that share a process, while joblib knows their shard as a whole.
        thread = ThreadPoolExecutor(1, "podium-jobs")
        supervision = thread.submit(run_all)
        try:
            yield from outcomes
            supervision.result()  # raises what has ended it
        finally:
            if not supervision.done():
                shards.close()
                outcomes.close()
                self._order_to_stop()
            thread.shutdown()
            if self._judging is not None:
                self._judging.close()
            while self._idle:
                self._idle.popitem()[1].end()

    def stop(self) -> None:
        """Start no more jobs; send SIGTERM to those that run, SIGKILL after a grace period or if called again."""
        if self._stopping.is_set():
            for attempt in list(self._running.values()):
                attempt.worker.kill()
        else:
            self._order_to_stop()

    def _order_to_stop(self) -> None:
        if not self._stopping.is_set():
            self._stopping.set()
            self._waker.send_bytes(b"stop")

    def _supervise(
        self, shard: Shard, listener: Listener, end: Callable[[Outcome], None], another: Another
    ) -> None:
        """Run jobs until each completes, has no attempts left, or the sweep is stopped; `end` gets each outcome.

        Those of an open shard take `another` when one has ended.
        A job that was cut off by the end of a process that it shared runs again alone; that is none of its retries.
        """
        slot = self._free.get()
        joining = another if shard.is_open else None
        left = deque([_Try(shard.jobs, shard.at_once, shard.attempts, joining)])
        try:
            while left:
                now = left.popleft()
                others = {job.number: job for job in now.jobs}
                for job, outcome in self._try(now, slot, listener):
                    others.pop(job.number, None)
                    self._settle(outcome)
                    attempts = now.attempts + (not outcome.cut_off)
                    is_over = not outcome.cut_off and not self._settings.retries_after(outcome, attempts)
                    if self._stopping.is_set() or is_over:
                        if self._judging is not None:
                            self._judging.forget(job.number)
                        end(outcome)
                        continue
                    listener(Event(EventKind.RETRY, job.number, asdict(outcome)))
                    until = job.until if self._judging is None else self._judging.until(job)
                    following = replace(job, attempt=job.attempt + 1, previous=outcome.runs, until=until)
                    left.append(_Try((following,), 1, attempts))
                if others:  # which had not begun
                    left.appendleft(_Try(tuple(others.values()), now.at_once, now.attempts))
        finally:
            self._free.put(slot)

    def _try(self, now: "_Try", slot: Slot, listener: Listener) -> Iterator[Ended]:
        """Run jobs once; their outcomes name the runs of earlier attempts too."""
        first, limit = now.jobs[0].number, self._settings.memory_limit_bytes
        at_once = now.at_once if limit is None else min(now.at_once, max(1, available_bytes() // limit))
        try:
            if self._await_memory(first, (limit or 0) * at_once):
                yield from self._follow(now, at_once, slot, listener)
            else:
                yield from (Ended(job, cancelled(job)) for job in now.jobs)
        finally:
            with self._admission:
                self._admitted.pop(first, None)

    def _follow(self, now: "_Try", at_once: int, slot: Slot, listener: Listener) -> Iterator[Ended]:
        began = time.monotonic()
        ready = []
        for job in now.jobs:
            try:
                make_folder(job)  # before a child is asked for, which could not write its log there
                (job.folder / "output.log").open("ab").close()
            except OSError as error:
                yield Ended(job, not_started(job, error, time.monotonic() - began))
            else:
                ready.append(job)
        if not ready:
            return
        is_alone = len(now.jobs) == 1 and now.another is None
        try:
            worker = (self._idle.pop(slot.index, None) if is_alone else None) or Worker(self._server)
        except OSError as error:  # no room for another process, or no forkserver
            yield from (Ended(job, not_started(job, error, time.monotonic() - began)) for job in ready)
            return

        def tell_start(job: Job) -> None:
            listener(started(job, pid=worker.pid, slot=slot.index))

        if self._judging is not None:
            for job in ready:
                self._judging.begin(job, worker if len(ready) == 1 and now.another is None else None)
        attempt = Attempt(
            ready,
            worker,
            listener,
            self._settings,
            self._wake,
            at_once=at_once,
            tell_start=tell_start,
            judging=self._judging,
            another=now.another or _none,
            supply=self._supply,
        )
        self._running[ready[0].number] = attempt
        is_over = False
        try:
            for job in ready[:at_once]:
                tell_start(job)
            is_last = not is_alone or self._settings.isolation is Isolation.PROCESS
            is_open = now.another is not None
            worker.send(Assignment(tuple(ready), slot, is_last, at_once, began, is_open))
            yield from attempt.follow(began)
            is_over = True
        finally:
            self._running.pop(ready[0].number, None)
            if not is_over:  # a fault of this process, which would leave the child waiting for ever
                worker.kill()
                worker.end()
        if attempt.is_reusable:
            self._idle[slot.index] = worker

    def _await_memory(self, first: int, needed: int) -> bool:
        """Wait until the machine has the memory that a process may use; return False if the sweep is stopped first.

        Memory that admitted processes may still take counts as taken. One that runs alone is always admitted. A process
        is named by its `first` job.
        """
        while needed and not self._stopping.is_set():
            with self._admission:
                used = {number: attempt.used_bytes for number, attempt in list(self._running.items())}
                promised = sum(max(0, most - used.get(number, 0)) for number, most in self._admitted.items())
                if not self._admitted or available_bytes() - promised >= needed:
                    self._admitted[first] = needed
                    break
            self._stopping.wait(ADMISSION_POLL_S)
        return not self._stopping.is_set()


class _Try(NamedTuple):
    """Jobs that run in one process, `at_once` of them begun, after so many `attempts` that were their own.

    `another` returns a further job for the process, by how many it had; None where no job may join these.
    """

    jobs: tuple[Job, ...]
    at_once: int
    attempts: int = 0
    another: Another | None = None


def _none(_taken: int) -> Job | None:
    return None


class _Outcomes:
    """Outcomes on their way to whoever iterates over them.

    `one_by_one`, `put` waits until that one has come back for the next: what it decides on an outcome, such as to stop,
    counts for the job after it.
    """

    def __init__(self, *, one_by_one: bool) -> None:
        self._ended: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        self._waits = one_by_one
        self._is_heard = threading.Event()

    def put(self, outcome: Outcome) -> None:
        """Hand over an outcome."""
        self._is_heard.clear()
        self._ended.put(outcome)
        if self._waits:
            self._is_heard.wait()

    def end(self) -> None:
        """End the iteration."""
        self._ended.put(None)

    def close(self) -> None:
        """Wait for nobody any more."""
        self._waits = False
        self._is_heard.set()

    def __iter__(self) -> Iterator[Outcome]:
        for outcome in iter(self._ended.get, None):
            yield outcome
            self._is_heard.set()
