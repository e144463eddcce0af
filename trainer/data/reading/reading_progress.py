"""Progress of a read that takes long: one line in the log every few seconds."""

import io
import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

logger = logging.getLogger(__name__)

EVERY_S = 5.0  # between two lines
_MB = 1_000_000
_END = 100  # bytes at the end of a file in which its last value ends


class Progress:
    """How much of a source was read; `total` is in bytes, or in rows where that is what is known."""

    def __init__(self, label: str, *, total: int | None = None, of_bytes: bool = True) -> None:
        self._label, self._total, self._of_bytes = label, total, of_bytes
        self._read = self._rows = 0
        self._next = time.monotonic() + EVERY_S

    def watched(self, batches: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Yield batches, and say how far they are."""
        for batch in batches:
            self._rows += len(next(iter(batch.values()), ()))
            yield batch
            if time.monotonic() >= self._next:
                logger.info("reading %s: %s", self._label, self.text())
                self._next = time.monotonic() + EVERY_S

    def text(self) -> str:
        """Return how far the read is."""
        done = self._read if self._of_bytes else self._rows
        share = f" of {self._total / _MB:,.0f}" if self._total and self._of_bytes else ""
        percent = f", {min(done / self._total, 1):.0%}" if self._total else ""
        size = f", {self._read / _MB:,.0f}{share} MB" if self._of_bytes else ""
        return f"{self._rows:,} rows{size}{percent}"

    def counted(self, file: Any) -> "Counted":
        """Return a file of bytes whose reads count."""
        return Counted(file, self)

    def add(self, count: int) -> None:
        """Count bytes that were read."""
        self._read += count


class Counted(io.RawIOBase):
    """A file of bytes that counts what is read of it, and its NUL bytes, and knows how it ends."""

    def __init__(self, file: Any, progress: Progress) -> None:
        self._file, self._progress = file, progress
        self.nuls = 0
        self.end = b""  # the last bytes, without line ends

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        block: bytes = self._file.read(size)
        self._progress.add(len(block))
        self.nuls += block.count(b"\0")
        self.end = block[-_END:].rstrip() or self.end
        return block
