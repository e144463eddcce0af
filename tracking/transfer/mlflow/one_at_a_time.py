"""One export at a time from this machine to one MLflow: a second one waits for the first.

Two at once would both find that a run is not there yet, or both make the tables of a new database. The lock lies in the
user's own state folder, because neither the store nor the place of the export need take another file. Between machines
`Connection.create` sees to it that a run is made once.
"""

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tracking.errors import UnreadableFileError
from tracking.files import regular
from tracking.files.locks import try_lock
from tracking.transfer.mlflow.targets import shown, sqlite_path

POLL_S = 0.2

log = logging.getLogger("tracking")


@contextmanager
def exporting_to(uri: str, *, sleep: Callable[[float], object] = time.sleep) -> Iterator[None]:
    """Wait until no other export of this user to the same MLflow is at work, and keep others waiting meanwhile."""
    handle = _open(uri)
    try:
        if handle is not None and not try_lock(handle, Path(shown(uri))):
            log.warning("another export to %s is at work; waiting for its end", shown(uri))
            while not try_lock(handle, Path(shown(uri))):
                sleep(POLL_S)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def lock_path(uri: str) -> Path:
    """Return the file of the lock; raise OSError for a user without a home."""
    home = os.environ.get("XDG_STATE_HOME", "")
    try:
        state = Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise OSError(str(error)) from error
    path = sqlite_path(uri)
    # a database has several names, a server several passwords
    target = os.path.realpath(path) if path else uri.rpartition("@")[2].partition("://")[2].rstrip("/") or uri
    return state / "podium" / "exports" / f"{hashlib.sha256(target.encode()).hexdigest()[:16]}.lock"


def _open(uri: str) -> int | None:
    with suppress(OSError, UnreadableFileError):  # without a home there is no lock, and the export goes on
        path = lock_path(uri)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return regular.open_handle(path, os.O_RDWR | os.O_CREAT)
    return None
