"""Stamps: what changes whenever the files do that a run's answers are read from.

A stamp holds the times and sizes of the folder and of its files; a whole file that is replaced changes the folder's
time, one that is edited in place its own. File systems tell time in ticks of a few milliseconds, so a stamp that is
younger than that proves nothing, and is given as RACY.
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
    """The stamp of a run's folder, of these journals too; RACY when it changed just before `now_ns`.

    None when there is no such folder.
    """
    numbers: list[int] = []
    newest = 0
    for name in _NAMES:
        try:
            state = os.stat(folder + name)  # noqa: PTH116 - thousands of times in a row
        except (FileNotFoundError, NotADirectoryError):
            if not name:
                return None
            numbers += (0, 0, -1)
        else:
            changed = state.st_ctime_ns
            numbers += (state.st_mtime_ns, changed, state.st_size if name else 0)
            newest = max(newest, changed)
    stamp = _PACK(*numbers)
    for journal in journals:
        try:
            state = os.stat(journal.path)  # noqa: PTH116 - as above; a new look, for the entry keeps an old one
        except FileNotFoundError:
            return RACY  # it went a moment ago
        stamp += b"%b %d %d/" % (os.fsencode(journal.name), state.st_size, state.st_ctime_ns)
        newest = max(newest, state.st_ctime_ns)
    return RACY if newest > now_ns - TICK_NS else stamp


def journals_in(folder: str) -> list[os.DirEntry[str]]:
    """The journals in a run's folder, by name."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (entry for entry in entries if is_journal(entry.name)), key=lambda entry: entry.name
            )
    except (FileNotFoundError, NotADirectoryError):
        return []
