"""The log of edits: ids of runs that changed after they had ended, for readers that cache runs.

A line holds one run id and is appended after the change. Each host appends to a file of its own, because an append is
atomic only within a host; readers follow all of the files. The log only saves time: a reader that checks every file
finds the same changes.
"""

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from tracking.errors import UnreadableFileError
from tracking.files import append, atomic, folders, regular
from tracking.paths import StorePaths
from tracking.process import identity


class Edits(NamedTuple):
    """What was edited since a position, and the position now."""

    run_ids: set[str]
    position: dict[str, int]
    is_complete: bool  # False when a log is shorter than it was, so edits may be unknown


def record_edit(paths: StorePaths, run_id: str) -> None:
    """Log that a run has changed which readers may hold as final; a single write."""
    path = paths.edits / identity.host_name()
    regular.refuse_link(paths.inner, paths.edits)
    folders.make_dir(path.parent)
    with atomic.writing(path):
        handle = regular.open_handle(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            # begins with a newline, so that a line torn by a crash damages no other
            append.write_whole(handle, f"\n{run_id}\n".encode(), path)
        finally:
            os.close(handle)


def read_edits(paths: StorePaths, position: dict[str, int]) -> Edits:
    """Return the ids of the runs edited since `position` (empty for the beginning); read only what was added."""
    found: set[str] = set()
    now: dict[str, int] = {}
    if not regular.is_folder(paths.inner) or not regular.is_folder(paths.edits):
        return Edits(found, now, not position)
    # a log that cannot be read saves no time: its edits are found by a look at every file
    with contextlib.suppress(OSError), os.scandir(paths.edits) as logs:
        for log in logs:
            start = position.get(log.name, 0)
            if log.stat(follow_symlinks=False).st_size != start:
                try:
                    with regular.open_file(Path(log.path)) as file:
                        file.seek(start)
                        text = file.read(regular.MAX_BYTES)
                except (FileNotFoundError, UnreadableFileError):
                    continue
                whole = text[: text.rfind(b"\n") + 1]
                found |= {line.decode(errors="replace") for line in whole.split(b"\n") if line}
                start = min(start, log.stat(follow_symlinks=False).st_size) + len(whole)
            now[log.name] = start
    is_complete = all(now.get(name, -1) >= end for name, end in position.items())
    return Edits(found, now, is_complete)
