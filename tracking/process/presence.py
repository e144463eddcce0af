"""Whether a process that cannot be seen lives, such as one of another container: it holds a lock on a file of its own.

The system releases the lock when the process ends in any way. The file lies in the store, because that is what the two
processes share. It is named by a token that the process writes into whatever it opens.
"""

import contextlib
import fcntl
import os
import re
import stat
import threading
from pathlib import Path

from tracking.process.hooks import renew_in_children

_TOKEN = re.compile(r"[0-9a-f]{16}")

MOST = 16  # stores in which a process holds a lock: a file stays open for each

_held: dict[Path, int] = {}  # the open file of this process in each store, -1 where there is none
_lock = threading.Lock()


def announce(folder: Path, token: str) -> None:
    """Hold the lock of this process in a store's folder of processes until it ends; does nothing where that is refused."""
    if folder in _held:
        return
    renew_in_children(_forget)
    with _lock:
        if folder not in _held:
            if len(_held) >= MOST:
                _let_go(next(iter(_held)), token)
            _held[folder] = _locked(folder, folder / token)


def _locked(folder: Path, path: Path) -> int:
    handle = -1
    if folder.is_symlink() or folder.parent.is_symlink():
        return -1  # a store stays in its folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        if not any(other >= 0 and os.path.sameopenfile(other, handle) for other in _held.values()):
            fcntl.flock(handle, fcntl.LOCK_EX)  # at most a reader that is just asking holds it
            return handle
        os.close(handle)  # the same store under another path
    except OSError:  # without a lock nobody may conclude from the file that the process is gone
        if handle >= 0:
            os.close(handle)
            with contextlib.suppress(OSError):
                path.unlink()
    return -1


def is_held(folder: Path, token: object) -> bool | None:
    """Return whether the process of a token holds its lock; None if it has announced nothing here, or nobody can tell."""
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        return None
    try:
        # it may be anything by now: a link is not followed, a pipe not waited for
        handle = os.open(folder / token, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(handle)
    return False


def leave(token: str) -> None:
    """Remove the files of this process, which ends and leaves no run open."""
    for folder in list(_held):
        _let_go(folder, token)


def _let_go(folder: Path, token: str) -> None:
    # removed first, because a file without a lock would say that this process is gone
    handle = _held.pop(folder)
    if handle >= 0:
        with contextlib.suppress(OSError):
            (folder / token).unlink()
        os.close(handle)


def _forget() -> None:
    # a child shares the lock of its parent, and would hold it after the parent's death
    global _lock
    _lock = threading.Lock()
    for handle in _held.values():
        if handle >= 0:
            os.close(handle)
    _held.clear()
