"""Temporary files and folders of processes that were killed.

Everything is written beside its place first, under a name of one form (`atomic.beside`, `folders.aside`). One that did
not change for an hour, outside of runs that are being written, is a leftover.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tracking.errors import CorruptFileError
from tracking.files import atomic, folders, regular
from tracking.files.atomic import is_temporary
from tracking.paths import RunPaths, StorePaths
from tracking.process import identity, presence
from tracking.records import RunStatus

STALE_S = 3600.0  # longer than any pause of a live writer


def find_leftovers(paths: StorePaths) -> Iterator[Path]:
    """Yield all leftovers of a store; lists each folder but those in the trash."""
    limit = time.time() - STALE_S
    for place in (paths.base, paths.inner, paths.incoming, paths.edits, paths.trash):
        if place == paths.base or _is_inside(paths, place):
            yield from _stale(_children(place), limit)
    if regular.is_folder(paths.models):
        yield from _stale(_below(paths.models), limit)
    is_quiet = True
    for folder in _children(paths.runs) if regular.is_folder(paths.runs) else ():
        if regular.is_folder(folder):
            is_written, is_running = _state(RunPaths(folder))
            is_quiet = is_quiet and not is_running
            if not is_written:
                yield from _stale(_below(folder), limit)
    if is_quiet and _is_inside(
        paths, paths.processes
    ):  # else a lock may be all that tells whether a process is gone
        yield from (path for path in _children(paths.processes) if _is_of_no_process(path, limit))


def remove_leftover(path: Path) -> None:
    """Remove a leftover; one that is already gone is fine."""
    with atomic.writing(path), suppress(FileNotFoundError):
        if regular.is_folder(path):
            shutil.rmtree(path)
        else:
            path.unlink()


def _is_inside(paths: StorePaths, folder: Path) -> bool:
    """Return whether a folder of a store is there, and neither it nor one around it is a link."""
    return regular.is_folder(folder) and (folder.parent == paths.base or regular.is_folder(folder.parent))


def _stale(candidates: Iterator[Path], limit: float) -> Iterator[Path]:
    for path in candidates:
        if is_temporary(path) and _changed_s(path) < limit:
            yield path


def _changed_s(path: Path) -> float:
    """Return when a file or anything in a folder last changed, by st_ctime: copying sets st_mtime back."""
    newest = 0.0
    for part in (path, *folders.walk(path)):
        with suppress(OSError):
            newest = max(newest, part.lstat().st_ctime)
    return newest


def _children(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from (folder / name for name in os.listdir(folder))  # noqa: PTH208 - names only, of every folder


def _below(folder: Path) -> Iterator[Path]:
    for place, inner, names in os.walk(folder):
        yield from (Path(place, name) for name in [*inner, *names])


def _is_of_no_process(lock: Path, limit: float) -> bool:
    return presence.is_held(lock.parent, lock.name) is False and _changed_s(lock) < limit


def _state(paths: RunPaths) -> tuple[bool, bool]:
    """Return whether a run may be being written, and whether its status is running."""
    try:
        entry = atomic.read_object(paths.run)
    except (OSError, CorruptFileError):
        return False, False
    is_running = entry.get("status") == RunStatus.RUNNING
    return is_running and not identity.is_gone(identity.opener(entry), paths.processes), is_running
