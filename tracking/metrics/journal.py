"""The writer of one run's metrics: it appends to a journal and refreshes two views.

While a run is written its journals are the truth, and metrics.json adds what they lack (sources.py). Each process
appends to its own journal (journal_files.py). Each log call is one line, written in one piece, at a cost that does not
depend on the number of earlier calls. A journal starts and ends under the lock of the run's folder.
docs/decisions/0002-journal.md explains what a crash at any moment leaves.
"""

import contextlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from tracking.errors import CorruptFileError, TrackingError
from tracking.files import append, atomic, locks, regular
from tracking.metrics import journal_files
from tracking.metrics.blocks import parse_blocks
from tracking.metrics.history import (
    adds_nothing,
    journal_text,
    read_history,
    read_journals,
    read_metrics_json,
    read_union,
)
from tracking.metrics.metrics_json import MetricsText, text_of
from tracking.metrics.sources import History, base_header, count_points, distinct
from tracking.metrics.summary import add_all, add_block, count_history
from tracking.metrics.summary_file import Stats, View, fullest, mark_of, read_view, size_of, write_view
from tracking.paths import RunPaths
from tracking.process import identity
from tracking.process.hooks import call_at_exit, renew_in_children
from tracking.records import RunStatus

log = logging.getLogger("tracking")

VIEW_SHARE = 50  # a refresh waits 50 times as long as it took: views cost at most 2 % of the time
VIEW_COST_S = 3e-8  # per byte of the journal, to write metrics.json; the estimate until a run has measured it
CHUNK_BYTES = 1 << 16  # of the journal, counted between looks at the clock


class Right(Protocol):
    """The right to write a run; implemented by ownership.Claim."""

    def take(self) -> bool:
        """Become the owner of the run unless a living process is; return whether this process owns it."""

    def tell(self) -> None:
        """Tell readers that a journal has been opened."""


class _Account(NamedTuple):
    """The summaries of the points in metrics.json, and the unreadable lines of the journals."""

    stats: Stats
    damaged: list[bytes]
    has_more: bool  # points than the journals


class _Shown(NamedTuple):
    """What metrics.json was written from: the journal's inode and size; and what metrics.json then was."""

    journal: tuple[int, int]
    metrics: tuple[int, ...]
    account: _Account | None = None


