"""JSON lines: appended in one write, read with torn and damaged lines left out."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tracking.files.atomic import log, writing
from tracking.values.jsontext import decode, encode


def append_line(path: Path, value: Any, *, durable: bool = False) -> None:
    """Append `value` as one JSON line in one write, after cutting a torn tail; one writer at a time."""
    line = encode(value) + b"\n"
    with writing(path):
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            cut_torn_tail(handle, path)
            write_whole(handle, line, path)
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)


def read_lines(path: Path, offset: int = 0) -> Iterator[Any]:
    """The values of a JSON-lines file from byte `offset` on; a torn last line is skipped, a bad one is logged.

    A missing file has no lines.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(offset)
        yield from parse_lines(file, path)


def parse_lines(lines: Iterator[bytes] | Any, path: Path) -> Iterator[Any]:
    """The values of raw lines; the last one counts only when it ends with a newline."""
    for line in lines:
        if not line.endswith(b"\n"):
            return
        try:
            yield decode(line)
        except ValueError:
            log.warning("left out: %s: a damaged line: %.80r", path, line)


def open_append(path: Path) -> int:
    """A descriptor that appends to `path`, made when it is not there; StoreUnwritableError when that is refused."""
    with writing(path):
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)


def cut_torn_tail(handle: int, path: Path) -> int:
    """Cut what follows the last newline of an open file; the size that remains."""
    size = end = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) == b"\n":
        return size
    while end:
        start = max(0, end - 65536)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end != size:
        log.warning("%s: cut %d bytes of a line that was never finished", path, size - end)
        with writing(path):
            os.ftruncate(handle, end)
    return end


def write_whole(handle: int, line: bytes, path: Path) -> None:
    """Append `line` in one write; when the disk takes only a part, that part is cut again and the write refused."""
    with writing(path):
        written = os.write(handle, line)
        if written != len(line):
            os.ftruncate(handle, os.lseek(handle, 0, os.SEEK_CUR) - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
