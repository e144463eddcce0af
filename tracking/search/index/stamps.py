"""Stamps: bytes that change whenever the files change that the index reads of a run.

A stamp holds the times and sizes of the folder and of its files: replacing a file changes the folder's time, editing
it in place the file's own. File systems keep time in ticks of a few milliseconds, so a stamp that is younger than
that proves nothing and is replaced by RACY.
"""

import os
import struct
from collections.abc import Sequence

from tracking.paths import is_journal

RACY = b""
TICK_NS = 20_000_000  # more than the coarsest clock that stamps files on a local disk
_NAMES = ("", "/run.json", "/params.json", "/metrics.json")
_PACK = struct.Struct("=12q").pack


def stamp_of(folder: str, now_ns: int, journals: Sequence[os.DirEntry[str]] = ()) -> bytes | None:
    """Return the stamp of a run's folder and of these journals; RACY if it changed just before `now_ns`.

    Return None without the folder.
    """
    numbers: list[int] = []
    newest = 0
    for name in _NAMES:
        try:
            state = os.lstat(folder + name)
        except OSError as error:
            if not name and isinstance(error, FileNotFoundError | NotADirectoryError):
                return None
            numbers += (
                0,
                0,
                -1,
            )  # none, or one that may not be looked at: a change of that changes the folder
        else:
            changed = state.st_ctime_ns
            numbers += (state.st_mtime_ns, changed, state.st_size if name else 0)
            newest = max(newest, changed)
    stamp = _PACK(*numbers)
    for journal in journals:
        try:
            state = os.lstat(journal.path)  # the entry caches an older one
        except OSError:
            return RACY  # removed a moment ago
        stamp += b"%b %d %d/" % (os.fsencode(journal.name), state.st_size, state.st_ctime_ns)
        newest = max(newest, state.st_ctime_ns)
    return RACY if newest > now_ns - TICK_NS else stamp


def journals_in(folder: str) -> list[os.DirEntry[str]]:
    """Return the journals in a run's folder, by name."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (entry for entry in entries if is_journal(entry.name)), key=lambda entry: entry.name
            )
    except OSError:
        return []  # no folder, or one that may not be looked at