class Journal:
    """The metrics of one run as this process writes them; one for all threads and handles (`journal_of`).

    It opens at the first append, also after `close`. A forked child has its own journal.
    """

    def __init__(self, paths: RunPaths, right: Right | None = None) -> None:
        self._paths = paths
        self._right = right
        self._path = paths.journal
        self._handle = -1
        self._lock = threading.RLock()  # reentrant: a retiring journal may finish the run
        self._stats: Stats | None = None
        self._counted = 0
        self._refreshed = 0.0
        self._next_refresh = 0.0
        self._rendered = float("-inf")
        self._cost_s = VIEW_COST_S
        self._shown: _Shown | None = (
            None  # the last metrics.json that holds nothing but points of the journal
        )

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Lock the run against other threads and processes; those may still append to journals of their own."""
        with self._lock, locks.lock_folder(self._paths.folder):
            yield

    def append(self, line: bytes) -> None:
        """Append one line. Once this returns, the line survives the death of the process."""
        with self._lock:
            if self._handle < 0:
                self._open()
            try:  # not append.write_whole: this runs at every step
                written = os.write(self._handle, line)
            except OSError as error:
                self._close()
                raise atomic.unwritable(self._path, error) from error
            if written != len(line):
                fault = append.take_back(self._handle, written, self._path)
                self._close()
                raise fault
            if time.monotonic() >= self._next_refresh:
                self._refresh()

    def close(self) -> None:
        """Close the file; the next append opens it again."""
        with self._lock:
            if self._handle >= 0 and time.monotonic() >= self._next_refresh:
                self._refresh()
            self._close()

    def finish(self, *, proves: bool = False) -> int:
        """Make both views complete and metrics.json durable, then remove the journals.

        While another process still writes a journal, all journals stay and this process only closes its own: the last
        process to finish does the rest. With `proves`, read metrics.json again before the journals are removed, return
        the number of its points, and raise CorruptFileError if it has not all of them.
        """
        with self.held():
            self._close()
            paths = self._paths
            names, conflicts = journal_files.listing(paths)
            if not names and not conflicts:
                return count_points(read_history(paths)) if proves else 0
            owner = journal_files.read_owner(paths)
            mine = paths.journal.name if identity.is_own(owner) else journal_files.own_name(paths)
            others = [name for name in names if name != mine]
            # a file that a living process appends to must not be removed
            if all(journal_files.is_abandoned(paths, name, owner) for name in others):
                account = self._account_shown(names) or self._render()
                view = read_view(paths.summary)
                stats = fullest(account.stats, view if view and view.is_complete else None)
                write_view(paths.summary, View(stats, None, metrics_bytes=size_of(paths.metrics)))
                journal_files.keep_damaged(paths, account.damaged)
                atomic.sync(paths.metrics)
                count = _prove(paths, account.stats) if proves else 0
                journal_files.remove(paths, names)
                return count
            if mine in names:
                atomic.sync(paths.folder / mine)
                self._close_journal(mine)
            return 0

    def look(self) -> None:
        """Close the file if it is no longer the one in the folder, so that the next append opens that one."""
        with self._lock:
            try:
                is_same = os.path.samestat(os.fstat(self._handle), self._path.lstat())
            except OSError:  # also without an open file
                is_same = False
            if not is_same:
                self._close()

    def retire(self) -> None:
        """Leave nothing at the end of the process that others would have to wait for."""
        with self._lock:
            is_closed = self._handle < 0
            path = self._paths.folder / journal_files.own_name(self._paths) if is_closed else self._path
            if is_closed and not regular.is_file(path):
                return
            with self.held():
                if journal_files.read_owner(self._paths).get("status") != RunStatus.RUNNING:
                    self.finish()
                elif path != self._paths.journal:
                    self._close_journal(path.name)
                self._close()

    def forget(self) -> None:
        """Drop the parent's open file in a forked child."""
        self._lock = threading.RLock()
        self._close()

    def _open(self) -> None:
        try:
            end = self._open_whole()
            if self._right:
                self._right.tell()
        except BaseException:
            self._close()  # or the next line would follow a truncated one, or readers would not learn of it
            raise
        self._refreshed = time.monotonic()
        # opening a journal is no reason to render the history in it
        self._rendered = self._refreshed if end else float("-inf")

    def _open_whole(self) -> int:
        """Open the journal of this process, created if needed and cut to complete lines; return its size."""
        paths = self._paths
        with locks.lock_folder(paths.folder):
            is_owner = self._right is None or self._right.take()
            self._path = paths.journal if is_owner else paths.folder / journal_files.own_name(paths)
            there = journal_files.list_journals(paths)
            self._stats, self._shown = None, None
            if self._path.name not in there:
                self._begin(b"" if is_owner else journal_files.header(), is_first=not there)
            self._handle = append.open_append(self._path)
            return append.cut_torn_tail(self._handle, self._path)

    def _begin(self, text: bytes, *, is_first: bool) -> None:
        history = read_history(self._paths) if is_first else {}
        if history:
            # a finished run is continued: its journal appears with all points of metrics.json
            base = journal_text(history)
            text += base_header(len(base)) + base
        if is_first:
            self._keep_lost(history)
        if text:
            atomic.create_bytes(self._path, text)

    def _keep_lost(self, history: History) -> None:
        """Put a summary aside that counted more points than there are: the next one counts what the run logs now."""
        view = read_view(self._paths.summary)
        stats = count_history(history) if view else {}
        if fullest(stats, view) is not stats:
            with atomic.writing(self._paths.summary):
                self._paths.summary.replace(self._paths.lost_summary)

    def _close_journal(self, name: str) -> None:
        path = self._paths.folder / name
        with atomic.writing(path), contextlib.suppress(FileNotFoundError):
            path.rename(self._paths.closed_journal(os.urandom(6).hex()))

    def _refresh(self) -> None:
        """Update the views, for at most a fiftieth of the time since the last refresh."""
        started = time.monotonic()
        try:
            if not os.fstat(self._handle).st_nlink:
                self._close()  # the journal was removed; the next line starts a new one
            elif journal_files.list_journals(self._paths) == [self._paths.journal.name]:
                state = os.fstat(self._handle)
                is_long = state.st_size > CHUNK_BYTES  # readers count a short journal themselves
                if is_long:
                    self._count(started + (started - self._refreshed) / VIEW_SHARE)
                self._render_if_cheap(state, started)
                if is_long:
                    self._write_view()
        except OSError as error:
            # the point is safe in the journal; a view may wait
            log.warning("the views of %s are not up to date: %s", self._paths.folder, error)
        self._refreshed = time.monotonic()
        self._next_refresh = self._refreshed + VIEW_SHARE * (self._refreshed - started)

    def _count(self, deadline: float) -> None:
        if self._stats is None:
            view = read_view(self._paths.summary)
            self._stats, self._counted = {}, 0
            if view and view.journal_bytes is not None and view.is_of(self._handle):
                self._stats, self._counted = view.stats, view.journal_bytes
                if view.has_metrics_of(self._paths) and self._shown is None:
                    inode = os.fstat(self._handle).st_ino
                    self._shown = _Shown((inode, view.seen_bytes), _identity(self._paths.metrics))
        while text := os.pread(self._handle, CHUNK_BYTES, self._counted):
            text = text[: text.rfind(b"\n") + 1]
            if not text:
                return  # a line longer than a chunk is left to readers
            add_all(self._stats, parse_blocks(text, self._path))
            self._counted += len(text)
            if time.monotonic() > deadline:
                return

    def _write_view(self) -> None:
        """Write summary.json, which also says whether metrics.json holds nothing but points of this journal."""
        seen, metrics_bytes = self._counted, None
        if self._shown and self._shown.metrics == _identity(self._paths.metrics):
            seen, metrics_bytes = max(seen, self._shown.journal[1]), size_of(self._paths.metrics)
        mark = mark_of(self._handle, seen)
        write_view(self._paths.summary, View(self._stats or {}, self._counted, seen, mark, metrics_bytes))

    def _render_if_cheap(self, state: os.stat_result, now: float) -> None:
        if now - self._rendered >= VIEW_SHARE * state.st_size * self._cost_s:
            account = self._render()
            journal = state.st_ino, state.st_size
            self._shown = (
                None if account.has_more else _Shown(journal, _identity(self._paths.metrics), account)
            )
            self._rendered = time.monotonic()
            self._cost_s = (self._rendered - now) / max(state.st_size, 1)

    def _account_shown(self, names: list[str]) -> _Account | None:
        """Return the account of metrics.json if it was written from the present content of the only journal."""
        shown = self._shown
        if (
            shown is None
            or names != [self._paths.journal.name]
            or shown.metrics != _identity(self._paths.metrics)
        ):
            return None
        state = self._paths.journal.lstat()
        return shown.account if shown.journal == (state.st_ino, state.st_size) else None

    def _render(self) -> _Account:
        """Write metrics.json from all files that hold points; return its account."""
        damaged: list[bytes] = []
        with journal_files.opened(self._paths) as found:
            journals = distinct(found.journals)
            if self._has_shown(found, journals) or adds_nothing(self._paths, found, journals):
                text, stats, has_more = MetricsText(), Stats(), False
                for block in read_journals(journals, damaged):
                    text.add(block)
                    add_block(stats, block)
            else:
                union = read_union(self._paths, found, journals, damaged)
                text, stats, has_more = text_of(union.history), count_history(union.history), union.has_more
                if union.is_damaged:
                    self._paths.metrics.replace(self._paths.damaged_metrics)
        atomic.write_pieces(self._paths.metrics, text.pieces())
        return _Account(stats, damaged, has_more)

    def _has_shown(self, found: journal_files.Opened, journals: list[BinaryIO]) -> bool:
        """Return whether metrics.json was written by this process, from the only journal."""
        shown = self._shown
        if shown is None or found.conflicts or len(journals) != 1:
            return False
        inode = os.fstat(journals[0].fileno()).st_ino
        return shown.journal[0] == inode and shown.metrics == _identity(self._paths.metrics)

    def _close(self) -> None:
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            with contextlib.suppress(OSError):
                os.close(handle)

    def __del__(self) -> None:
        self._close()


