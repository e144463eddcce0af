"""The only writer of files: whole files appear at once, history is appended line by line, names are claimed.

A reader never sees half of a whole file. A line that a crash tore is cut before the next one is appended and
skipped by readers. This module knows bytes and JSON, and nothing of runs.
"""

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError, StoreUnwritableError, TrackingError
from tracking.values.jsontext import decode, encode

log = logging.getLogger("tracking")


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


@contextlib.contextmanager
def filling(path: Path) -> Iterator[tuple[Path, int]]:
    """An open file to be filled, which then appears at `path` at once and whole; nothing changes when that fails.

    A link stays one, and what it leads to is replaced. What is no regular file is written into, once all is there.
    """
    if path.exists() and not path.is_file():
        import shutil  # here: only who writes into a device needs them
        import tempfile

        with writing(path), path.open("wb") as target, tempfile.NamedTemporaryFile() as whole:
            yield Path(whole.name), whole.fileno()
            with Path(whole.name).open("rb") as filled:
                shutil.copyfileobj(filled, target)
        return
    place = Path(os.path.realpath(path))
    with beside(place) as (new, handle):
        yield new, handle
        new.replace(place)
