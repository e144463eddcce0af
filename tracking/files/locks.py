"""Exclusive locks between threads and processes, on files and folders."""

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tracking.errors import StoreUnwritableError
from tracking.files.atomic import writing
from tracking.files.folders import make_dir

try:
    import fcntl
except ImportError:  # not a POSIX system: files are still replaced at once, only the lock is missing
    fcntl = None  # type: ignore[assignment]  # the module is optional


LOCK_WAIT_S = 60.0  # longer than any honest holder; a stopped one must not stop everybody for good


_locks = threading.local()


@contextlib.contextmanager
def lock(path: Path, wait_s: float = math.inf) -> Iterator[None]:
    """Hold an exclusive lock between threads and processes, on a file that is made for it.

    A thread may take a lock that it holds. StoreUnwritableError when a living process holds it for `wait_s`, at most
    LOCK_WAIT_S, and for whatever the system refuses meanwhile: who takes a lock is about to write.
    """
    make_dir(path.parent)
    with writing(path), _locked(path, os.O_RDWR | os.O_CREAT, wait_s):
        yield


@contextlib.contextmanager
def lock_folder(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a folder, like `lock`, without leaving a file in it."""
    with writing(path), _locked(path, os.O_RDONLY):
        yield


@contextlib.contextmanager
def _locked(path: Path, flags: int, wait_s: float = math.inf) -> Iterator[None]:
    held: set[Any] = _locks.__dict__.setdefault("held", set())
    if str(path) in held:
        yield
        return
    with writing(path):
        handle = os.open(path, flags | os.O_CLOEXEC, 0o666)
    try:
        state = os.fstat(handle)
        names = {str(path), (state.st_dev, state.st_ino)}  # the same folder may have several paths
        if not names.isdisjoint(held):
            yield
            return
        release = _take(handle, path, wait_s)
        held |= names
        try:
            yield
        finally:
            held -= names
            release()
    finally:
        os.close(handle)


def _take(handle: int, path: Path, wait_s: float) -> Callable[[], None]:
    """Wait for the lock of the system, or of a file where the file system has none; what gives it back."""
    for _ in attempts(path, wait_s=wait_s) if fcntl else ():
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        except OSError:
            break
        # not left to the closing: a child forked meanwhile has the same open file
        return lambda: fcntl.flock(handle, fcntl.LOCK_UN)
    from tracking.files import lock_files  # which is made of this module, and needed by hardly anybody

    file = lock_files.take(path, wait_s)
    return lambda: lock_files.release(file)


def attempts(
    path: Path, way_out: str = "let that process go on, or end it", wait_s: float = math.inf
) -> Iterator[None]:
    """Once now and again after a moment, until StoreUnwritableError says that a lock is held for too long."""
    wait_s = min(wait_s, LOCK_WAIT_S)
    deadline, pause_s = time.monotonic() + wait_s, 0.0002
    while True:
        yield
        if time.monotonic() > deadline:
            raise StoreUnwritableError(
                f"cannot write {path}: another process has locked it for more than {wait_s:g} s; {way_out}"
            )
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.01)
