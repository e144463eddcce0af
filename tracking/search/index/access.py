"""Index: one process' access to the index of a store. It is asked questions, and always answers.

A file that is spoiled is made anew; where none can be used the index is kept in memory. So the answers do not depend
on the file, only the time they take.
"""

import contextlib
import functools
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tracking.search.index.database import VERSION, connect, inode, is_busy, is_spoiled, remove
from tracking.search.index.places import MEMORY, places, prepare
from tracking.search.index.refresh import SMALL, Progress, Refresher
from tracking.search.index.view import View
from tracking.store.scan import Scan

log = logging.getLogger("tracking")

if TYPE_CHECKING:  # sqlite3 is only loaded by those who read many runs
    import sqlite3

Answer = TypeVar("Answer")

_indexes: "weakref.WeakSet[Index]" = weakref.WeakSet()
_held: list[Any] = []


class Index:
    """The index of one store; safe to share between threads, and after a fork. Opens at the first question."""

    def __init__(self, scan: Scan) -> None:
        self.progress: Progress | None = None
        self._scan = scan
        self.lock = threading.RLock()
        self._pid = os.getpid()
        _guard_forks()
        _indexes.add(self)
        self._opened: tuple[sqlite3.Connection, Refresher] | None = None
        self._place = MEMORY
        self._inode = 0
        self._refused: set[Path] = set()
        self._remade: set[Path] = set()
        self._inherited: list[object] = []

    def ask(
        self, question: Callable[[View], Answer], *, surely: Iterable[str] = (), refresh: bool = True
    ) -> Answer:
        """The answer to a question, from an index that is up to date; runs named in `surely` are looked at.

        The question sees one state of the index, and may be asked again when its file turns out to be spoiled.
        """
        return self._ask(
            question, lambda refresher: refresher.refresh(surely, self.progress) if refresh else None
        )

    def check(self) -> None:
        """Look at every run, so that whatever was changed by hand is seen."""
        self._ask(lambda _: None, lambda refresher: refresher.refresh((), self.progress, everything=True))

    def rebuild(self) -> None:
        """Remove the index file and build it anew."""
        with self.lock:
            self.close()
            self._refused.clear()
            remove(self._choose())
        self.ask(lambda _: None)

    def close(self) -> None:
        """Give the file back; the next question opens it again."""
        self._after_fork()
        with self.lock:
            if self._opened is not None:
                self._opened[0].close()
            self._opened = None

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # at the end of a process anything may be gone already
            self.close()

    def _ask(self, question: Callable[[View], Answer], prepare: Callable[[Refresher], None]) -> Answer:
        import sqlite3

        self._after_fork()
        with self.lock:
            while True:
                try:
                    database, refresher = self._open()
                    prepare(refresher)
                    database.execute("BEGIN")
                    try:
                        answer = question(View(database, self._scan))
                    finally:
                        database.execute("ROLLBACK")
                    self._remade.clear()
                    return answer
                except sqlite3.Error as error:
                    if self._place == MEMORY:
                        raise
                    self._give_up(error)

    def _open(self) -> "tuple[sqlite3.Connection, Refresher]":
        if self._opened is None or self._should_move():
            self.close()
            self._place = self._choose()
            database = connect(self._place)
            self._opened = database, Refresher(self._scan, database)
            self._inode = inode(self._place)
        return self._opened

    def _should_move(self) -> bool:
        """Whether the file lost its name, or a store that deserved none does now."""
        if self._place != MEMORY:
            return inode(self._place) != self._inode
        return not self._refused and self._deserves_file()

    def _choose(self) -> Path:
        if not self._deserves_file():
            return MEMORY
        found = places(self._scan.paths, VERSION)
        return next(place for place in found if place not in self._refused and prepare(place))

    def _deserves_file(self) -> bool:
        """Whether this software wrote to the store, or so many others did that reading them all takes time."""
        if self._scan.paths.inner.is_dir():
            return self._scan.paths.runs.is_dir()
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(self._scan.paths.runs) as runs,
        ):
            return sum(1 for _ in zip(runs, range(SMALL + 1), strict=False)) > SMALL
        return False

    def _give_up(self, error: "sqlite3.Error") -> None:
        """Make the file anew if it is spoiled, else do without it."""
        place = self._place
        with contextlib.suppress(Exception):  # it is of no more use
            self.close()
        self._opened = None
        if is_spoiled(error) and place not in self._remade:
            self._remade.add(place)
            remove(place)
            return
        log.info("the index %s is not used: %s", place, error)
        # one that is only held by another process is no reason to build a second one for good
        self._refused |= set(places(self._scan.paths, VERSION)) - {MEMORY} if is_busy(error) else {place}

    def _after_fork(self) -> None:
        if self._pid != os.getpid():
            # the parent's connection must be neither used nor closed by a child
            self._inherited += (self._opened, self.lock)
            self._pid, self.lock, self._opened = os.getpid(), threading.RLock(), None


@functools.cache
def _guard_forks() -> None:
    """Fork only between answers: a child that ends would roll back, in the file, what its parent is writing."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_held.clear)


def _hold() -> None:
    for index in list(_indexes):
        lock = index.lock
        lock.acquire()
        _held.append(lock)


def _let_go() -> None:
    while _held:
        _held.pop().release()
