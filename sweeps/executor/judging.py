"""Which of the jobs that have come far enough go on: asked once for each level, by the job itself or by who follows it.

A level is a number of values of the objective. A job that is beyond it when it asks, or when its journal is read, is judged
at each level that it has passed, in order.
"""

import contextlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeps.executor.contract import Judge
from sweeps.executor.following import Following, Process
from sweeps.jobs import Job, JobStatus, Reason
from tracking import TrackingError
from tracking.watched import WatchedRun

Counts = Iterable[
    tuple[int, int, Path]
]  # jobs, how many values each has logged, and the folders of their runs
BY_SIGNAL = (Reason.SIGNAL, Reason.EXIT)  # how a job may end that gets SIGTERM


class Judging:
    """The judgements of an executor's jobs. Any thread may use it; `judge` is called by one at a time.

    `metrics` are those whose values count.
    """

    def __init__(self, judge: Judge, metrics: Sequence[str], *, grace_s: float) -> None:
        self._judge = judge
        self._metrics = metrics
        self._lock = threading.Lock()
        self._until: dict[int, int | None] = {}
        self._pruned: dict[int, Path] = {}  # jobs that are to end, and the runs that they were judged by
        self._has_heard: set[int] = set()  # those among them that asked
        self._following = Following(metrics, self._seen, grace_s=grace_s)

    def begin(self, job: Job, process: Process | None = None) -> None:
        """Note that an attempt at a job begins; `process` is its own, which may be ended for it."""
        if self._metrics and job.until is not None:
            with self._lock:
                self._until[job.number] = job.until
            self._following.begin(job, process)

    def asks(self, job: int, run_dir: Path) -> None:
        """Note that a run asks by itself whether to stop, so that nobody needs to follow it."""
        self._following.leave(job, run_dir)

    def answer(self, counts: Counts) -> Mapping[int, int | None]:
        """Return which of the jobs that ask and wait go on, with the number of values after which each asks again."""
        asking = list(counts)
        goes_on = self._judged(asking)
        self._has_heard.update(job for job, _, _ in asking if job not in goes_on)
        return goes_on

    def until(self, job: Job) -> int | None:
        """Return after how many values a job is judged next."""
        return self._until.get(job.number, job.until)

    def outcome(self, job: int, message: dict[str, Any]) -> dict[str, Any]:
        """Return the message of a job that has ended, as that of a pruned one if it ended because of a judgement."""
        was_signalled = self._following.end(job)
        run = self._pruned.get(job)
        if run is None or not self._is_pruned(run, message, job in self._has_heard, was_signalled):
            # A job that had done its work before the signal came is not to blame for how its process ended.
            return {**message, "note": None} if was_signalled and not message.get("error") else message
        return {**message, "status": JobStatus.PRUNED, "error": None, "traceback": None, "reason": None}

    def forget(self, job: int) -> None:
        """Drop what is known of a job that is not tried again."""
        self._until.pop(job, None)
        self._pruned.pop(job, None)
        self._has_heard.discard(job)

    def close(self) -> None:
        """Follow no more jobs."""
        self._following.close()

    def _seen(self, job: int, level: int, run_dir: Path) -> bool:
        """Hear how far a job has come that does not ask; return whether it is to end."""
        return job not in self._judged([(job, level, run_dir)])

    def _judged(self, counts: Sequence[tuple[int, int, Path]]) -> dict[int, int | None]:
        with self._lock:
            while due := [
                (job, until, run)
                for job, count, run in counts
                if job not in self._pruned and (until := self._until.get(job)) is not None and until <= count
            ]:
                goes_on = self._judge(due)
                for job, level, run in due:
                    if job in goes_on:
                        after = goes_on[job]
                        # At a level that is behind it, a job would be judged again and again.
                        self._until[job] = None if after is None else max(after, level + 1)
                    else:
                        self._pruned[job] = run
            return {job: self._until.get(job) for job, _, _ in counts if job not in self._pruned}

    def _is_pruned(
        self, run_dir: Path, message: Mapping[str, Any], has_heard: bool, was_signalled: bool
    ) -> bool:
        status, reason = message["status"], message.get("reason")
        if status == JobStatus.COMPLETED and has_heard:
            return True
        if was_signalled and reason in BY_SIGNAL:
            return True
        if status != JobStatus.COMPLETED and reason != Reason.EXIT and not was_signalled:
            return False
        # A run that failed says so; one that a signal ended says pruned, while the job that started it may raise.
        run = WatchedRun(run_dir, ())
        with contextlib.suppress(TrackingError, OSError), contextlib.closing(run):
            return run.is_pruned()
        return False