def _identity(path: Path) -> tuple[int, ...]:
    """Return numbers that change when a file is replaced; none without it."""
    try:
        state = path.lstat()
    except FileNotFoundError:
        return ()
    return state.st_ino, state.st_size, state.st_mtime_ns


def _prove(paths: RunPaths, stats: Stats) -> int:
    """Return the number of points in metrics.json; raise CorruptFileError unless it has all that `stats` counts."""
    kept = read_metrics_json(paths.metrics)
    for name, summary in stats.items():
        if len(kept.get(name, ())) < summary.count:
            raise CorruptFileError(
                f"{paths.metrics} has {len(kept.get(name, ()))} of {summary.count} points of {name!r}; the journals stay"
            )
    return count_points(kept)


_journals: "weakref.WeakValueDictionary[Path, Journal]" = weakref.WeakValueDictionary()
_registering = threading.Lock()


def journal_of(paths: RunPaths, right: Right) -> Journal:
    """Return the one journal that this process has for a run, whatever the number of trackers and handles."""
    folder = paths.folder.resolve()
    with _registering:
        found = _journals.get(folder)
        if found is None:
            renew_in_children(_forget_all)
            call_at_exit(_retire_all)
            found = _journals[folder] = Journal(paths, right)
    found.look()
    return found


def _forget_all() -> None:
    global _registering
    _registering = threading.Lock()
    for journal in list(_journals.values()):
        journal.forget()


def _retire_all() -> None:
    # at exit an error has no receiver, and readers find all points in the journals
    for journal in list(_journals.values()):
        with contextlib.suppress(OSError, TrackingError):
            journal.retire()
