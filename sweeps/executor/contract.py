"""The contract between a sweep and an executor, which runs its jobs.

A job goes out as plain data and its outcome comes back as plain data; nothing a job does reaches the sweep in any
other form. `sweeps.executor.conformance` states the contract as tests.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sweeps.executor.failure_text import failure, one_line
from sweeps.jobs import STOPPED, Event, EventKind, Job, JobStatus, Outcome, Reason
from tracking.process.announcements import announced

# Receives events from any thread that supervises a job, so it must be thread-safe; it must not raise.
Listener = Callable[[Event], None]

# Judges jobs that wait: the number of each, after how many values of the objective it does, and the folder of its run.
# Returns those that go on, each with the number of values after which it waits again, None for its end; the others are to
# end. Called from any thread that supervises a job, by one at a time; it must not raise.
Judge = Callable[[Sequence[tuple[int, int, Path]]], Mapping[int, int | None]]


class Executor(Protocol):
    """Runs jobs somewhere, several at once.

    Guarantees: `jobs` is pulled lazily, not more than one ahead of a free place. Of jobs that have a group, an executor
    that runs several in one process may pull as many as its processes could take; they share the process alone, and
    where a guarantee below could fail because of that, run again by themselves. Each job pulled yields exactly one
    outcome, in the order they end. Whatever a job does (raise, exit, die, return what cannot be sent) is that job's
    outcome alone, and so is what keeps it from starting, such as a folder that cannot be made. The listener hears
    ``started`` before the job runs, and before its outcome ``run``, with the folder of each run that the job's own
    process opened, and ``warning``, for each kind of warning of that process. `run` raises only for faults of the
    executor, and leaves no child behind.

    With a `judge`, a job that has an `until` is judged once a run of it has logged so many values of the objective, and
    again after as many as the answer says. It waits for the answer where it asks, in `Run.should_stop`; one that only logs
    is followed. A job that is to end gets the status ``pruned`` whatever it returns, unless it fails, or had completed
    before it heard of it. `jobs` may then wait for outcomes before it yields the next one, and say with a method `ready`,
    which never waits, whether it would yield one at once, with an attribute `together` how many jobs of a group may share a
    process at a time, and with a method `close`, which is called when no more jobs are taken, end such waiting.
    """

    def run(self, jobs: Iterable[Job], listener: Listener, judge: Judge | None = None) -> Iterator[Outcome]:
        """Run `jobs` and yield their outcomes as they end."""

    def stop(self) -> None:
        """Start no more jobs and end the running ones: gently first, by force after a grace period.

        A second call ends the running jobs by force at once. Safe to call from a signal handler.
        """


def started(job: Job, **where: Any) -> Event:
    """Return the event of a job that is about to run; `where` adds the process and the slot, if known."""
    return Event(
        EventKind.STARTED,
        job.number,
        {**where, "attempt": job.attempt, "key": job.key, "config_hash": job.config_hash},
    )


def cancelled(job: Job) -> Outcome:
    """Return the outcome of a job that did not start because the sweep was stopped."""
    error = f"{STOPPED} before the job started"
    return Outcome(
        job.number, JobStatus.CANCELLED, 0.0, error=error, runs=job.previous, reason=Reason.STOPPED
    )


def make_folder(job: Job) -> None:
    """Make the folder of a job's output; raise OSError when the system refuses."""
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
    except ValueError as error:  # a name that the file system's encoding cannot hold
        raise OSError(f"{error}: {job.folder}") from error


def not_started(job: Job, error: Exception, wall_s: float = 0.0) -> Outcome:
    """Return the outcome of a job that an error kept from starting."""
    message = failure(one_line(f"could not start: {error}"), reason=Reason.LOST)
    return outcome_of(job, message, wall_s, job.previous)


def outcome_of(job: Job, message: Mapping[str, Any], wall_s: float, runs: Sequence[str]) -> Outcome:
    """Return the outcome that the message of `sweeps.executor.local.child.run_one` describes.

    It names the runs of earlier attempts, those that this attempt has announced, and the others in `runs`.
    """
    told = [each.folder for each in announced(job.folder, job.attempt)]
    reason = message.get("reason")
    details: dict[str, Any] = {
        key: message.get(key) for key in ("value", "error", "traceback", "result", "note", "share_s")
    }
    return Outcome(
        job.number,
        JobStatus(message["status"]),
        wall_s,
        runs=tuple(dict.fromkeys((*job.previous, *told, *runs))),
        reason=None if reason is None else Reason(reason),
        attempt=job.attempt,
        **details,
    )
