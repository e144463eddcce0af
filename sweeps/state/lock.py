"""The locks of a sweep: one for the process that runs it, one that its jobs share.

Both are ``flock`` locks, which the system releases with their process, however that ends. The lock of the jobs keeps a
sweep from being resumed while a job of its last session still runs.
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sweeps.errors import SweepError
from tracking import TrackingError
from tracking.files import open_handle, try_lock
from tracking.process import started
from tracking.process.program import command
from tracking.values.jsontext import decode, encode

LOCK = "sweep.lock"
JOBS_LOCK = "jobs.lock"
JOBS_WAIT_S = 60.0  # how long jobs of the last session may take to end
POLL_S = 0.05


@dataclass(frozen=True)
class Parent:
    """The process that runs a sweep. Its start time distinguishes it from a later process with the same id."""

    pid: int
    started: str
    host: str

    def is_here(self) -> bool:
        """Return whether this very process runs on this machine."""
        return self.host == socket.gethostname() and self.started == _start_of(self.pid)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of the sweep in `folder` for the length of the block.

    Raise `SweepError`, with the process that holds it, when the sweep already runs.
    """
    handle = _opened(folder, LOCK, os.O_RDWR | os.O_CREAT)
    try:
        if not try_lock(handle, folder):
            raise SweepError(
                f"{folder.name}: this sweep still runs ({_read(handle) or 'in an unknown process'}); "
                f"wait for it, or end it with: {command(f'cancel {folder.name}', 'sweeps')}"
            )
        me = Parent(os.getpid(), _start_of(os.getpid()), socket.gethostname())
        try:
            os.ftruncate(handle, 0)  # what an earlier holder wrote
            os.pwrite(handle, encode(asdict(me)), 0)
        except OSError as error:
            raise SweepError(f"cannot lock {folder}: {error}") from error
        yield
    finally:
        os.close(handle)


def parent_of(folder: Path) -> Parent | None:
    """Return the process that runs the sweep in `folder`; None when none does."""
    if not os.path.lexists(folder / LOCK):
        return None
    handle = _opened(folder, LOCK, os.O_RDONLY)
    try:
        # Shared, so that two processes that ask at once do not take each other for the holder.
        return None if try_lock(handle, folder, is_shared=True) else _read(handle)
    finally:
        os.close(handle)


def hold_as_job(folder: Path) -> None:
    """Share the lock of the jobs until this process ends."""
    handle = _opened(folder, JOBS_LOCK, os.O_RDONLY | os.O_CREAT)
    try_lock(handle, folder, is_shared=True)


def await_jobs(folder: Path) -> None:
    """Wait until all jobs of the last session have ended; raise `SweepError` when one has not after a minute."""
    handle = _opened(folder, JOBS_LOCK, os.O_RDONLY | os.O_CREAT)
    try:
        if not holds_within(JOBS_WAIT_S, lambda: try_lock(handle, folder)):
            raise SweepError(
                f"{folder.name}: a job of its last session still runs; end the processes that hold "
                f"{folder / JOBS_LOCK} (fuser shows them) and try again"
            )
    finally:
        os.close(handle)


def holds_within(wait_s: float, condition: Callable[[], bool]) -> bool:
    """Return True as soon as `condition` does, False if it has not after `wait_s`; for what has no event to wait for."""
    deadline = time.monotonic() + wait_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _opened(folder: Path, name: str, flags: int) -> int:
    """Open a lock file; raise `SweepError` for anything else in its place, which would be waited for or written to."""
    try:
        return open_handle(folder / name, flags)
    except (OSError, TrackingError) as error:
        raise SweepError(f"cannot lock {folder}: {error}") from error


def _read(handle: int) -> Parent | None:
    try:
        return Parent(**decode(os.pread(handle, 1000, 0)))
    except (ValueError, TypeError):
        return None


def _start_of(pid: int) -> str:
    return str(started(pid) or "")
