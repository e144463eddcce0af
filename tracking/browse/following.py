"""What a run logs from now on, for a reader that may be cut off and come back at any time.

A reader gets the new log calls, and sometimes all points anew, which take the place of those before. Either way what it
has is what the files say: each point once. A cursor says where a reader stands, so that another process goes on there.

As long as the points that were given are those of the journals up to some bytes, only what is beyond is read. In any
other state, such as a metrics.json with points that no journal has, each change gives all points anew.
"""

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader, FileIO
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from tracking.browse import cells
from tracking.browse.cursors import Cursor, cursor_of, parse_cursor, stands_in
from tracking.browse.points import Series, began_of, have_all, read_series, seconds_of
from tracking.browse.snapshot import NOTHING, Prefix, Snapshot, snapshot, views_stamp, whole_bytes
from tracking.files.regular import open_file
from tracking.metrics import journal_files
from tracking.metrics.history import adds_nothing, read_lines, read_metrics_json, read_union
from tracking.metrics.journal_files import Listing
from tracking.metrics.line import Line
from tracking.metrics.sources import FIRST_BYTES, History, distinct, has_base
from tracking.metrics.summary_file import mark_of, read_view, size_of
from tracking.paths import RunPaths
from tracking.store.scan import shown_status
from tracking.store.store import Store

LONG_BYTES = 4 << 20  # of a journal or a metrics.json
UNSURE_S = 2.0  # for which a new metrics.json may wait for the summary that tells of it
STATUS_S = 1.0  # for which a status is good

Key = tuple[int, int]
Answer = tuple[list[Line], Cursor]


class News(NamedTuple):
    """What was logged since the last look.

    `lines` are log calls, [step, seconds since the run began, {name: value}]. With `whole` they are all points of the run,
    or of very many those that show the curves, and what was known before is dropped.
    """

    lines: list[list[Any]]
    whole: bool
    cursor: str
    status: str


@dataclass
class _Source:
    """An open journal, read up to its position.

    Unbuffered: a line that is not over may be cut off again, and what was read ahead would be taken for its beginning.
    """

    file: FileIO
    first: bytes  # its first line
    mark: str  # of what was read
    seen: tuple[int, int] = (-1, 0)  # its size and time at the last look

    @classmethod
    def at(cls, file: FileIO, size: int) -> "_Source":
        first, newline, _ = os.pread(file.fileno(), FIRST_BYTES, 0).partition(b"\n")
        file.seek(size)
        return cls(file, first + newline, mark_of(file.fileno(), size))

    def has_more(self) -> bool:
        """Return whether there are whole lines beyond what was read, or less than that."""
        state = os.fstat(self.file.fileno())
        if (state.st_size, state.st_mtime_ns) == self.seen:
            return False
        self.seen = state.st_size, state.st_mtime_ns
        return whole_bytes(self.file.fileno()) != self.file.tell()

    def is_as_read(self) -> bool:
        """Return whether what was read is still there."""
        return stands_in(self.file.fileno(), self.file.tell(), self.mark)

    def lines(self) -> list[Line]:
        """Return the log calls beyond what was read."""
        found = list(read_lines(self.file))
        self.mark = mark_of(self.file.fileno(), self.file.tell())
        return found


