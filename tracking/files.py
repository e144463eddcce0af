"""The only writer of files: whole files appear at once, history is appended line by line, names are claimed.

A reader never sees half of a whole file. A line that a crash tore is cut before the next one is appended and
skipped by readers. This module knows bytes and JSON, and nothing of runs.
"""

import contextlib
import errno
import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from tracking.errors import CorruptFileError, InvalidValueError, StoreUnwritableError, TrackingError
from tracking.values import jsonable

try:
    import fcntl
except ImportError:  # not a POSIX system: files are still replaced at once, only the lock is missing
    fcntl = None  # type: ignore[assignment]  # the module is optional

LOCK_WAIT_S = 60.0  # longer than any honest holder; a stopped one must not stop everybody for good

log = logging.getLogger("tracking")

_locks = threading.local()


def encode(value: Any, *, indent: bool = False) -> bytes:
    """`value` as JSON with non-finite floats as the strings NaN, Infinity and -Infinity."""
    option = orjson.OPT_INDENT_2 if indent else None
    try:
        text = orjson.dumps(value, option=option)
        if b"null" not in text:  # what a non-finite float would have become
            return text
    except orjson.JSONEncodeError:
        pass  # keys that are no text, and what else `jsonable` knows
    try:
        return orjson.dumps(jsonable(value), option=option)
    except orjson.JSONEncodeError as error:
        raise InvalidValueError(f"cannot be written as JSON: {error}") from None


def decode(data: bytes) -> Any:
    """The value of JSON text; ValueError if it is torn, or has numbers or nesting that no reader can hold.

    Bare NaN and Infinity, which other writers leave, are accepted; text that is not valid Unicode is escaped.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(data, parse_int=_parse_int)
            return readable(value) if b"\xed" in data or b"\\ud" in data.lower() else value
        except RecursionError:
            raise ValueError("it is nested too deep") from None


def readable(value: Any) -> Any:
    """`value` with text that UTF-8 can hold: names of files and arguments may be any bytes."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {readable(key): readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [readable(item) for item in value]
    return value


def _parse_int(digits: str) -> int | float:
    # as orjson does: what is longer than 64 bits is a float
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits) if abs(number) < 2.0**63 else number


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace `path` by `data` at once; `durable` waits until it would survive a power loss."""
    with beside(path) as (new, handle):
        write_all(handle, data)
        if durable:
            os.fsync(handle)
        new.replace(path)
    if durable:
        sync_dir(path.parent)


def write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """Replace `path` by the pieces together, at once; they are written as they come."""
    with beside(path) as (new, handle):
        for piece in pieces:
            write_all(handle, piece)
        new.replace(path)


def write_all(handle: int, data: bytes) -> None:
    """Write all of `data`, in as many pieces as the system takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """Replace `path` by `value` as indented JSON, at once."""
    write_bytes(path, encode(value, indent=True) + b"\n", durable=durable)


def read_json(path: Path) -> Any:
    """The value in a JSON file; CorruptFileError names a damaged one, FileNotFoundError a missing one."""
    data = path.read_bytes()
    try:
        return decode(data)
    except ValueError as error:
        raise CorruptFileError(f"{path} is not valid JSON ({error}); repair or remove the file") from None


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; CorruptFileError when it holds anything else."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise CorruptFileError(
            f"{path} must hold a JSON object, not {type(value).__name__}; repair or remove the file"
        )
    return value


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


def create_bytes(path: Path, data: bytes) -> bool:
    """Make `path` hold `data` unless it exists; whether this call made it."""
    with beside(path, is_linked=True) as (new, handle):
        write_all(handle, data)
        os.fsync(handle)
        try:
            os.link(new, path)
        except FileExistsError:
            return False
        except OSError:
            new.replace(path)  # a file system without hard links
    return True


def claim_dir(parent: Path, name_for: Callable[[int], str], *, first: int = 1) -> tuple[int, Path]:
    """Make the first folder of `name_for(first)`, `name_for(first + 1)`, ... that does not exist yet.

    The making is the claim: no two processes get the same number, also over NFS.
    """
    with writing(parent):
        parent.mkdir(parents=True, exist_ok=True)
        number = first
        while True:
            path = parent / name_for(number)
            try:
                path.mkdir()
            except FileExistsError:
                number += 1
            else:
                return number, path


