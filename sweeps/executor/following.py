"""Follows the runs of jobs that do not ask whether to stop, and ends those that are to end.

One thread reads the journals of all of them. A run that is to end finds a request in its folder. If it logs the objective
once more, it has not looked: its process gets SIGTERM, a grace period later so do all processes of the job, and after
another one these are killed.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from sweeps.jobs import Job
from tracking import TrackingError
from tracking.process.announcements import announced
from tracking.watched import WatchedRun

LOOK_EVERY_S = 0.2


class Process(Protocol):
    """The process of a job, with those that it started."""

    pid: int

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""

    def kill(self) -> None:
        """End it by force."""


class _Followed:
    """A job that is followed: its run that was asked to stop, at which level, and what is left to do to end it."""

    def __init__(self, job: Job, process: Process | None) -> None:
        self.job = job
        self.process = process
        self.runs: dict[Path, WatchedRun | None] = {}  # None: it asks
        self.asked: tuple[WatchedRun, int] | None = None
        self.since = 0.0
        self.was_signalled = False
        self.left: list[Callable[[], None]] = []

    def close(self) -> None:
        for run in self.runs.values():
            if run is not None:
                run.close()


class Following:
    """Follows jobs in a thread, which starts with the first one.

    `seen` hears how many values of each of `metrics` a run of a job has, and returns whether the job is to end.
    """

    def __init__(
        self, metrics: Sequence[str], seen: Callable[[int, int, Path], bool], *, grace_s: float
    ) -> None:
        self._metrics = metrics
        self._seen = seen
        self._grace_s = grace_s
        self._jobs: dict[int, _Followed] = {}
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, job: Job, process: Process | None) -> None:
        """Follow the runs that an attempt at a job opens."""
        with self._lock:
            self._jobs[job.number] = _Followed(job, process)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="podium-levels", daemon=True)
                self._thread.start()

    def leave(self, job: int, run_dir: Path) -> None:
        """Follow this run of a job no more."""
        with self._lock:
            if (followed := self._jobs.get(job)) is not None:
                run, followed.runs[run_dir] = followed.runs.get(run_dir), None
                if run is not None:
                    run.close()

    def end(self, job: int) -> bool:
        """Follow a job no more; return whether it got a signal."""
        with self._lock:
            followed = self._jobs.pop(job, None)
            if followed is None:
                return False
            followed.close()
            return followed.was_signalled

    def close(self) -> None:
        """Follow nothing more."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        for job in list(self._jobs):
            self.end(job)

    def _watch(self) -> None:
        while not self._closed.wait(LOOK_EVERY_S):
            for followed in list(self._jobs.values()):
                with contextlib.suppress(TrackingError, OSError):  # of files that change while they are read
                    self._look(followed)

    def _look(self, followed: _Followed) -> None:
        for each in announced(followed.job.folder, followed.job.attempt):
            folder = Path(each.folder)
            with self._lock:
                if folder not in followed.runs:
                    followed.runs[folder] = WatchedRun(folder, self._metrics)
        for folder in list(followed.runs):
            with self._lock:  # or its files are closed meanwhile
                run = followed.runs[folder] if followed.job.number in self._jobs else None
                level = 0 if run is None else run.level()
            if run is None or not level:
                continue
            if followed.asked is None and self._seen(followed.job.number, level, folder):
                run.prune()
                followed.asked, followed.since = (run, level), time.monotonic()
                followed.left = _ways_to_end(followed.process, run)
            elif followed.asked is not None and followed.asked[0] is run:
                self._end(followed, is_going_on=level > followed.asked[1])

    def _end(self, followed: _Followed, *, is_going_on: bool) -> None:
        """End the process of a job that was asked to stop, if it goes on all the same."""
        is_late = time.monotonic() - followed.since >= self._grace_s
        with self._lock:
            is_due = is_late or (is_going_on and not followed.was_signalled)
            if is_due and followed.left and followed.job.number in self._jobs:
                followed.was_signalled, followed.since = True, time.monotonic()
                followed.left.pop(0)()


def _ways_to_end(process: Process | None, run: WatchedRun) -> list[Callable[[], None]]:
    """Return what ends a job, the gentlest first; nothing for a job that shares its process with others."""
    if process is None:
        return []
    ways: list[Callable[[], None]] = [lambda: process.signal(signal.SIGTERM), process.kill]
    writer = run.process()
    return ways if writer in (None, process.pid) else [lambda: _terminate(run), *ways]


def _terminate(run: WatchedRun) -> None:
    """Send SIGTERM to the process of a run, which the job has started."""
    pid = run.process()
    if pid is not None:
        with contextlib.suppress(OSError):  # it has just ended, or is another user's
            os.kill(pid, signal.SIGTERM)
