"""A bar on a terminal for files that take long; nothing in a pipe."""

import sys
import time
from pathlib import Path
from typing import Any

from trainer.data.reading import formats
from trainer.data.reading.formats import Format
from trainer.errors import DataError

_AFTER_S = 1.0  # a shorter job needs no bar


class Progress:
    """Rows done, of a whole that a file may tell beforehand; use it as a context."""

    def __init__(self, source: Path) -> None:
        self._source, self._done = source, 0.0
        self._bar: Any = None
        self._task: Any = None
        self._began = time.monotonic()
        self._rows = 0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, table: Any) -> None:
        """Count the rows of a table of Arrow, the raw columns of a chunk."""
        if not sys.stderr.isatty():
            return
        self._rows += len(table)
        # Of text the bytes are known beforehand, and the cells with a separator each are about as many.
        self._done += (
            len(table) if _is_columnar(self._source) else table.nbytes - 3 * len(table) * table.num_columns
        )
        if self._bar is None and time.monotonic() - self._began > _AFTER_S:
            self._begin()
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, rows=f"{self._rows:,} rows")

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.fields[rows]}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._bar.start()
        self._task = self._bar.add_task("", total=_total(self._source), rows="")


def _is_columnar(path: Path) -> bool:
    try:
        return formats.format_of(path) is not Format.TEXT
    except DataError:
        return False


def _total(path: Path) -> float | None:
    """Return the rows of a Parquet file, the bytes of a text that is not compressed, or None."""
    if path.suffix.lower() in (".parquet", ".pq"):
        from pyarrow import parquet

        return float(parquet.read_metadata(path).num_rows)
    is_plain = path.suffix.lower() in formats.SUFFIXES and not _is_columnar(path)
    return float(path.stat().st_size) if is_plain else None
