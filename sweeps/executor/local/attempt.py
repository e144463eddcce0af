"""One attempt at a job, followed to its end: what the child says, how long it takes, how much it uses.

Whoever ends a job, its limits, the sweep or the job itself, the attempt comes out as one outcome with one reason.
"""

import signal
import time
from multiprocessing.connection import Connection, wait
from typing import Any

from sweeps.executor.contract import Listener
from sweeps.executor.failure_text import failure
from sweeps.executor.local.memory import oom_kills, used_bytes
from sweeps.executor.local.worker import Worker
from sweeps.jobs import Event, EventKind, Job, JobStatus, Outcome, Reason
from sweeps.settings.launcher_settings import LauncherSettings
from tracking.values.units import format_duration, format_size

MEMORY_POLL_S = 0.25


class Attempt:
    """Follows a job that was handed to `worker`; `wake` becomes readable when the sweep is stopped."""

    def __init__(
        self, job: Job, worker: Worker, listener: Listener, settings: LauncherSettings, wake: Connection
    ) -> None:
        self._job = job
        self._worker = worker
        self._listener = listener
        self._settings = settings
        self._runs = list(job.previous)
        self._waited_for: list[Any] = [worker.connection, worker.sentinel, wake]
        self._wake = wake
        self._deadline = _after(settings.timeout_s)
        self._force_at = float("inf")
        self._ended_for: tuple[Reason, str] | None = None
        self._oom_kills = oom_kills()
        self.used_bytes = 0
        self.may_go_on = False

    def follow(self, began: float) -> Outcome:
        """Wait for the end and tell what became of the job; `began` is when its process was asked for.

        Unless the child `may_go_on` with another job, it is gone afterwards, with all that it started.
        """
        message = self._listen()
        self.may_go_on = message is not None and not message.get("done", True)
        if not self.may_go_on:
            exit_code = self._worker.end(linger=message is not None)
            message = message or self._died(exit_code)
        assert message is not None  # noqa: S101 - a child that goes on has sent one
        if self._ended_for is not None and message["status"] != JobStatus.COMPLETED:
            why, error = self._ended_for
            message = {**message, "status": JobStatus.KILLED, "error": error, "reason": why}
        reason = message.get("reason")
        return Outcome(
            self._job.number,
            JobStatus(message["status"]),
            time.monotonic() - began,
            message["value"],
            message["error"],
            message["traceback"],
            tuple(self._runs),
            None if reason is None else Reason(reason),
            self._job.attempt,
            message.get("result"),
        )

    def kill(self) -> None:
        """End the job by force, with all that it started; may be called from any thread."""
        self._worker.kill()

    def _listen(self) -> dict[str, Any] | None:
        """Collect messages until the outcome or the end; return the outcome's."""
        line, sentinel = self._worker.connection, self._worker.sentinel
        while True:
            ready = wait(self._waited_for, self._patience())
            if line in ready:
                message = self._worker.receive()
                if message is None:
                    self._waited_for.remove(line)
                    if sentinel not in self._waited_for:
                        return None
                elif message["kind"] == "run":
                    self._runs.append(message["run"])
                    self._listener(Event(EventKind.RUN, self._job.number, {"run": message["run"]}))
                else:
                    return message
            elif sentinel in ready:
                if not self._worker.goes_on():
                    return None
                self._waited_for.remove(sentinel)
            elif self._wake in ready:
                self._waited_for.remove(self._wake)
                self._end_for(Reason.STOPPED, "the sweep was stopped")
            else:
                self._enforce_limits()

    def _patience(self) -> float | None:
        until = min(self._deadline, self._force_at)
        patience = max(0.0, until - time.monotonic())
        if self._settings.memory_limit_bytes is not None:
            patience = min(patience, MEMORY_POLL_S)
        return None if patience == float("inf") else patience

    def _enforce_limits(self) -> None:
        now = time.monotonic()
        if now >= self._force_at:
            self._force_at = float("inf")
            self.kill()
        if now >= self._deadline:
            self._deadline = float("inf")
            allowed = format_duration(self._settings.timeout_s or 0.0)
            self._end_for(Reason.TIMEOUT, f"took longer than its timeout of {allowed}")
        limit = self._settings.memory_limit_bytes
        if limit is not None and self._ended_for is None:
            self.used_bytes = used_bytes(self._worker.pid)
            if self.used_bytes > limit:
                self._end_for(
                    Reason.MEMORY,
                    f"used {format_size(self.used_bytes)}, more than its memory_limit of {format_size(limit)}",
                )
                self.kill()  # while it is asked nicely, it goes on filling the machine

    def _end_for(self, reason: Reason, error: str) -> None:
        """Ask the job to end, and see to it after the grace period."""
        if self._ended_for is None:
            self._ended_for = reason, error
            self._force_at = time.monotonic() + self._settings.grace_s
            self._worker.signal(signal.SIGTERM)

    def _died(self, exit_code: int | None) -> dict[str, Any]:
        if exit_code is None:
            return failure(
                "how its process ended is not known: the process that starts jobs (the forkserver) was killed",
                reason=Reason.LOST,
            )
        if exit_code >= 0:
            error = f"the process ended with exit code {exit_code} and without an outcome"
            return failure(error, reason=Reason.EXIT)
        error = f"killed by {_signal_name(-exit_code)}"
        if -exit_code == signal.SIGKILL and oom_kills() > self._oom_kills:
            return failure(
                f"{error}, as the system ran out of memory", reason=Reason.MEMORY, status=JobStatus.KILLED
            )
        return failure(error, reason=Reason.SIGNAL, status=JobStatus.KILLED)


def _after(limit_s: float | None) -> float:
    return float("inf") if limit_s is None else time.monotonic() + limit_s


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
