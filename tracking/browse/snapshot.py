"""The files of a run's metrics as they are at one moment: whole lines only, however the journals grow meanwhile."""

import contextlib
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from tracking.files import regular
from tracking.metrics import journal_files
from tracking.metrics.journal_files import Opened
from tracking.paths import RunPaths

NOTHING = "-"  # the stamp of a run that has neither a metrics.json nor another version of it
STEP_BYTES = 1 << 16  # read at once to look for the end of the last whole line


class Prefix(io.RawIOBase):
    """The first `size` bytes of an open file, as a file of its own."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.name = file.name
        self.size = size
        self._file = file
        self._place = 0

    def fileno(self) -> int:
        """Return the descriptor of the whole file."""
        return self._file.fileno()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set and return the position."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; return the number of bytes, 0 at the end."""
        wanted = min(len(buffer), max(0, self.size - self._place))
        with regular.reading(Path(str(self.name))):
            read = os.pread(self.fileno(), wanted, self._place)
        buffer[: len(read)] = read
        self._place += len(read)
        return len(read)


class Snapshot(NamedTuple):
    """The journals of a run, limited to the whole lines they had when they were opened."""

    found: Opened
    sizes: list[int]  # of the journals, in bytes
    kept: list[str]  # names of the versions that a sync program kept
    views: str  # the stamp of metrics.json and of these, taken before anything is read


@contextlib.contextmanager
def snapshot(paths: RunPaths) -> Iterator[Snapshot]:
    """Open the journals of a run and limit them to what they hold now."""
    kept = journal_files.listing(paths).conflicts
    views = views_stamp(paths, kept)
    with journal_files.opened(paths) as found:
        sizes = [whole_bytes(journal.fileno()) for journal in found.journals]
        limited: list[BinaryIO] = [
            io.BufferedReader(Prefix(journal, size), 1 << 16)
            for journal, size in zip(found.journals, sizes, strict=True)
        ]
        yield Snapshot(Opened(limited, found.conflicts), sizes, kept, views)


def whole_bytes(handle: int) -> int:
    """Return the size of an open file up to the end of its last whole line."""
    end = os.fstat(handle).st_size
    while end:
        start = max(0, end - STEP_BYTES)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def views_stamp(paths: RunPaths, conflicts: list[str]) -> str:
    """Return text that changes with metrics.json and with what a sync program kept beside it."""
    parts = []
    for name in (paths.metrics.name, *conflicts):
        try:
            state = (paths.folder / name).lstat()
        except OSError:
            parts.append(NOTHING)
        else:
            parts.append(f"{state.st_size}.{state.st_mtime_ns}.{state.st_ino}")
    text = " ".join(parts)
    return text if len(parts) == 1 else f"{zlib.crc32(text.encode()):08x}"
