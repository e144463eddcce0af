"""A bar on a terminal for files that take long; nothing in a pipe."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainer.data.reading.files import formats
from trainer.data.reading.files.formats import Format
from trainer.errors import DataError
from trainer.watching.line import Line, has_cursor

_AFTER_S = 1.0  # a shorter job needs no bar


class Progress:
    """Rows done, of a whole that a file may tell beforehand; use it as a context."""

    def __init__(self, source: Path) -> None:
        self._source, self._done = source, 0.0
        self._line = Line(sys.stderr)
        self._began = time.monotonic()
        self._rows = 0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_error: object) -> None:
        self._line.end()

    def step(self, table: Any) -> None:
        """Count the rows of a table of Arrow, the raw columns of a chunk."""
        if not has_cursor(sys.stderr):
            return
        self._rows += len(table)
        # Of text the bytes are known beforehand, and the cells with a separator each are about as many.
        self._done += (
            len(table) if _is_columnar(self._source) else table.nbytes - 3 * len(table) * table.num_columns
        )
        if not self._line.is_shown and time.monotonic() - self._began > _AFTER_S:
            self._line.begin(_columns, total=_total(self._source), rows="")
        if self._line.is_due:
            self._line.draw(self._done, rows=f"{self._rows:,} rows")


def _columns() -> Sequence[Any]:
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    return TextColumn("{task.fields[rows]}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()


def _is_columnar(path: Path) -> bool:
    try:
        return formats.format_of(path) is not Format.TEXT
    except DataError:
        return False


def _total(path: Path) -> float | None:
    """Return the rows of a Parquet file, the bytes of a text that is not compressed, or None."""
    size = formats.plain_size(path)
    if size is not None and path.suffix.lower() in (".parquet", ".pq"):
        from pyarrow import parquet

        return float(parquet.read_metadata(path).num_rows)
    return None if size is None or _is_columnar(path) else float(size)
