"""One attempt at a job, or at several in one process, from the start to one outcome with one reason each: messages, limits,
the order to stop."""

import contextlib
import json
import pickle
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

from sweeps.executor.contract import Listener, make_folder, outcome_of
from sweeps.executor.failure_text import failure
from sweeps.executor.judging import Judging
from sweeps.executor.local.memory import oom_kills, used_bytes
from sweeps.executor.local.supplies import Supplies, deliver
from sweeps.executor.local.worker import Worker
from sweeps.jobs import STOPPED, Event, EventKind, Job, JobStatus, Outcome, Reason
from sweeps.settings.launcher_settings import LauncherSettings
from tracking.process import is_alive
from tracking.values.units import format_duration, format_size

MEMORY_POLL_S = 0.25
SHOWN_AFTER_S = 1.0  # how long a process may wait for its threads before that is shown
ENDED_AFTER_S = 5.0  # the same for its exit handlers, which take seconds on a busy machine
LONGEST_WAIT_S = 1e6  # the system refuses one of a month
NEVER = float("inf")


# Why a job did not complete that others in its process may be the cause of.
OF_A_PROCESS = frozenset({Reason.SIGNAL, Reason.MEMORY, Reason.TIMEOUT, Reason.LOST})


class Ended(NamedTuple):
    """The end of an attempt at a job."""

    job: Job
    outcome: Outcome


