"""Runs jobs on this machine: joblib's threads, each supervising one killable child process at a time.

A thread takes a slot, hands the job to a child forked by the forkserver, which has the task's modules loaded, and
waits for messages, the end of the child, its limits or the order to stop. Only that thread uses the child, so a fault
of one job reaches no other.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from multiprocessing import Pipe

import joblib

from sweeps.executor.contract import Listener, cancelled, make_folder, not_started, started
from sweeps.executor.local.attempt import Attempt
from sweeps.executor.local.child import Assignment
from sweeps.executor.local.memory import available_bytes
from sweeps.executor.local.program import Common
from sweeps.executor.local.server import ForkServer
from sweeps.executor.local.slots import Slot, pool_of
from sweeps.executor.local.worker import Worker
from sweeps.jobs import Event, EventKind, Job, Outcome
from sweeps.settings.launcher_settings import Isolation, LauncherSettings

ADMISSION_POLL_S = 0.2  # how often a waiting job checks for free memory


class LocalExecutor:
    """An `Executor` on this machine's cores.

    The forkserver starts with the executor, so that it loads the task's modules while the sweep is still planned.
    """

    def __init__(self, settings: LauncherSettings, common: Common) -> None:
        self._settings = settings
        self._free = pool_of(settings)
        self._server = ForkServer(
            settings, common.packed(), str(getattr(common.task_function, "__module__", ""))
        )
        self._stopping = threading.Event()
        self._wake, self._waker = Pipe(duplex=False)
        self._idle: dict[int, Worker] = {}  # children that can take another job, by slot
        self._running: dict[int, Attempt] = {}
        self._admission = threading.Lock()
        self._admitted: set[int] = set()  # jobs that run or are about to start

    def run(self, jobs: Iterable[Job], listener: Listener) -> Iterator[Outcome]:
        """Run `jobs`, at most ``n_jobs`` at once, and yield outcomes as they end; see `Executor`."""
        parallel = joblib.Parallel(
            n_jobs=self._settings.n_jobs,
            backend="threading",
            return_as="generator_unordered",
            batch_size=1,
            pre_dispatch="n_jobs",
        )
        try:
            yield from parallel(joblib.delayed(self._supervise)(job, listener) for job in jobs)
        finally:
            while self._idle:
                self._idle.popitem()[1].end()

    def stop(self) -> None:
        """Start no more jobs; send SIGTERM to those that run, SIGKILL after a grace period or if called again."""
        if self._stopping.is_set():
            for attempt in list(self._running.values()):
                attempt.worker.kill()
        else:
            self._stopping.set()
            self._waker.send_bytes(b"stop")

    def _supervise(self, job: Job, listener: Listener) -> Outcome:
        """Run a job until it completes, has no attempts left, or the sweep is stopped."""
        attempts, runs = 0, job.previous
        while True:
            slot = self._free.get()
            try:
                attempt = replace(job, attempt=job.attempt + attempts, previous=runs)
                outcome = self._try(attempt, slot, listener)
            finally:
                self._free.put(slot)
            attempts += 1
            runs = outcome.runs
            if self._stopping.is_set() or not self._settings.retries_after(outcome, attempts):
                return outcome
            listener(Event(EventKind.RETRY, job.number, asdict(outcome)))

    def _try(self, job: Job, slot: Slot, listener: Listener) -> Outcome:
        """Run a job once; its outcome names the runs of earlier attempts too."""
        try:
            return self._follow(job, slot, listener) if self._await_memory(job) else cancelled(job)
        finally:
            with self._admission:
                self._admitted.discard(job.number)

    def _follow(self, job: Job, slot: Slot, listener: Listener) -> Outcome:
        began = time.monotonic()
        try:
            make_folder(job)  # before a child is asked for, which could not write its log there
            (job.folder / "output.log").open("ab").close()
            worker = self._idle.pop(slot.index, None) or Worker(self._server)
        except OSError as error:  # nor room for another process, or no forkserver
            return not_started(job, error, time.monotonic() - began)
        attempt = Attempt(job, worker, listener, self._settings, self._wake)
        self._running[job.number] = attempt
        outcome = None
        try:
            listener(started(job, pid=worker.pid, slot=slot.index))
            worker.send(Assignment(job, slot, is_last=self._settings.isolation is Isolation.PROCESS))
            outcome = attempt.follow(began)
        finally:
            self._running.pop(job.number, None)
            if outcome is None:  # a fault of this process, which would leave the child waiting for ever
                worker.kill()
                worker.end()
        if attempt.is_reusable:
            self._idle[slot.index] = worker
        return outcome

    def _await_memory(self, job: Job) -> bool:
        """Wait until the machine has the memory that this job may use; return False if the sweep is stopped first.

        Memory that admitted jobs may still take counts as taken. A job that runs alone is always admitted.
        """
        limit = self._settings.memory_limit_bytes
        while limit is not None and not self._stopping.is_set():
            with self._admission:
                used = {number: attempt.used_bytes for number, attempt in list(self._running.items())}
                promised = sum(max(0, limit - used.get(number, 0)) for number in self._admitted)
                if not self._admitted or available_bytes() - promised >= limit:
                    self._admitted.add(job.number)
                    break
            self._stopping.wait(ADMISSION_POLL_S)
        return not self._stopping.is_set()
