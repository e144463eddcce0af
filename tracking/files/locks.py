"""Locks between threads and processes, on files and folders.

The lock is `flock`. On a file system without it, one warning says so and work continues without the lock.
"""

import contextlib
import fcntl
import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tracking.errors import StoreUnwritableError
from tracking.files import regular
from tracking.files.atomic import log, writing
from tracking.files.folders import make_dir
from tracking.process.hooks import renew_in_children

LOCK_WAIT_S = 60.0  # longer than a healthy holder needs; a stopped process must not block all others for good

_Inode = tuple[int, int]

_held_by = threading.local()
_open: dict[int, int] = {}  # the thread of each open file that is or will be locked
_without_locks: set[int] = set()  # devices of the file systems that the log has named


def try_lock(handle: int, path: Path, *, is_shared: bool = False) -> bool:
    """Lock an open file without waiting; return False when another process holds the lock.

    Return True on a file system without locks, after a warning that this process gives once per file system.
    """
    kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        device = os.fstat(handle).st_dev
        if device not in _without_locks:
            _without_locks.add(device)
            log.warning(
                "%s: the file system has no locks (%s); do not change one run, model or sweep from two processes at once",
                path,
                error.strerror or error,
            )
    return True


@contextlib.contextmanager
def lock(path: Path, wait_s: float = math.inf) -> Iterator[None]:
    """Hold an exclusive lock between threads and processes, on a file that is made for it.

    A thread may take a lock that it holds. Raise StoreUnwritableError when another process holds it for `wait_s`, at
    most LOCK_WAIT_S, and when the system refuses a write inside the block.
    """
    folder = path.parent
    regular.refuse_link(folder, path)
    if not regular.is_folder(folder):
        make_dir(folder)
    with _locked(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, wait_s):
        yield


@contextlib.contextmanager
def lock_folder(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a folder, like `lock`, without leaving a file in it; refuse a link to a folder."""
    regular.refuse_link(path)
    with _locked(path, os.O_RDONLY | os.O_DIRECTORY, math.inf):
        yield


@contextlib.contextmanager
def _locked(path: Path, flags: int, wait_s: float) -> Iterator[None]:
    held: set[_Inode] = _held_by.__dict__.setdefault("thread", set())
    with writing(path):
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        _open[handle] = threading.get_ident()
        renew_in_children(_let_go)
        try:
            state = os.fstat(handle)
            inode = (state.st_dev, state.st_ino)  # not the path: one folder may have several
            if inode in held:
                yield
                return
            _wait(handle, path, min(wait_s, LOCK_WAIT_S))
            held.add(inode)
            try:
                yield
            finally:
                held.discard(inode)
                with contextlib.suppress(OSError):
                    # closing is not enough: a child forked meanwhile shares the open file
                    fcntl.flock(handle, fcntl.LOCK_UN)
        finally:
            _open.pop(handle, None)
            os.close(handle)


def _let_go() -> None:
    """Close, in a forked child, what other threads of the parent have open: the child would hold their locks."""
    for handle, thread in list(_open.items()):
        if thread != threading.get_ident():
            os.close(handle)
            del _open[handle]


def _wait(handle: int, path: Path, wait_s: float) -> None:
    deadline, pause_s = time.monotonic() + wait_s, 0.0002
    while not try_lock(handle, path):
        if time.monotonic() > deadline:
            raise StoreUnwritableError(
                f"cannot write {path}: another process has locked it for more than {wait_s:g} s; "
                "wait for that process or end it"
            )
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.01)