class FollowedRun:
    """Reads what a run logs. Close it after use; it is not for several threads at once."""

    def __init__(self, store: Store, run_id: str, cursor: str | None = None) -> None:
        entry = store.require(run_id)
        self.run_id = str(entry["run_id"])
        self._store = store
        self._paths = store.paths.run(self.run_id)
        self._began = began_of(entry)
        self._status, self._asked = shown_status(entry, store.paths), time.monotonic()
        self._open: dict[Key, _Source] = {}
        self._given = parse_cursor(cursor)
        self._at: Cursor | None = None
        self._unsure = "", 0.0  # the stamp of a metrics.json that is new, and since when
        self._views = ""  # the stamp of a metrics.json that adds nothing to the journals

    def read(self) -> News:
        """Return what is new; raise UnknownRunError for a run that was deleted, CorruptFileError for a damaged one."""
        status = (
            self._read_status()
        )  # before the log, so that the last log calls of a finished run are read too
        listed = journal_files.listing(self._paths)
        if self._given is not None:
            self._at, self._given = self._resumed(self._given, listed), None
        found = None if self._at is None else self._new_lines(self._at, listed)
        lines, self._at = found or self._begin()
        return News(self._plain(lines), found is None, self._at.text, status)

    def close(self) -> None:
        """Close the files."""
        for source in self._open.values():
            source.file.close()
        self._open = {}

    def _read_status(self) -> str:
        now = time.monotonic()
        if now - self._asked >= STATUS_S:
            self._status, self._asked = shown_status(self._store.require(self.run_id), self._store.paths), now
        return self._status.value

    def _plain(self, lines: list[Line]) -> list[list[Any]]:
        seconds = seconds_of([line.timestamp for line in lines], self._began)
        return [
            [cells.value(line.step), second, cells.value(line.metrics)]
            for line, second in zip(lines, seconds, strict=True)
        ]

    def _begin(self) -> Answer:
        """Return all points of the run, and the cursor behind them."""
        self.close()
        with snapshot(self._paths) as taken:
            lines, points, is_alone = _all_lines(self._paths, taken)
            for journal, size in zip(taken.found.journals, taken.sizes, strict=True):
                file = _kept_open(journal)
                self._open[_key(Path(journal.name), file)] = _Source.at(file, size)
            self._views = taken.views
            return lines, cursor_of(taken, points, is_alone=is_alone)

    def _resumed(self, cursor: Cursor, listed: Listing) -> Cursor | None:
        """Open the journals where a cursor stands; return None for one of other files."""
        left = list(cursor.journals)
        for name in listed.journals:
            path = self._paths.folder / name
            with contextlib.suppress(FileNotFoundError):  # removed since the listing
                file = _unbuffered(path)
                known = next((each for each in left if stands_in(file.fileno(), *each)), None)
                if known is None:
                    file.close()  # of another writer, which `_new_lines` finds
                else:
                    left.remove(known)
                    self._open[_key(path, file)] = _Source.at(file, known[0])
        # of a run that was finished meanwhile, `_ended` tells whether the reader has all
        return None if left and listed.journals else cursor

    def _new_lines(self, at: Cursor, listed: Listing) -> Answer | None:
        """Return the log calls since the last look and the cursor behind them; None where they do not tell what the run has now."""
        there = self._keys(listed.journals)
        is_same_set = there.keys() == self._open.keys()
        changed = [source for source in self._open.values() if source.has_more()]
        # before anything is read, so that a later change is seen
        views = views_stamp(self._paths, listed.conflicts)
        if at.views or listed.conflicts:
            return ([], at) if is_same_set and not changed and at.views == views else None
        if not all(source.is_as_read() for source in changed):
            return None
        if not there:
            return self._ended(at, views)
        if not self._open.keys() <= there.keys():
            return None
        for key in there.keys() - self._open.keys():
            source = self._joined(there[key])
            if source is None:
                return None
            self._open[key] = source
            changed.append(source)
        if views != self._views:
            if not self._is_sure(views):
                return self._advance(at, changed)
            if not _are_alone(self._paths):
                return None
            self._views = views
        return self._advance(at, changed)

    def _is_sure(self, views: str) -> bool:
        """Return whether it is time to look what a new metrics.json adds, which for a long run may mean to read all.

        The writer of a long run says in summary.json, a moment after it has written metrics.json, that this adds nothing.
        """
        if self._unsure[0] != views:
            self._unsure = views, time.monotonic()
        return (size_of(self._paths.metrics) or 0) <= LONG_BYTES or time.monotonic() > self._unsure[
            1
        ] + UNSURE_S

    def _advance(self, at: Cursor, changed: list[_Source]) -> Answer:
        lines = list(chain.from_iterable(source.lines() for source in changed))
        if changed:  # else the cursor stays, which is not made anew at each look
            marks = [
                (source.file.tell(), source.mark) for source in self._open.values() if source.file.tell()
            ]
            at = Cursor(tuple(marks), at.points + _count(lines))
        return (sorted(lines, key=lambda line: line.timestamp) if len(changed) > 1 else lines), at

    def _keys(self, names: list[str]) -> dict[Key, Path]:
        found = {}
        for name in names:
            path = self._paths.folder / name
            with contextlib.suppress(OSError):  # removed since the listing
                state = path.lstat()
                found[state.st_dev, state.st_ino] = path
        return found

    def _joined(self, path: Path) -> _Source | None:
        """Open the journal of a writer that is new; return None where its points are not all new."""
        try:
            file = _unbuffered(path)
        except FileNotFoundError:
            return None
        source = _Source.at(file, 0)
        is_base = has_base(BufferedReader(Prefix(file, FIRST_BYTES)))
        if is_base or any(source.first == known.first for known in self._open.values()):
            file.close()
            return None
        return source

    def _ended(self, at: Cursor, views: str) -> Answer | None:
        """Return the last log calls of journals that were removed, if with them the reader has what metrics.json has."""
        if not self._open and not at.points and views == NOTHING:
            return [], at  # a run that has not logged yet
        lines, at = self._advance(at, list(self._open.values()))
        view = read_view(self._paths.summary)
        if view is None or not view.is_complete or not view.has_metrics_of(self._paths):
            return None
        if sum(each.count for each in view.stats.values()) != at.points:
            return None
        self.close()
        return lines, Cursor((), at.points, views)


