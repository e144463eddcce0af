"""Locks for file systems that have none: a file beside what is locked names the process that holds it.

The file is there at once and whole, so a holder that is gone can always be known as such and be replaced. One on
another machine cannot be: it counts as alive, and a person has to remove its file.
"""

import contextlib
import os
from pathlib import Path

from tracking.errors import CorruptFileError
from tracking.files import atomic, locks
from tracking.process import identity
from tracking.values import jsontext


def take(path: Path, wait_s: float) -> Path:
    """Wait for the lock on a file or folder; the file to be removed in the end."""
    file = path / ".held" if path.is_dir() else path.with_name(f".{path.name}.held")
    way_out = f"let that process go on, or remove {file} when it is gone together with its machine"
    for _ in locks.attempts(path, way_out, wait_s):
        if _claim(file):
            break
        with atomic.writing(file), contextlib.suppress(FileNotFoundError):
            _bury_holder(file)
    return file


def release(file: Path) -> None:
    """Give the lock back."""
    with atomic.writing(file), contextlib.suppress(FileNotFoundError):
        file.unlink()


def _claim(file: Path) -> bool:
    """Make a file that names this process unless it exists; whether this call made it."""
    if file.exists():
        return False
    with atomic.beside(file, is_linked=True) as (new, handle):
        atomic.write_all(handle, jsontext.encode({**identity.owner(), "token": os.urandom(6).hex()}))
        try:
            os.link(new, file)
        except FileExistsError:
            return False
        except OSError:
            # no hard links either: a crash between the next two steps leaves a file that names nobody
            try:
                os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
            except FileExistsError:
                return False
            new.replace(file)
    return True


def _bury_holder(file: Path) -> None:
    """Remove the file of a holder that is gone."""
    try:
        holder = atomic.read_object(file)
        claim = file.with_name(f"{file.name}.{holder['token']}")
    except (CorruptFileError, KeyError):
        return
    if not identity.is_gone(holder):
        return
    # of all who see the dead holder one may remove its file, and only that one: who comes late finds another's
    if not _claim(claim):
        _bury_holder(claim)  # the one that was about to may have died of it too
        return
    try:
        if atomic.read_object(file) == holder:
            file.unlink()
    finally:
        release(claim)
