"""The log of edits: which runs changed after they had ended, for readers that keep what they once read.

A line holds one run id and is appended after the change. Each host appends to a file of its own, because appending
is one step only within a host; readers follow all of them. The log says only where to look again: without it a
reader that checks every file finds the same.
"""

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from tracking.files import append, atomic, folders
from tracking.paths import StorePaths
from tracking.process import identity


class Edits(NamedTuple):
    """What was edited since a position, and the position now."""

    run_ids: set[str]
    position: dict[str, int]
    is_complete: bool  # False when a log is shorter than it was: what stood there is unknown


def record_edit(paths: StorePaths, run_id: str) -> None:
    """Tell readers that a run they may hold as final has changed; one write."""
    path = paths.edits / identity.host_name()
    folders.make_dir(path.parent)
    with atomic.writing(path):
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            # led by a newline too, so that a line torn by a crash spoils none but itself
            append.write_whole(handle, f"\n{run_id}\n".encode(), path)
        finally:
            os.close(handle)


def read_edits(paths: StorePaths, position: dict[str, int]) -> Edits:
    """The ids of the runs edited since `position` (empty for the beginning); costs what was added."""
    found: set[str] = set()
    now: dict[str, int] = {}
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(paths.edits) as logs:
        for log in logs:
            start = position.get(log.name, 0)
            if log.stat().st_size != start:
                text = _read_from(Path(log.path), start)
                whole = text[: text.rfind(b"\n") + 1]
                found |= {line.decode(errors="replace") for line in whole.split(b"\n") if line}
                start = min(start, log.stat().st_size) + len(whole)
            now[log.name] = start
    is_complete = all(now.get(name, -1) >= end for name, end in position.items())
    return Edits(found, now, is_complete)


def _read_from(path: Path, start: int) -> bytes:
    with path.open("rb") as log:
        log.seek(start)
        return log.read()