def _are_alone(paths: RunPaths) -> bool:
    """Return whether the journals of a run have all of its points."""
    with snapshot(paths) as taken:
        return _union(paths, taken)[1]


def _all_lines(paths: RunPaths, taken: Snapshot) -> tuple[list[Line], int, bool]:
    """Return all points of a run as log calls, their number, and whether they are those of its journals.

    Of a long run, which is read without holding it, the log calls are those that show the curves.
    """
    if max([*taken.sizes, size_of(paths.metrics) or 0]) > LONG_BYTES:
        reading = read_series(paths, taken, None)
        return _calls(reading.series), reading.points, reading.is_alone
    history, is_alone = _union(paths, taken)
    lines = _calls(_columns(history)) if history is not None else list(read_lines(taken.found.journals[0]))
    return lines, _count(lines), is_alone


def _columns(history: History) -> dict[str, Series]:
    found = {}
    for name, points in history.items():
        steps, stamps, values = ([point[key] for point in points] for key in ("step", "timestamp", "value"))
        found[name] = Series(steps, stamps, values, len(points))
    return found


def _union(paths: RunPaths, taken: Snapshot) -> tuple[History | None, bool]:
    """Return all points of a run, None for those of its only journal, and whether its journals have them all."""
    found = taken.found
    if not found.journals and not found.conflicts:
        return read_metrics_json(paths.metrics), False
    journals = distinct(found.journals)
    if len(found.journals) == 1 and adds_nothing(paths, found, journals):
        return None, True
    history = read_union(paths, found, journals).history
    return history, not found.conflicts and have_all(found.journals, history)


def _calls(found: Mapping[str, Series]) -> list[Line]:
    """Return points as log calls in the order of their times."""
    calls: dict[tuple[str, str, int], Line] = {}
    for name, series in found.items():
        times: dict[tuple[str, str], int] = {}  # a program may log one step twice within a millisecond
        for step, timestamp, value in zip(series.steps, series.stamps, series.values, strict=True):
            call = timestamp, repr(step)  # a step of other code may be a list, which is no key
            again = times[call] = times.get(call, -1) + 1
            line = calls.setdefault((*call, again), Line(step, timestamp, {}))
            line.metrics[name] = value
    return sorted(calls.values(), key=lambda line: line.timestamp)


def _count(lines: list[Line]) -> int:
    return sum(len(line.metrics) for line in lines)


def _kept_open(journal: BinaryIO) -> FileIO:
    """Return an open journal of which closing the given one does not close it."""
    handle = os.dup(journal.fileno())
    return FileIO(journal.name, opener=lambda _path, _flags: handle)


def _unbuffered(path: Path) -> FileIO:
    return cast(FileIO, open_file(path).detach())


def _key(path: Path, file: FileIO) -> Key:
    """Return what tells an open journal from others, as `lstat` of its path does.

    On some file systems that differs from what the open file says, which counts only once the path is another file's.
    """
    own = os.fstat(file.fileno())
    with contextlib.suppress(OSError):
        state = path.lstat()
        if own.st_nlink:
            return state.st_dev, state.st_ino
    return own.st_dev, own.st_ino
