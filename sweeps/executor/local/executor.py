"""Runs jobs on this machine: joblib's threads, each supervising one killable child process at a time.

A thread takes a slot, hands the job to a child that the forkserver (which has the task's modules loaded)
forked, and waits for its messages, its death, its limits or the order to stop. Only the thread touches its
child, so a fault of one job reaches nobody else.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace

import joblib

from sweeps.executor.contract import Listener
from sweeps.executor.local.attempt import Attempt
from sweeps.executor.local.child import Assignment
from sweeps.executor.local.main_script import describe_main
from sweeps.executor.local.memory import available_bytes
from sweeps.executor.local.server import server_pid, warm_forkserver
from sweeps.executor.local.slots import Slot, Slots
from sweeps.executor.local.worker import Worker
from sweeps.jobs import Event, EventKind, Job, JobStatus, Outcome, Reason
from sweeps.settings.launcher_settings import Isolation, LauncherSettings
from tracking.process import is_alive

ROOM_POLL_S = 0.2  # how often it is asked whether there is room for another job


class LocalExecutor:
    """An `Executor` on this machine's cores; `common` comes from `sweeps.executor.local.child.pack_common`.

    The forkserver starts with the executor, so that it loads the task's modules while the sweep is
    still being planned.
    """

    def __init__(self, settings: LauncherSettings, common: bytes) -> None:
        self._settings = settings
        self._common = common
        self._slots = Slots(settings.n_jobs, settings.threads, settings.gpus)
        self._context = warm_forkserver(settings)
        # Starting a process polls all others, which two threads must not do at once.
        self._process_table = threading.Lock()
        self._stopping = threading.Event()
        self._wake, self._waker = self._context.Pipe(duplex=False)
        self._idle: dict[int, Worker] = {}  # children that may go on, by slot
        self._under_way: dict[int, Attempt] = {}
        self._admission = threading.Lock()
        self._admitted: set[int] = set()  # those under way, and those about to be
        self._program = describe_main()

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
                self._idle.popitem()[1].end(linger=True)

    def stop(self) -> None:
        """End the running jobs and start no more: SIGTERM and a grace period first, SIGKILL if called again."""
        if self._stopping.is_set():
            for attempt in list(self._under_way.values()):
                attempt.kill()
        else:
            self._stopping.set()
            self._waker.send_bytes(b"stop")

    def _supervise(self, job: Job, listener: Listener) -> Outcome:
        """Try a job until it completes, may not be tried again, or the sweep is stopped."""
        attempts, runs = 0, job.previous
        while True:
            with self._slots.take() as slot:
                outcome = self._try(
                    replace(job, attempt=job.attempt + attempts, previous=runs), slot, listener
                )
            attempts += 1
            runs = outcome.runs
            if self._stopping.is_set() or not self._settings.retries_after(outcome, attempts):
                return outcome
            listener(Event(EventKind.RETRY, job.number, asdict(outcome)))

    def _try(self, job: Job, slot: Slot, listener: Listener) -> Outcome:
        """Run a job once; its outcome names the runs of earlier attempts too."""
        try:
            if not self._has_room(job):
                error = "the sweep was stopped before it started"
                return Outcome(
                    job.number,
                    JobStatus.CANCELLED,
                    0.0,
                    error=error,
                    runs=job.previous,
                    reason=Reason.STOPPED,
                )
            return self._follow(job, slot, listener)
        finally:
            with self._admission:
                self._admitted.discard(job.number)

    def _follow(self, job: Job, slot: Slot, listener: Listener) -> Outcome:
        began = time.monotonic()
        try:
            try:
                worker = self._worker(slot)
            except EOFError:  # the forkserver ended while it was asked
                worker = self._worker(slot)
        except (OSError, EOFError) as error:  # no room for another process, or no forkserver to make it
            return Outcome(
                job.number,
                JobStatus.FAILED,
                time.monotonic() - began,
                error=f"could not start: {error}",
                runs=job.previous,
                reason=Reason.LOST,
                attempt=job.attempt,
            )
        attempt = Attempt(job, worker, listener, self._settings, self._wake)
        self._under_way[job.number] = attempt
        try:
            started = {
                "pid": worker.pid,
                "slot": slot.index,
                "attempt": job.attempt,
                "key": job.key,
                "config_hash": job.config_hash,
            }
            listener(Event(EventKind.STARTED, job.number, started))
            worker.send(self._assignment(job, slot))
            outcome = attempt.follow(began)
        finally:
            self._under_way.pop(job.number, None)
        if attempt.may_go_on:
            self._idle[slot.index] = worker
        return outcome

    def _worker(self, slot: Slot) -> Worker:
        idle = self._idle.pop(slot.index, None)
        if idle is not None:
            return idle
        with self._process_table:
            if not is_alive(server_pid()):
                self._context = warm_forkserver(self._settings)
        return Worker(self._context, self._common, self._program, self._process_table)

    def _assignment(self, job: Job, slot: Slot) -> Assignment:
        job.folder.mkdir(parents=True, exist_ok=True)
        return Assignment(
            number=job.number,
            key=job.key,
            config_hash=job.config_hash,
            slot=slot,
            log=job.folder / "output.log",
            config=job.config,
            attempt=job.attempt,
            previous=job.previous,
            is_last=self._settings.isolation is Isolation.PROCESS,
        )

    def _has_room(self, job: Job) -> bool:
        """Wait until the machine has the memory that this job may use; False if the sweep is stopped first.

        What the others that were let in may still take counts as taken. A job that runs alone is always let in.
        """
        limit = self._settings.memory_limit_bytes
        while limit is not None and not self._stopping.is_set():
            with self._admission:
                used = {number: attempt.used_bytes for number, attempt in list(self._under_way.items())}
                promised = sum(max(0, limit - used.get(number, 0)) for number in self._admitted)
                if not self._admitted or available_bytes() - promised >= limit:
                    self._admitted.add(job.number)
                    break
            self._stopping.wait(ROOM_POLL_S)
        return not self._stopping.is_set()
