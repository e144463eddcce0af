"""Follow a run while it logs: the log calls that have come since one last looked."""

from itertools import chain
from pathlib import Path
from typing import BinaryIO

from tracking.metrics.history import parse_calls, read_history
from tracking.metrics.journal_files import list_journals
from tracking.metrics.line import Line
from tracking.paths import RunPaths
from tracking.values.jsontext import Number


class Follower:
    """Reads each journal of a run from where it stopped; one that is renamed or removed is read to its end.

    Close it after use.
    """

    def __init__(self, paths: RunPaths) -> None:
        self._paths = paths
        self._open: dict[int, BinaryIO] = {}

    @property
    def has_seen_journals(self) -> bool:
        """Whether there was a journal at any time; without one `whole_history` tells all there is."""
        return bool(self._open)

    def read(self) -> list[Line]:
        """The log calls since the last time, in the order in which they were made."""
        for name, inode in list_journals(self._paths).items():
            if inode not in self._open:
                try:
                    self._open[inode] = (self._paths.folder / name).open("rb")
                except FileNotFoundError:
                    continue  # gone since the listing
        found = [_new_lines(journal) for journal in self._open.values()]
        lines = list(chain.from_iterable(found))
        return sorted(lines, key=lambda line: line.timestamp) if len(self._open) > 1 else lines

    def close(self) -> None:
        """Give the files back."""
        for journal in self._open.values():
            journal.close()


def whole_history(paths: RunPaths) -> list[Line]:
    """All points of a run as log calls in the order in which they were made, as far as their times tell."""
    calls: dict[tuple[str, int | None], dict[str, Number]] = {}
    for name, points in read_history(paths).items():
        for point in points:
            calls.setdefault((point["timestamp"], point["step"]), {})[name] = point["value"]
    lines = [Line(step, timestamp, metrics) for (timestamp, step), metrics in calls.items()]
    return sorted(lines, key=lambda line: line.timestamp)


def _new_lines(journal: BinaryIO) -> list[Line]:
    """The whole lines from where the file stands; it then stands behind the last of them."""
    start = journal.tell()
    text = journal.read()
    end = text.rfind(b"\n") + 1
    journal.seek(start + end)
    if not end:
        return []
    return list(map(Line, *parse_calls(text[:end], Path(journal.name))))
