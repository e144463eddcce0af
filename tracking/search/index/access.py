"""Index: the access of one process to the index of a store.

A spoiled file is built anew, and an index whose file cannot be used is kept in memory: the file decides how long an
answer takes, never what it is.
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

from tracking.search.index.database import (
    CACHE_BYTES,
    MEMORY,
    connect,
    index_place,
    inode,
    is_spoiled,
    prepare,
    remove,
)
from tracking.search.index.memory import Memory
from tracking.search.index.refresh import Progress, Refresher
from tracking.search.index.view import View
from tracking.store.scan import Scan

log = logging.getLogger("tracking")

if TYPE_CHECKING:  # sqlite3 is loaded only for queries
    import sqlite3

Answer = TypeVar("Answer")

_indexes: "weakref.WeakSet[Index]" = weakref.WeakSet()
_held: list[Any] = []


class Index:
    """The index of one store; opened by the first query; safe to share between threads and after a fork.

    `cache_bytes` of the file stay in memory, and about `memory_bytes` of answers to questions as long as no row changes:
    more only makes repeated questions about a large store faster.
    """

    def __init__(self, scan: Scan, *, cache_bytes: int = CACHE_BYTES, memory_bytes: int = 0) -> None:
        self._cache_bytes = cache_bytes
        self._memory = Memory(memory_bytes) if memory_bytes else None
        self.progress: Progress | None = None
        self._scan = scan
        self.lock = threading.RLock()
        self._pid = os.getpid()
        _guard_forks()
        _indexes.add(self)
        self._opened: tuple[sqlite3.Connection, Refresher] | None = None
        self._place = MEMORY
        self._inode = 0
        self._opening = 0  # how often it was opened
        self._is_refused = False
        self._was_remade = False
        self._inherited: list[object] = []

    @property
    def path(self) -> Path:
        """The file of the index, whether it exists or not."""
        return index_place(self._scan.paths)

    def ask(
        self,
        question: Callable[[View], Answer],
        *,
        surely: Iterable[str] = (),
        refresh: bool = True,
        everything: bool = False,
    ) -> Answer:
        """Return the answer to a question, from an index that is up to date; check the runs in `surely` by their files.

        The question sees one state of the index. It is asked again when the file turns out to be spoiled.
        """
        import sqlite3

        self._after_fork()
        with self.lock:
            while True:
                try:
                    database, refresher = self._open()
                    if refresh:
                        refresher.refresh(surely, self.progress, everything=everything)
                    database.execute("BEGIN")
                    try:
                        answer = question(View(database, self._scan, self._opening, self._memory))
                    finally:
                        database.execute("ROLLBACK")
                    self._was_remade = False
                    return answer
                except sqlite3.Error as error:
                    if self._place == MEMORY:
                        raise
                    self._give_up(error)

    def check(self) -> None:
        """Check every run by its files, which finds all that was edited by hand."""
        self.ask(lambda _: None, everything=True)

    def rebuild(self) -> None:
        """Remove the index file and build a new one."""
        with self.lock:
            self.close()
            self._is_refused = False
            remove(self._choose())
        self.ask(lambda _: None)

    def close(self) -> None:
        """Close the file; the next query opens it again."""
        self._after_fork()
        with self.lock:
            if self._opened is not None:
                self._opened[0].close()
            self._opened = None

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # at the end of a process any module may be gone
            self.close()

    def _open(self) -> "tuple[sqlite3.Connection, Refresher]":
        if self._opened is None or self._should_move():
            self.close()
            self._place = self._choose()
            database = connect(self._place, self._cache_bytes)
            self._opened = database, Refresher(self._scan, database)
            self._inode = inode(self._place)
            self._opening += 1
        return self._opened

    def _should_move(self) -> bool:
        """Return whether the file was removed or replaced, or a store that had no runs has some now."""
        if self._place != MEMORY:
            return inode(self._place) != self._inode
        return not self._is_refused and self._has_runs()

    def _choose(self) -> Path:
        if self._is_refused or not self._has_runs():
            return MEMORY
        self._is_refused = not prepare(self.path)
        return MEMORY if self._is_refused else self.path

    def _has_runs(self) -> bool:
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(self._scan.paths.runs) as runs,
        ):
            return any(runs)
        return False

    def _give_up(self, error: "sqlite3.Error") -> None:
        """Remove a spoiled file, to be built anew once; keep the index in memory after any other error."""
        with contextlib.suppress(Exception):  # the connection is not used again
            self.close()
        self._opened = None
        if is_spoiled(error) and not self._was_remade:
            self._was_remade = True
            remove(self._place)
            return
        log.info("the index %s is not used: %s", self._place, error)
        self._is_refused = True

    def _after_fork(self) -> None:
        if self._pid != os.getpid():
            # a child must neither use nor close the parent's connection
            self._inherited += (self._opened, self.lock)
            self._pid, self.lock, self._opened = os.getpid(), threading.RLock(), None


@functools.cache
def _guard_forks() -> None:
    """Delay forks until no query runs: a child that exits would roll back what its parent is writing to the file."""
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