def make_dir(path: Path) -> None:
    """Make a folder and its parents; StoreUnwritableError when that is refused."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file so that `target` appears at once and whole, and would survive a power loss."""
    import shutil

    with source.open("rb") as origin, beside(target) as (new, handle):
        with open(handle, "wb", closefd=False) as copy:
            shutil.copyfileobj(origin, copy, 1 << 20)
        os.fsync(handle)
        new.replace(target)


def sha256(path: Path) -> str:
    """The SHA-256 of a file as hex digits."""
    import hashlib  # here and below: most processes that log never hash or copy, and the imports take milliseconds

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Make a file's content survive a power loss; a missing file is fine."""
    with writing(path), contextlib.suppress(FileNotFoundError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_dir(path: Path) -> None:
    """Make the names in a folder survive a power loss, where the system can."""
    with contextlib.suppress(OSError):
        sync(path)


def host_name() -> str:
    """The name of this machine; fit to be a file's name."""
    name = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    return (
        "".join(char if char.isalnum() or char in "._-" else "_" for char in name).lstrip(".") or "localhost"
    )


@contextlib.contextmanager
def lock(path: Path, wait_s: float = math.inf) -> Iterator[None]:
    """Hold an exclusive lock between threads and processes, on a file that is made for it.

    A thread may take a lock that it holds. StoreUnwritableError when a living process holds it for `wait_s`, at most
    LOCK_WAIT_S, and for whatever the system refuses meanwhile: who takes a lock is about to write.
    """
    make_dir(path.parent)
    with writing(path), _locked(path, os.O_RDWR | os.O_CREAT, wait_s):
        yield


@contextlib.contextmanager
def lock_folder(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a folder, like `lock`, without leaving a file in it."""
    with writing(path), _locked(path, os.O_RDONLY):
        yield


@contextlib.contextmanager
def _locked(path: Path, flags: int, wait_s: float = math.inf) -> Iterator[None]:
    held: set[Any] = _locks.__dict__.setdefault("held", set())
    if str(path) in held:
        yield
        return
    with writing(path):
        handle = os.open(path, flags | os.O_CLOEXEC, 0o666)
    try:
        state = os.fstat(handle)
        names = {str(path), (state.st_dev, state.st_ino)}  # the same folder may have several paths
        if not names.isdisjoint(held):
            yield
            return
        release = _take(handle, path, wait_s)
        held |= names
        try:
            yield
        finally:
            held -= names
            release()
    finally:
        os.close(handle)


def _take(handle: int, path: Path, wait_s: float) -> Callable[[], None]:
    """Wait for the lock of the system, or of a file where the file system has none; what gives it back."""
    for _ in attempts(path, wait_s=wait_s) if fcntl else ():
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        except OSError:
            break
        # not left to the closing: a child forked meanwhile has the same open file
        return lambda: fcntl.flock(handle, fcntl.LOCK_UN)
    from tracking import lock_files  # which is made of this module, and needed by hardly anybody

    file = lock_files.take(path, wait_s)
    return lambda: lock_files.release(file)


def attempts(
    path: Path, way_out: str = "let that process go on, or end it", wait_s: float = math.inf
) -> Iterator[None]:
    """Once now and again after a moment, until StoreUnwritableError says that a lock is held for too long."""
    wait_s = min(wait_s, LOCK_WAIT_S)
    deadline, pause_s = time.monotonic() + wait_s, 0.0002
    while True:
        yield
        if time.monotonic() > deadline:
            raise StoreUnwritableError(
                f"cannot write {path}: another process has locked it for more than {wait_s:g} s; {way_out}"
            )
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.01)


@contextlib.contextmanager
def beside(path: Path, *, is_linked: bool = False) -> Iterator[tuple[Path, int]]:
    """An open file beside `path`, to be filled and renamed over it; removed when the block raises.

    With `is_linked` it is given the other name by a link, or not at all, and its own one is removed in any case.
    """
    new = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
    with writing(path):
        handle, is_left = -1, True
        try:  # from before the file is made: Ctrl-C may come at any moment
            handle = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            yield new, handle
            is_left = is_linked
        finally:
            if handle >= 0:
                os.close(handle)
            if is_left:
                with contextlib.suppress(FileNotFoundError if handle >= 0 else OSError):
                    new.unlink()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal to write into StoreUnwritableError that names `path`."""
    try:
        yield
    except TrackingError:
        raise
    except OSError as error:
        raise StoreUnwritableError(
            f"cannot write {path}: {error.strerror or error}; choose a store that can be written or free some space"
        ) from error
