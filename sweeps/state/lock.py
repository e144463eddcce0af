"""One parent per sweep: a lock in its folder, held as long as the parent lives, and told to who asks.

``flock`` is what makes this safe: the system releases it with the process, however that ended. The jobs hold a
second one together, so that a sweep is not gone on with while a job of its earlier life still unwinds.
"""

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sweeps.errors import SweepError
from tracking.files import try_lock
from tracking.process import started
from tracking.values.jsontext import decode, encode

LOCK = "sweep.lock"
JOBS_LOCK = "jobs.lock"
LEFT_S = 60.0  # how long jobs of an earlier life may take to end
POLL_S = 0.1


@dataclass(frozen=True)
class Parent:
    """The process that runs a sweep; its start time tells it from a later process of the same number."""

    pid: int
    started: str
    host: str

    def is_here(self) -> bool:
        """Whether that very process runs on this machine."""
        return self.host == socket.gethostname() and self.started == _start_of(self.pid)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the one parent of the sweep in `folder` for the length of the block.

    Raises `SweepError` naming the process that already is.
    """
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise SweepError(f"cannot lock {folder}: {error}") from error
    try:
        if not try_lock(handle, folder):
            raise SweepError(
                f"{folder.name}: this sweep still runs ({_read(handle) or 'in an unknown process'}); "
                f"wait for it, or end it with: python -m sweeps cancel {folder.name}"
            )
        me = Parent(os.getpid(), _start_of(os.getpid()), socket.gethostname())
        os.ftruncate(handle, 0)
        os.pwrite(handle, encode(asdict(me)), 0)
        yield
    finally:
        os.close(handle)


def parent_of(folder: Path) -> Parent | None:
    """The process that runs the sweep in `folder`; None when nobody does."""
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return None if try_lock(handle, folder, is_shared=True) else _read(handle)
    finally:
        os.close(handle)


def hold_as_job(folder: Path) -> None:
    """Hold the lock of the jobs until this process ends."""
    handle = os.open(folder / JOBS_LOCK, os.O_RDONLY | os.O_CREAT, 0o666)
    try_lock(handle, folder, is_shared=True)


def await_jobs(folder: Path) -> None:
    """Wait until the jobs of the sweep's earlier life are gone; raises `SweepError` when they do not go."""
    handle = os.open(folder / JOBS_LOCK, os.O_RDONLY | os.O_CREAT, 0o666)
    deadline = time.monotonic() + LEFT_S
    try:
        while not try_lock(handle, folder):
            if time.monotonic() > deadline:
                raise SweepError(
                    f"{folder.name}: a job of its earlier life still runs; end the processes that hold "
                    f"{folder / JOBS_LOCK} (fuser shows them) and try again"
                )
            time.sleep(POLL_S)
    finally:
        os.close(handle)


def _read(handle: int) -> Parent | None:
    try:
        return Parent(**decode(os.pread(handle, 1000, 0)))
    except (ValueError, TypeError):
        return None


def _start_of(pid: int) -> str:
    return str(started(pid) or "")
