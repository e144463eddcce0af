"""Whole files, written all at once: a reader finds the old content or the new, never a part.

New content goes into a temporary file beside the old one, which is then renamed. This module knows bytes and JSON,
and nothing of runs.
"""

import contextlib
import logging
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from tracking.errors import CorruptFileError, StoreUnwritableError, TrackingError
from tracking.files import regular
from tracking.values.jsontext import decode, encode

log = logging.getLogger("tracking")

PART_BYTES = 1 << 16
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace `path` by `data` at once. With `durable`, return once it survives a power loss."""
    write_pieces(path, [data], durable=durable)


def write_pieces(
    path: Path,
    pieces: Iterable[bytes],
    *,
    durable: bool = False,
    before: Callable[[], object] | None = None,
) -> None:
    """Replace `path` by all pieces at once; each is written as it comes.

    Call `before` when only the waiting for the disk and the replacement are left: what it writes and syncs comes first,
    and costs less than before the new file is made, as the disk then waits for both at once.
    """
    with beside(path) as (new, handle):
        for part in _gathered(pieces):
            write_all(handle, part)
        if before:
            before()
        if durable:
            os.fsync(handle)  # before the rename, or a power loss could leave the name with no content
        new.replace(path)
    if durable:
        sync_dir(path.parent)


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces joined to parts of at least PART_BYTES: a call of the system costs as much as a small part."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= PART_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def write_all(handle: int, data: bytes) -> None:
    """Write all of `data`, in as many calls as the system needs."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def write_json(
    path: Path, value: Any, *, durable: bool = True, before: Callable[[], object] | None = None
) -> None:
    """Replace `path` by `value` as indented JSON at once; for `before` see `write_pieces`."""
    write_pieces(path, [encode(value, indent=True) + b"\n"], durable=durable, before=before)


def read_json(path: Path, limit: int = regular.MAX_BYTES) -> Any:
    """Return the value in a JSON file; raise CorruptFileError for a damaged one, FileNotFoundError for a missing one.

    One of more than `limit` bytes is not read.
    """
    data = regular.read_bytes(path, limit)
    try:
        return decode(data)
    except ValueError as error:
        raise CorruptFileError(f"{path} is not valid JSON ({error}); repair or remove the file") from None


def read_object(path: Path, limit: int = regular.MAX_BYTES) -> dict[str, Any]:
    """Return the JSON object in a file; raise CorruptFileError when it holds anything else."""
    value = read_json(path, limit)
    if not isinstance(value, dict):
        raise CorruptFileError(
            f"{path} must hold a JSON object, not {type(value).__name__}; repair or remove the file"
        )
    return value


def create_bytes(path: Path, data: bytes) -> bool:
    """Write `data` to `path` unless the file exists; return whether this call created it."""
    with beside(path, is_linked=True) as (new, handle):
        write_all(handle, data)
        os.fsync(handle)
        try:
            os.link(new, path)  # unlike a rename, a link never replaces a file
        except FileExistsError:
            return False
        except OSError:
            new.replace(path)  # a file system without hard links
    return True


def copy_file(source: Path, target: Path) -> None:
    """Copy a file that the user names so that `target` appears at once and survives a power loss; see `share_alike`."""
    with source.open("rb") as origin, beside(target) as (new, handle):
        _copy(origin, handle)
        new.replace(target)


def copy_new(source: Path, target: Path) -> None:
    """Copy a file to a new one, in a folder that nobody reads yet, so that it survives a power loss."""
    with source.open("rb") as origin, writing(target), target.open("xb") as copy:
        _copy(origin, copy.fileno())


def share_alike(origin: os.stat_result, target: Path | int) -> None:
    """Let a copy be read, and executed, by no more people than its origin; where modes exist."""
    new = os.stat(target)  # noqa: PTH116 - here and below, of a descriptor too
    # what the user's umask lets others have; a new file is never executable, so that is taken from reading
    allowed = new.st_mode | (new.st_mode & 0o444) >> 2
    mode = origin.st_mode & allowed & 0o777
    with contextlib.suppress(OSError):
        if origin.st_gid != new.st_gid:
            try:
                os.chown(target, -1, origin.st_gid)
            except OSError:
                mode &= (mode & 0o007) << 3 | 0o707  # another group gets what everybody gets
        os.chmod(target, mode | (0o700 if stat.S_ISDIR(new.st_mode) else 0o400))  # noqa: PTH101


def _copy(origin: IO[bytes], handle: int) -> None:
    import shutil  # here and below: most processes that log neither copy nor hash, and the imports take milliseconds

    share_alike(os.fstat(origin.fileno()), handle)  # first: the copy must not be readable for a moment either
    with open(handle, "wb", closefd=False) as copy:
        shutil.copyfileobj(origin, copy, 1 << 20)
    os.fsync(handle)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    import hashlib

    with regular.open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Make the content of a file survive a power loss. Ignore a missing file."""
    with writing(path), contextlib.suppress(FileNotFoundError):
        _sync(regular.open_handle(path))


def sync_dir(path: Path) -> None:
    """Make the names in a folder survive a power loss, where the system can."""
    with contextlib.suppress(OSError):
        _sync(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def _sync(handle: int) -> None:
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def temporary_path(path: Path) -> Path:
    """Return a new hidden path beside `path` for a temporary file or folder."""
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")


def is_temporary(path: Path) -> bool:
    """Return whether a path has the name of a temporary file or folder."""
    return _TEMPORARY.fullmatch(path.name) is not None


@contextlib.contextmanager
def beside(path: Path, *, is_linked: bool = False) -> Iterator[tuple[Path, int]]:
    """Open a temporary file beside `path`, to be filled and renamed by the block; remove it when the block raises.

    With `is_linked` the block gives the file its other name by a link, so the temporary name is always removed.
    """
    new = temporary_path(path)
    with writing(path):
        handle, is_left = -1, True
        try:  # from before the file exists: Ctrl-C may come at any moment
            handle = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            yield new, handle
            is_left = is_linked
        finally:
            if handle >= 0:
                os.close(handle)
            if is_left:
                with contextlib.suppress(FileNotFoundError if handle >= 0 else OSError):
                    new.unlink()


def writing(path: Path) -> contextlib.AbstractContextManager[None]:
    """Raise StoreUnwritableError, which names `path`, for any OSError of the block."""
    return _Writing(path)


class _Writing:
    # a class, as a generator would cost more than most of what it surrounds
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, TrackingError):
            raise unwritable(self._path, error) from error


def unwritable(path: Path, error: OSError) -> StoreUnwritableError:
    """Return the error to raise when the system refuses to write `path`."""
    return StoreUnwritableError(
        f"cannot write {path}: {error.strerror or error}; choose a store that can be written or free some space"
    )


@contextlib.contextmanager
def filling(path: Path) -> Iterator[tuple[Path, int]]:
    """Open a temporary file to be filled, which replaces `path` at once when the block ends; nothing when it raises.

    A link stays a link, and its target is replaced. A device or pipe is written to after the block.
    """
    if path.exists() and not path.is_file():
        import shutil
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