class Attempt:
    """Follows jobs that were given to `worker`, one or several that take turns, at most `at_once` of them begun.

    `wake` becomes readable when the sweep is stopped. `tell_start` is called for a job that begins when another one has
    ended. A limit of a job counts for the process once for each: that of time for all jobs, as one runs at a time, and
    that of memory for those at once. With `judging`, jobs that wait for a judgement get it. `another` returns a further
    job for a child that has room for one, by how many it had. `supply` returns what a job lacks.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        worker: Worker,
        listener: Listener,
        settings: LauncherSettings,
        wake: Connection,
        *,
        at_once: int = 1,
        tell_start: Callable[[Job], None] = lambda _job: None,
        judging: Judging | None = None,
        another: Callable[[int], Job | None] = lambda _taken: None,
        supply: Callable[[Supplies], bytes] = deliver,
    ) -> None:
        self.worker = worker
        self._listener = listener
        self._settings = settings
        self._tell_start = tell_start
        self._judging = judging
        self._another = another
        self._supply = supply
        self._count = len(jobs)
        self._left = {job.number: job for job in jobs}
        self._begun = dict.fromkeys([job.number for job in jobs[:at_once]], time.monotonic())
        self._runs = {job.number: [*job.previous] for job in jobs}
        self._waited_for: list[Any] = [worker.connection, worker.sentinel, wake]
        self._wake = wake
        timeout_s, memory_bytes = settings.timeout_s, settings.memory_limit_bytes
        self._timeout_s = None if timeout_s is None else timeout_s * len(jobs)
        self._memory_bytes = None if memory_bytes is None else memory_bytes * at_once
        self._memory_text = f"{_times(at_once)}its memory_limit of {format_size(memory_bytes or 0)}"
        self._deadline = NEVER if self._timeout_s is None else time.monotonic() + self._timeout_s
        self._force_at = NEVER
        self._ended_for: tuple[Reason, str] | None = None
        self._killed_at: float | None = None
        self._oom_kills = oom_kills()
        self.used_bytes = 0
        self.is_reusable = False

    def follow(self, began: float) -> Iterator[Ended]:
        """Yield the end of each job as it comes; `began` is when the process was asked for.

        If the process ends before its jobs, so do those that have begun; the others have no end. Afterwards the child `is_reusable`, or it is
        gone with all the processes it started.
        """
        self._begun = dict.fromkeys(self._begun, began)
        while True:
            message = self._listen()
            is_over, has_died = message is None or message.get("done", True), message is None
            if message is None:
                message = self._died(self.worker.end())
            elif is_over:
                message = self._let_end(message)
            if self._ended_for is not None and message["status"] != JobStatus.COMPLETED:
                reason, error = self._ended_for
                message = {**message, "status": JobStatus.KILLED, "error": error, "reason": reason}
            named = message.get("job")
            for number in [*self._begun] if named is None else [named]:
                job = self._left.pop(number)
                wall_s = time.monotonic() - self._begun.pop(number)
                told = message if self._judging is None else self._judging.outcome(number, message)
                outcome = outcome_of(job, told, wall_s, self._runs[number])
                is_of_process = outcome.reason in OF_A_PROCESS or (has_died and self._ended_for is None)
                if is_of_process and self._count > 1:
                    error = f"{outcome.error}, in a process of {self._count} jobs"
                    outcome = replace(outcome, status=JobStatus.KILLED, error=error, cut_off=True)
                yield Ended(job, outcome)
            if is_over:
                return
            if not self._left:
                self.is_reusable = True
                return

    def _listen(self) -> dict[str, Any] | None:
        """Handle messages until an outcome, and return it; None if the child ends without one."""
        line, sentinel = self.worker.connection, self.worker.sentinel
        while True:
            ready = wait(self._waited_for, self._patience())
            if self._wake in ready:  # first: a job that a second order to stop has killed was stopped
                self._attend(ready)
            if line in ready:
                message = self.worker.receive()
                if message is None:
                    self._waited_for.remove(line)
                    if sentinel not in self._waited_for:
                        return None
                elif message["kind"] == "outcome":
                    return message
                else:
                    self._hear(message)
            elif sentinel in ready:
                if self._is_gone():
                    return None
            elif self._wake not in ready:
                self._attend(ready)

    def _hear(self, message: Mapping[str, Any]) -> None:
        """Handle a message that is no outcome."""
        if "job" in message and message["job"] not in self._left:
            return  # of a job that has ended
        match message["kind"]:
            case "started":
                self._begun[message["job"]] = time.monotonic()
                self._tell_start(self._left[message["job"]])
            case "run":
                self._runs[message["job"]].append(message["run"])
                self._listener(Event(EventKind.RUN, message["job"], {"run": message["run"]}))
            case "warning":
                told = {"how": message["how"], "text": message["text"]}
                self._listener(Event(EventKind.WARNING, message["job"], told))
            case "lacks":
                self.worker.answer(self._supply(Supplies.of_message(message)))
            case "room":
                self.worker.answer(pickle.dumps(self._begin_another()))
            case "asks" if self._judging is not None:
                self._judging.asks(message["job"], Path(message["run"]))
            case "waits" if (
                self._judging is not None and self._ended_for is None
            ):  # or a signal has ended the waiting
                goes_on = self._judging.answer((job, n, Path(run)) for job, n, run in message["counts"])
                self.worker.answer(json.dumps(goes_on).encode())

    def _begin_another(self) -> Job | None:
        """Return a further job for the child, which begins; None if there is none, or this attempt is to end."""
        job = None if self._ended_for is not None else self._another(self._count)
        if job is None:
            return None
        with contextlib.suppress(OSError):  # without a log the job fails, and says so
            make_folder(job)
        self._count += 1
        self._left[job.number] = job
        self._begun[job.number] = time.monotonic()
        self._runs[job.number] = [*job.previous]
        if self._settings.timeout_s is not None:
            self._deadline += self._settings.timeout_s
        if self._judging is not None:
            self._judging.begin(job)
        self._tell_start(job)
        return job

    def _let_end(self, message: dict[str, Any]) -> dict[str, Any]:
        """Wait until the process of a job whose task has returned is gone, at most the grace period."""
        returned, job = time.monotonic(), message.get("job", next(iter(self._begun)))
        self._force_at = min(self._force_at, returned + self._settings.grace_s)
        self._deadline = NEVER
        threads = ", ".join(message.get("waits_for", ()))
        waiting = f"its threads ({threads})" if threads else "its exit handlers"
        shown_at = returned + (SHOWN_AFTER_S if threads else ENDED_AFTER_S)
        sentinel = self.worker.sentinel
        self._waited_for = [each for each in self._waited_for if each is not self.worker.connection]
        while sentinel in self._waited_for or is_alive(self.worker.pid):
            ready = wait(self._waited_for, self._patience(shown_at))
            if sentinel in ready and self._is_gone():
                break
            if time.monotonic() >= shown_at:
                shown_at = NEVER
                self._listener(Event(EventKind.ENDING, job, {"waits_for": waiting}))
            self._attend(ready)
        code = self.worker.end()
        if code == -signal.SIGKILL and self._killed_at is not None:
            after = format_duration(self._killed_at - returned)
            return {**message, "note": f"cut off {after} after its task returned, waiting for {waiting}"}
        if message["status"] == JobStatus.COMPLETED and code:
            ended = f"exit code {code}" if code > 0 else _signal_name(-code)
            return {**message, "note": f"its process ended with {ended} after its task returned"}
        return message

    def _is_gone(self) -> bool:
        """Return whether the child has ended, once its sentinel is ready; that also happens when the forkserver ends."""
        if not is_alive(self.worker.pid):
            return True
        self._waited_for.remove(self.worker.sentinel)
        return False

    def _attend(self, ready: Sequence[Any]) -> None:
        """Act on the order to stop and on limits."""
        if self._wake in ready:
            self._waited_for.remove(self._wake)
            self._end_for(Reason.STOPPED, STOPPED)
        self._enforce_limits()

    def _patience(self, *events: float) -> float:
        """Return how long to wait for messages, before limits or `events` are due."""
        patience = max(0.0, min(self._deadline, self._force_at, *events) - time.monotonic())
        return min(patience, LONGEST_WAIT_S if self._memory_bytes is None else MEMORY_POLL_S)

    def _enforce_limits(self) -> None:
        now = time.monotonic()
        if now >= self._force_at:
            self._force_at, self._killed_at = NEVER, now
            self.worker.kill()
        if now >= self._deadline:
            self._deadline = NEVER
            limit_text = (
                f"{_times(self._count)}its timeout of {format_duration(self._settings.timeout_s or 0.0)}"
            )
            self._end_for(Reason.TIMEOUT, f"took longer than {limit_text}")
        limit = self._memory_bytes
        if limit is not None and self._ended_for is None:
            self.used_bytes = used_bytes(self.worker.pid)
            if self.used_bytes > limit:
                self._end_for(
                    Reason.MEMORY,
                    f"used {format_size(self.used_bytes)}, more than {self._memory_text}",
                )
                self._killed_at = now
                self.worker.kill()  # during a grace period it would take the rest of the machine's memory

    def _end_for(self, reason: Reason, error: str) -> None:
        """Send SIGTERM, and kill the job after the grace period."""
        if self._ended_for is None:
            self._ended_for = reason, error
            self._force_at = time.monotonic() + self._settings.grace_s
            self.worker.signal(signal.SIGTERM)

    def _died(self, exit_code: int | None) -> dict[str, Any]:
        if exit_code is None:
            error = "its exit code is unknown: the forkserver, which starts jobs, was killed"
            return failure(error, reason=Reason.LOST)
        if exit_code >= 0:
            error = f"the process ended without reporting a result (exit code {exit_code})"
            return failure(error, reason=Reason.EXIT)
        error, reason = f"killed by {_signal_name(-exit_code)}", Reason.SIGNAL
        if -exit_code == signal.SIGKILL and oom_kills() > self._oom_kills:
            error, reason = f"{error}, as the system ran out of memory", Reason.MEMORY
        return failure(error, reason=reason, status=JobStatus.KILLED)


def _times(number: int) -> str:
    return "" if number == 1 else f"{number} times "


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
