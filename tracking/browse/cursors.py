"""Cursors: where a reader of a run's points stands, as short text that another process understands."""

import json
import os
from typing import Any, NamedTuple

from tracking.browse.snapshot import NOTHING, Snapshot
from tracking.metrics.summary_file import mark_of

FORMAT = 1
MOST_CHARS = 1 << 16  # of a cursor; it comes from outside


class Cursor(NamedTuple):
    """The files that a reader has the points of.

    `journals` are the bytes read of each, with the mark that tells them from those of another file. `points` is their
    number. `views` is the stamp of metrics.json and its versions, empty where the journals alone have all points.
    """

    journals: tuple[tuple[int, str], ...] = ()
    points: int = 0
    views: str = ""

    @property
    def text(self) -> str:
        """The cursor as text."""
        return json.dumps([FORMAT, self.journals, self.points, self.views], separators=(",", ":"))


def parse_cursor(text: str | None) -> Cursor | None:
    """Return the cursor that a text stands for; None for any other text, which then is a reader that knows nothing."""
    if text is None or len(text) > MOST_CHARS:
        return None
    try:
        number, journals, points, views = json.loads(text)
        if number != FORMAT or type(points) is not int or not isinstance(views, str):
            return None
        return Cursor(tuple(_journal(*each) for each in journals), points, views)
    except (ValueError, TypeError, RecursionError):
        return None


def cursor_of(taken: Snapshot, points: int, *, is_alone: bool) -> Cursor:
    """Return the cursor behind all that a snapshot holds; `is_alone` says that its journals have all of it."""
    marks = [
        (size, mark_of(journal.fileno(), size))
        for journal, size in zip(taken.found.journals, taken.sizes, strict=True)
        if size
    ]
    is_empty = not marks and taken.views == NOTHING
    return Cursor(tuple(marks), points, "" if is_alone or is_empty else taken.views)


def stands_in(handle: int, size: int, mark: str) -> bool:
    """Return whether an open journal begins with the bytes that a cursor is behind."""
    return os.fstat(handle).st_size >= size and mark_of(handle, size) == mark


def _journal(size: Any, mark: Any) -> tuple[int, str]:
    if type(size) is not int or size <= 0 or not isinstance(mark, str):
        raise TypeError(size, mark)
    return size, mark
