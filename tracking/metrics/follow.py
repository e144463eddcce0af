"""A run followed while it logs: the log calls since the last look."""

import contextlib
import os
from itertools import chain
from typing import BinaryIO

from tracking.files.regular import open_file
from tracking.metrics.history import read_history, read_lines
from tracking.metrics.journal_files import list_journals
from tracking.metrics.line import Line
from tracking.paths import RunPaths


class Follower:
    """Reads new lines of each journal of a run; reads a renamed or removed journal to its end. Close it after use."""

    def __init__(self, paths: RunPaths) -> None:
        self._paths = paths
        self._open: dict[tuple[int, int], BinaryIO] = {}

    @property
    def has_seen_journals(self) -> bool:
        """Return whether there was a journal at any time; without one, `whole_history` returns all points."""
        return bool(self._open)

    def read(self) -> list[Line]:
        """Return the log calls since the last call, in the order of their times."""
        for name in list_journals(self._paths):
            path = self._paths.folder / name
            with contextlib.suppress(FileNotFoundError):  # removed since the listing
                if _inode(path.lstat()) not in self._open:
                    journal = open_file(path)
                    # of the open file: on some file systems a listing has other inodes
                    self._open.setdefault(_inode(os.fstat(journal.fileno())), journal)
        lines = list(chain.from_iterable(map(read_lines, self._open.values())))
        return sorted(lines, key=lambda line: line.timestamp) if len(self._open) > 1 else lines

    def close(self) -> None:
        """Close the files."""
        for journal in self._open.values():
            journal.close()


def _inode(state: os.stat_result) -> tuple[int, int]:
    return state.st_dev, state.st_ino


def whole_history(paths: RunPaths) -> list[Line]:
    """Return all points of a run as log calls in the order of their times."""
    calls: dict[tuple[str, str], Line] = {}
    for name, points in read_history(paths).items():
        for point in points:
            step, timestamp = point["step"], point["timestamp"]
            # a step of other code may be a list, which is no key
            line = calls.setdefault((timestamp, repr(step)), Line(step, timestamp, {}))
            line.metrics[name] = point["value"]
    lines = list(calls.values())
    return sorted(lines, key=lambda line: line.timestamp)
