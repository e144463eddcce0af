"""One attempt at a job, from its start to one outcome with one reason: messages, limits, the order to stop."""

import signal
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from sweeps.executor.contract import STOPPED, Listener, outcome_of
from sweeps.executor.failure_text import failure
from sweeps.executor.local.memory import oom_kills, used_bytes
from sweeps.executor.local.supplies import Supplies, deliver
from sweeps.executor.local.worker import Worker
from sweeps.jobs import Event, EventKind, Job, JobStatus, Outcome, Reason
from sweeps.settings.launcher_settings import LauncherSettings
from tracking.process import is_alive
from tracking.values.units import format_duration, format_size

MEMORY_POLL_S = 0.25
SHOWN_AFTER_S = 1.0  # how long a process may wait for its threads before that is shown
ENDED_AFTER_S = 5.0  # the same for its exit handlers, which take seconds on a busy machine
NEVER = float("inf")


class Attempt:
    """Follows a job that was given to `worker`; `wake` becomes readable when the sweep is stopped."""

    def __init__(
        self, job: Job, worker: Worker, listener: Listener, settings: LauncherSettings, wake: Connection
    ) -> None:
        self._job = job
        self.worker = worker
        self._listener = listener
        self._settings = settings
        self._runs = list(job.previous)
        self._waited_for: list[Any] = [worker.connection, worker.sentinel, wake]
        self._wake = wake
        self._deadline = NEVER if settings.timeout_s is None else time.monotonic() + settings.timeout_s
        self._force_at = NEVER
        self._ended_for: tuple[Reason, str] | None = None
        self._killed_at: float | None = None
        self._oom_kills = oom_kills()
        self.used_bytes = 0
        self.is_reusable = False

    def follow(self, began: float) -> Outcome:
        """Wait for the end of the job and return its outcome; `began` is when its process was asked for.

        Afterwards the child `is_reusable`, or it is gone with all the processes it started.
        """
        message = self._listen()
        if message is None:
            message = self._died(self.worker.end())
        elif message.get("done", True):
            message = self._let_end(message)
        else:
            self.is_reusable = True
        if self._ended_for is not None and message["status"] != JobStatus.COMPLETED:
            reason, error = self._ended_for
            message = {**message, "status": JobStatus.KILLED, "error": error, "reason": reason}
        return outcome_of(self._job, message, time.monotonic() - began, self._runs)

    def _listen(self) -> dict[str, Any] | None:
        """Handle messages until the outcome, and return it; None if the child ends without one."""
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
                elif message["kind"] == "run":
                    self._runs.append(message["run"])
                    self._listener(Event(EventKind.RUN, self._job.number, {"run": message["run"]}))
                elif message["kind"] == "warning":
                    told = {"how": message["how"], "text": message["text"]}
                    self._listener(Event(EventKind.WARNING, self._job.number, told))
                elif message["kind"] == "lacks":
                    self.worker.answer(deliver(Supplies.of_message(message)))
                else:
                    return message
            elif sentinel in ready:
                if self._is_gone():
                    return None
            elif self._wake not in ready:
                self._attend(ready)

    def _let_end(self, message: dict[str, Any]) -> dict[str, Any]:
        """Wait until the process of a job whose task has returned is gone, at most the grace period."""
        returned = time.monotonic()
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
                self._listener(Event(EventKind.ENDING, self._job.number, {"waits_for": waiting}))
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

    def _patience(self, *events: float) -> float | None:
        """Return how long to wait for messages, before limits or `events` are due."""
        patience = max(0.0, min(self._deadline, self._force_at, *events) - time.monotonic())
        if self._settings.memory_limit_bytes is not None:
            patience = min(patience, MEMORY_POLL_S)
        return None if patience == NEVER else patience

    def _enforce_limits(self) -> None:
        now = time.monotonic()
        if now >= self._force_at:
            self._force_at, self._killed_at = NEVER, now
            self.worker.kill()
        if now >= self._deadline:
            self._deadline = NEVER
            allowed = format_duration(self._settings.timeout_s or 0.0)
            self._end_for(Reason.TIMEOUT, f"took longer than its timeout of {allowed}")
        limit = self._settings.memory_limit_bytes
        if limit is not None and self._ended_for is None:
            self.used_bytes = used_bytes(self.worker.pid)
            if self.used_bytes > limit:
                self._end_for(
                    Reason.MEMORY,
                    f"used {format_size(self.used_bytes)}, more than its memory_limit of {format_size(limit)}",
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


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
