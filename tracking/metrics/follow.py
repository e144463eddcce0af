"""A run followed while it logs: the log calls since the last look."""

from itertools import chain
from typing import BinaryIO

from tracking.metrics.history import read_history, read_lines
from tracking.metrics.journal_files import list_journals
from tracking.metrics.line import Line
from tracking.paths import RunPaths
from tracking.values.jsontext import Number


class Follower:
    """Reads new lines of each journal of a run; reads a renamed or removed journal to its end. Close it after use."""

    def __init__(self, paths: RunPaths) -> None:
        self._paths = paths
        self._open: dict[int, BinaryIO] = {}

    @property
    def has_seen_journals(self) -> bool:
        """Return whether there was a journal at any time; without one, `whole_history` returns all points."""
        return bool(self._open)

    def read(self) -> list[Line]:
        """Return the log calls since the last call, in the order of their times."""
        for name, inode in list_journals(self._paths).items():
            if inode not in self._open:
                try:
                    self._open[inode] = (self._paths.folder / name).open("rb")
                except FileNotFoundError:
                    continue  # removed since the listing
        lines = list(chain.from_iterable(map(read_lines, self._open.values())))
        return sorted(lines, key=lambda line: line.timestamp) if len(self._open) > 1 else lines

    def close(self) -> None:
        """Close the files."""
        for journal in self._open.values():
            journal.close()


def whole_history(paths: RunPaths) -> list[Line]:
    """Return all points of a run as log calls in the order of their times."""
    calls: dict[tuple[str, int | None], dict[str, Number]] = {}
    for name, points in read_history(paths).items():
        for point in points:
            calls.setdefault((point["timestamp"], point["step"]), {})[name] = point["value"]
    lines = [Line(step, timestamp, metrics) for (timestamp, step), metrics in calls.items()]
    return sorted(lines, key=lambda line: line.timestamp)
