"""Regular files: the one way in which a file of a store is opened.

A store is not trusted. What is opened is a file itself: a link is not followed, a pipe or a device is neither waited
for nor read. Whatever cannot be read is one error, UnreadableFileError, which names the path, so that one bad item
costs itself. A missing file stays a FileNotFoundError.
"""

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

from tracking.errors import UnreadableFileError

MAX_BYTES = 1 << 28  # of a file that is read whole; no writer of ours comes near it
MAX_LINE_BYTES = 1 << 28  # of a file that is read line by line

_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = {
    stat.S_IFLNK: "a link, and links are not followed",
    stat.S_IFDIR: "a folder, not a file",
    stat.S_IFIFO: "a pipe, not a file",
    stat.S_IFSOCK: "a socket, not a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
}
_OF_PROCESS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_ODD = {errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENOTDIR}  # what opening anything but a file may raise


def open_handle(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a regular file and return its descriptor; raise UnreadableFileError for anything else.

    Other errors of the system are raised as they are, because only the caller knows whether it reads or writes.
    """
    try:
        handle = os.open(path, flags | _FLAGS, 0o666)
    except OSError as error:
        if error.errno in _ODD:
            refuse_odd(path)
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        refuse_odd(path)
        raise UnreadableFileError(f"{path} is not a file; remove it", path)  # it was replaced meanwhile
    return handle


def open_file(path: Path) -> io.BufferedReader:
    """Open a regular file for reading; the error of any read names the path."""
    with reading(path):
        return io.BufferedReader(_RegularFile(path))


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return the content of a file; raise UnreadableFileError for one of more than `limit` bytes."""
    with reading(path):
        handle = open_handle(path)
        try:
            size = os.fstat(handle).st_size
            if size > limit:
                raise UnreadableFileError(
                    f"{path} has {size} bytes, and no such file has more than {limit}; repair or remove the file",
                    path,
                )
            data = os.read(handle, size + 1)
            while more := os.read(handle, 1 << 20) if len(data) <= limit else b"":
                data += more
            return data
        finally:
            os.close(handle)


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of an open file; raise UnreadableFileError instead of holding one of MAX_LINE_BYTES."""
    while line := file.readline(MAX_LINE_BYTES):
        if len(line) == MAX_LINE_BYTES:
            raise line_too_long(Path(file.name))
        yield line


def line_too_long(path: Path) -> UnreadableFileError:
    """Return the error for a file of lines that has no line end for MAX_LINE_BYTES."""
    return UnreadableFileError(
        f"{path} has a line of more than {MAX_LINE_BYTES} bytes; repair or remove the file", path
    )


def exists(path: Path) -> bool:
    """Return whether there is anything at a path, a link to nowhere included."""
    with reading(path):
        try:
            path.lstat()
        except FileNotFoundError:
            return False
        return True


def is_file(path: Path) -> bool:
    """Return whether a path is a regular file itself; False for one that cannot be looked at."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder itself, not a link to one; False for one that cannot be looked at."""
    return stat.S_ISDIR(_mode(path))


def refuse_odd(path: Path) -> None:
    """Raise UnreadableFileError for a path that is anything but a regular file; nothing for a file or a missing one."""
    kind = stat.S_IFMT(_mode(path))
    if kind in _KINDS:
        remedy = "put what it leads to in its place" if kind == stat.S_IFLNK else "remove it"
        raise UnreadableFileError(f"{path} is {_KINDS[kind]}; {remedy}", path)


def refuse_link(*folders: Path) -> None:
    """Raise UnreadableFileError for a folder of a store that is a link: a store is one folder, whatever it links to."""
    for folder in folders:
        if stat.S_ISLNK(_mode(folder)):
            refuse_odd(folder)


def reading(path: Path) -> AbstractContextManager[None]:
    """Raise UnreadableFileError, which names `path`, for an OSError of the block.

    A missing file stays one, and a process that is out of something stays an OSError: it says nothing of the file.
    """
    return _Reading(path)


class _Reading:
    # a class, as a generator would cost more than most of what it surrounds
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, NotADirectoryError):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._path)) from error
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            if error.errno in _OF_PROCESS:
                return
            raise unreadable(self._path, error) from error


def unreadable(path: Path, error: OSError) -> UnreadableFileError:
    """Return the error to raise when the system refuses to read `path`."""
    remedy = (
        "ask its owner for the right to read it"
        if error.errno in (errno.EACCES, errno.EPERM)
        else "repair it"
    )
    return UnreadableFileError(f"{path} cannot be read: {error.strerror or error}; {remedy}", path)


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0


class _RegularFile(io.FileIO):
    """A file whose reads raise UnreadableFileError where the system refuses them."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), "rb", opener=lambda _path, _flags: open_handle(path))

    def readinto(self, buffer: Any) -> int | None:
        with reading(Path(str(self.name))):
            return super().readinto(buffer)

    def readall(self) -> bytes:
        with reading(Path(str(self.name))):
            return super().readall() or b""
