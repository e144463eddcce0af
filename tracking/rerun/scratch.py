"""The folders in which runs are made again, and those that killed processes left."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tracking.files import atomic, regular

LOCK = "lock"  # held while the folder is in use
KEPT = "kept"  # its presence keeps the folder
YOUNG_S = 60.0  # a folder without a lock is being made


def place() -> Path:
    """Return the folder of this user's folders, one per run that is made again."""
    return Path(tempfile.gettempdir()) / f"podium-rerun-{os.getuid()}"


@contextlib.contextmanager
def scratch(*, keep: bool) -> Iterator[Path]:
    """Make a folder for the time of the block, and remove what earlier ones left; with `keep` it stays."""
    for left in abandoned():
        remove(left)
    with atomic.writing(place()):
        place().mkdir(mode=0o700, exist_ok=True)
        if place().lstat().st_uid != os.getuid() or not regular.is_folder(place()):
            raise PermissionError(1, "it belongs to somebody else", str(place()))
        folder = Path(tempfile.mkdtemp(dir=place())).resolve()
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if keep:
            (folder / KEPT).touch()
        yield folder
    finally:
        if not keep:
            remove(folder)
        os.close(handle)


def abandoned() -> Iterator[Path]:
    """Yield the folders whose process is gone, but those that were to be kept."""
    if not regular.is_folder(place()):
        return
    for folder in sorted(place().iterdir()):
        with contextlib.suppress(OSError):
            if regular.is_folder(folder) and not (folder / KEPT).exists() and not _is_held(folder):
                yield folder


def remove(folder: Path) -> None:
    """Remove a folder; links in it are not followed."""
    shutil.rmtree(folder, ignore_errors=True)


def _is_held(folder: Path) -> bool:
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return time.time() - folder.lstat().st_mtime < YOUNG_S
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
