"""The writer of one run's metrics: a journal that is appended, and two views of it.

While metrics.jsonl exists it is the whole truth; otherwise metrics.json is. Each log call is one line, written in
one piece, and the cost of the next one does not depend on how many came before.
docs/decisions/0002-journal.md has the reasoning about crashes.
"""

import contextlib
import os
import threading
import time

from tracking import files
from tracking.errors import StoreUnwritableError
from tracking.history import Line, lines_of, metrics_json
from tracking.paths import RunPaths
from tracking.summary import Stats, add_line, add_lines, drop_view_beyond, read_stats, write_summary
from tracking.values import Number

VIEW_SHARE = 50  # a refresh of the views waits 50 times as long as the last one took: at most 2% of the time
VIEW_STALL_S = 0.05  # once a refresh took longer, metrics.json waits for the finish; summary.json goes on


class Journal:
    """Appends to the metrics of one run; safe to share between threads, and after a fork.

    Opens on the first append and may be closed and used again. A second process may append too: its lines are
    noticed and counted.
    """

    def __init__(self, paths: RunPaths) -> None:
        self._paths = paths
        self._lock = threading.Lock()
        self._handle = -1
        self._pid = -1
        self._end = 0
        self._stats: Stats = {}
        self._next_refresh = 0.0
        self._stalls = False

    def append(self, metrics: dict[str, Number], step: int | None, timestamp: str) -> None:
        """Add one line. When this returns the line survives the death of the process."""
        line = Line(step, timestamp, metrics).encode()
        with self._lock:
            if self._handle < 0 or self._pid != os.getpid() or not os.fstat(self._handle).st_nlink:
                self._open()
            files.write_whole(self._handle, line, self._paths.journal)
            self._count(metrics, step, len(line))
            if time.monotonic() >= self._next_refresh:
                self._refresh()

    def close(self) -> None:
        """Give the file back, views refreshed; the next append opens it again."""
        with self._lock:
            if self._handle >= 0 and self._pid == os.getpid():
                self._refresh()
            self._close()

    def finish(self) -> None:
        """Make both views complete and durable, then remove the journal."""
        with self._lock:
            self._close()
            paths = self._paths
            try:
                with paths.journal.open("rb") as journal:
                    files.write_bytes(paths.metrics, metrics_json(Line.parse(journal, paths.journal)))
                    journal.seek(0)
                    stats = add_lines({}, Line.parse(journal, paths.journal))
            except FileNotFoundError:
                return
            write_summary(paths.summary, stats, None, durable=True)
            paths.journal.unlink(missing_ok=True)
            files.sync_dir(paths.folder)

    def _open(self) -> None:
        self._close()
        path = self._paths.journal
        if self._paths.metrics.exists() and not path.exists():
            # a finished run goes on: the journal starts with all that metrics.json holds, or it is not there
            files.create_bytes(path, b"".join(line.encode() for line in lines_of(self._paths.metrics)))
        with files.writing(path):
            self._handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._pid = os.getpid()
        self._end = files.cut_torn_tail(self._handle, path)
        drop_view_beyond(self._paths, self._end)
        self._stats = read_stats(self._paths)

    def _count(self, metrics: dict[str, Number], step: int | None, length: int) -> None:
        end = os.lseek(self._handle, 0, os.SEEK_CUR)
        foreign = end - length - self._end
        if foreign > 0:
            lines = os.pread(self._handle, foreign, self._end).splitlines(keepends=True)
            add_lines(self._stats, Line.parse(lines, self._paths.journal))
        add_line(self._stats, metrics, step)
        self._end = end

    def _refresh(self) -> None:
        started = time.monotonic()
        try:
            write_summary(self._paths.summary, self._stats, self._end)
            if not self._stalls:
                with self._paths.journal.open("rb") as journal:
                    text = metrics_json(Line.parse(journal, self._paths.journal))
                files.write_bytes(self._paths.metrics, text, durable=False)
        except (StoreUnwritableError, FileNotFoundError) as error:
            # the point itself is safe in the journal; a view may wait
            files.log.warning("the views of %s are not up to date: %s", self._paths.folder, error)
        ended = time.monotonic()
        self._stalls = self._stalls or ended - started > VIEW_STALL_S
        self._next_refresh = ended + VIEW_SHARE * (ended - started)

    def _close(self) -> None:
        if self._handle >= 0:
            with contextlib.suppress(OSError):
                os.close(self._handle)
        self._handle = -1

    def __del__(self) -> None:
        self._close()
