"""JSON lines: appended in one write, read with truncated and damaged lines left out."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tracking.errors import StoreUnwritableError
from tracking.files import regular
from tracking.files.atomic import log, unwritable, writing
from tracking.values.jsontext import decode, encode

PREVIOUS = "previous"  # the key of the SHA-256 of the line before
WHOLE_BYTES = 1 << 20  # of a last line without its newline
_refused: set[Path] = set()  # files that end in a part of a line whose write has raised


def append_line(path: Path, value: Any, *, durable: bool = False) -> None:
    """Append `value` as one JSON line in one write, after cutting a truncated line; only one process may append."""
    append_lines(path, [value], durable=durable)


def append_lines(path: Path, values: Iterable[Any], *, durable: bool = False) -> None:
    """Append each of `values` as a JSON line, all in one write; see `append_line`."""
    lines = b"".join(encode(value) + b"\n" for value in values)
    _append(path, lambda _handle, _size: lines, durable=durable)


def append_chained(path: Path, values: Iterable[dict[str, Any]], *, durable: bool = False) -> None:
    """Append objects as `append_lines` does, each with the SHA-256 of the line before it as `previous`.

    The first line of a file has no line before it, and no `previous`.
    """

    def lines(handle: int, size: int) -> bytes:
        before, found = _last_line(handle, size), bytearray()
        for value in values:
            before = encode(value if before is None else {**value, PREVIOUS: line_hash(before)})
            found += before + b"\n"
        return bytes(found)

    _append(path, lines, durable=durable)


def line_hash(line: bytes) -> str:
    """Return the SHA-256 of a line, without its newline, in hexadecimal."""
    import hashlib  # it takes milliseconds to load

    return hashlib.sha256(line.removesuffix(b"\n")).hexdigest()


def _append(path: Path, lines: Callable[[int, int], bytes], *, durable: bool) -> None:
    """Append what `lines` returns for the handle and the size of the file after its torn end was cut."""
    handle = open_append(path)
    try:
        with writing(path):
            size = cut_torn_tail(handle, path)
            write_whole(handle, lines(handle, size), path)
            if durable:
                os.fsync(handle)
    finally:
        os.close(handle)


def _last_line(handle: int, size: int) -> bytes | None:
    """Return the last line of an open file that ends in a newline, without it; None for an empty file."""
    if not size:
        return None
    start = _after_last_newline(handle, size - 1)
    return os.pread(handle, size - 1 - start, start)


def _after_last_newline(handle: int, end: int) -> int:
    """Return the place after the last newline before `end` in an open file; 0 without one."""
    while end:
        start = max(0, end - 65536)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def read_lines(path: Path, offset: int = 0) -> Iterator[Any]:
    """Yield the values of a JSON-lines file from byte `offset` on; log a damaged line, skip a last one that is truncated.

    An object is whole without its newline, which editors and half copies leave out.

    A missing file has no lines.
    """
    try:
        file = regular.open_file(path)
    except FileNotFoundError:
        return
    with file:
        file.seek(offset)
        for line in regular.lines_of(file):
            if not line.endswith(b"\n") and not is_object(line):
                return
            try:
                yield decode(line)
            except ValueError:
                log.warning("left out: %s: a damaged line: %.80r", path, line)


def open_append(path: Path) -> int:
    """Open a regular file for appending and create it if needed; raise StoreUnwritableError when the system refuses."""
    with writing(path):
        # for reading too: the end of the file shows whether the last line is complete
        return regular.open_handle(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)


def is_object(line: bytes) -> bool:
    """Return whether a line is a JSON object, to which nothing is missing."""
    try:
        return isinstance(decode(line), dict)
    except ValueError:
        return False


def cut_torn_tail(handle: int, path: Path) -> int:
    """Cut an open file after its last newline, or end a last line that lacks nothing else; return the resulting size."""
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) == b"\n":
        return size
    end = _after_last_newline(handle, size)
    is_refused = path in _refused
    _refused.discard(path)
    if not is_refused and 0 < size - end <= WHOLE_BYTES and is_object(os.pread(handle, size - end, end)):
        with writing(path):
            os.pwrite(handle, b"\n", size)
        return size + 1
    if end != size:
        log.warning("%s: cut %d bytes of a truncated last line", path, size - end)
        with writing(path):
            os.ftruncate(handle, end)
    return end


def end_lines(path: Path) -> None:
    """Cut the torn end of a file, or end its last line; keep its time, which is the last sign of life of its writer."""
    with writing(path):
        handle = regular.open_handle(path, os.O_RDWR)
        try:
            state = os.fstat(handle)
            cut_torn_tail(handle, path)
            os.utime(handle, ns=(state.st_atime_ns, state.st_mtime_ns))
        finally:
            os.close(handle)


def write_whole(handle: int, line: bytes, path: Path) -> None:
    """Append `line` in one write. When the disk takes only a part, cut that part again.

    Raise StoreUnwritableError when the system refuses or the disk is full.
    """
    try:
        written = os.write(handle, line)
    except OSError as error:
        raise unwritable(path, error) from error
    if written != len(line):
        raise take_back(handle, written, path)


def take_back(handle: int, written: int, path: Path) -> StoreUnwritableError:
    """Cut the `written` bytes of a line that the disk took only in part; return the error to raise."""
    _refused.add(path)
    with contextlib.suppress(OSError):  # what cannot be cut now is cut before the next line
        os.ftruncate(handle, os.lseek(handle, 0, os.SEEK_CUR) - written)
        _refused.discard(path)
    return unwritable(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
