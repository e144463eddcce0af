"""The cache of tables that are larger than memory: a folder per entry, whole or not there at all.

An entry is made below another name and renamed, while a lock keeps others that want the same one waiting. Old entries are
removed once all of them are larger than a limit. A file without a name holds what is needed for a moment.
"""

import contextlib
import errno
import hashlib
import itertools
import json
import logging
import mmap
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tracking.files import try_lock, write_bytes
from trainer.errors import DataError

logger = logging.getLogger(__name__)
_maps: "weakref.WeakSet[mmap.mmap]" = weakref.WeakSet()
_touched = 0
Array = np.ndarray[Any, Any]

TOUCHED = (
    256 << 20
)  # bytes of mapped files that count as this process's memory, about, before it lets go of them
_RANGE = 64 << 20  # bytes of a file from which rows are taken before others are
LIMIT = "PODIUM_CACHE_GIB"  # the variable that sets the size of all entries together
_LIMIT_GIB = 50.0
_META = "entry.json"  # written last
_TEMPORARY = ".part"
_WAIT_S = 0.2


def folder() -> Path:
    """Return the folder of all entries, in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    try:
        cache = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        cache = Path(tempfile.gettempdir())
    return cache / "podium" / "tables"


def entry(key: Any, make: Callable[[Path], dict[str, Any]], *, needed: int) -> tuple[Path, dict[str, Any]]:
    """Return the folder of an entry, and what `make` returned when it filled the folder, now or in an earlier process.

    `key` is plain data that determines the content, `needed` the bytes it may take. Raise DataError when the disk is full
    or the folder cannot be written.
    """
    place = _place(key)
    with writing():
        place.parent.mkdir(parents=True, exist_ok=True)
        if (found := _read(place)) is not None:
            return place, found
        with _locked(place):
            if (found := _read(place)) is not None:
                return place, found
            made = _filled(place, make, needed)
        _evict(keep=place)
    return place, made


def found(key: Any) -> tuple[Path, dict[str, Any]] | None:
    """Return the folder of an entry and what its `make` returned; None where there is none, or none can be read."""
    place = _place(key)
    try:
        known = _read(place)
    except OSError:
        return None
    return None if known is None else (place, known)


def offer(key: Any, make: Callable[[Path], dict[str, Any]], *, needed: int) -> bool:
    """Make an entry that nobody waits for; return False where another process makes it, or it cannot be written."""
    place = _place(key)
    path = place.with_suffix(".lock")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not try_lock(handle, path):
                return False
            if _read(place) is None:
                _filled(place, make, needed)
        finally:
            os.close(handle)
        _evict(keep=place)
    except (OSError, DataError) as error:
        logger.debug("%s cannot be written: %s", place, error)
        return False
    return True


def _place(key: Any) -> Path:
    """Return the folder of an entry."""
    return folder() / hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _filled(place: Path, make: Callable[[Path], dict[str, Any]], needed: int) -> dict[str, Any]:
    """Make an entry, whose lock is held."""
    _make_room(needed)
    part = place.with_suffix(_TEMPORARY)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        made = make(part)
        write_bytes(part / _META, json.dumps(made).encode())
        shutil.rmtree(place, ignore_errors=True)
        part.rename(place)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return made


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Turn a failure to write into the cache into a DataError that says what to do."""
    try:
        yield
    except OSError as error:
        advice = "set XDG_CACHE_HOME to a folder with room, or data.cache=never to keep the table in memory"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(f"the disk of {folder()} is full; free some of it, {advice}") from None
        raise DataError(f"{folder()} cannot be written: {error.strerror or error}; {advice}") from None


def scratch(count: int, dtype: Any) -> Array:
    """Return an array in a file without a name, which is gone with the array."""
    with writing():
        folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder()) as file:
            size = count * np.dtype(dtype).itemsize
            if not size:
                return np.empty(0, dtype)
            os.posix_fallocate(
                file.fileno(), 0, size
            )  # a full disk is an error here; later it ends the process
            return _known(np.memmap(file, dtype, "r+", shape=(count,)))


def mapped(path: Path, dtype: Any, shape: tuple[int, ...] | None = None, *, writable: bool = False) -> Array:
    """Return a file as an array; what is written to it is not written to the file."""
    if not path.stat().st_size:
        return np.empty(shape or (0,), dtype)
    return _known(np.memmap(path, dtype, "c" if writable else "r", shape=shape))


def touch(size: int) -> None:
    """Count bytes of mapped files that are about to be read; after many, let go of the pages that were read before.

    They stay in the system's cache, from where they come back at once. Until then they would count as memory of the one
    process that has them mapped.
    """
    global _touched
    _touched += size
    if _touched > TOUCHED:
        _touched = size
        for each in [*_maps]:
            each.madvise(mmap.MADV_DONTNEED)


def taken(base: Array, rows: Array) -> Array:
    """Return some rows of a mapped array, in any order; at no time are more pages mapped than `touch` allows.

    The system maps the pages around a row, too, so rows that lie apart cost what all between them would.
    """
    if len(rows) < 2:
        return np.asarray(base[rows])
    order = None if (rows[1:] >= rows[:-1]).all() else np.argsort(rows)
    ascending = rows if order is None else rows[order]
    size = max(base.nbytes // max(len(base), 1), 1)
    edges = np.arange(ascending[0], ascending[-1] + 1, max(_RANGE // size, 1))
    starts = [*np.searchsorted(ascending, edges).tolist(), len(rows)]
    found = np.empty((len(rows), *base.shape[1:]), base.dtype)
    for start, stop in itertools.pairwise(starts):
        if start < stop:
            touch(int(ascending[stop - 1] - ascending[start] + 1) * size)
            part = base[ascending[start:stop]]
            found[slice(start, stop) if order is None else order[start:stop]] = part
    return found


def _known(found: Any) -> Array:
    _maps.add(found._mmap)
    return np.asarray(found)


def limit() -> float:
    """Return how many bytes all entries together may have; raise DataError for a limit that is no number."""
    given = os.environ.get(LIMIT)
    try:
        gib = _LIMIT_GIB if given is None else float(given)
    except ValueError:
        gib = -1.0
    if not gib >= 0:
        raise DataError(f"{LIMIT}={given}: allowed is a number of GiB, such as 20")
    return gib * 2**30


def _read(place: Path) -> dict[str, Any] | None:
    """Return what is known of an entry, or None where there is none; mark it as used."""
    try:
        found: dict[str, Any] = json.loads((place / _META).read_bytes())
        os.utime(place)
    except (FileNotFoundError, ValueError):
        return None
    return found


@contextlib.contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Hold the lock of an entry; a process that is killed lets go of it."""
    path = place.with_suffix(".lock")
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        if not try_lock(handle, path):
            logger.info("another job is reading the same table; waiting for it")
            while not try_lock(handle, path):
                time.sleep(_WAIT_S)
        yield
    finally:
        os.close(handle)


def _make_room(needed: int) -> None:
    """Remove old entries, and refuse to begin what the disk cannot hold."""
    _evict(room=needed)
    free = shutil.disk_usage(folder()).free
    if free < needed:
        logger.info("%s: %.1f GB may be needed, %.1f GB are free", folder(), needed / 1e9, free / 1e9)
        _evict(room=float("inf"))
        if shutil.disk_usage(folder()).free < needed / 2:
            raise OSError(errno.ENOSPC, "no space")


def _evict(*, keep: Path | None = None, room: float = 0) -> None:
    """Remove what killed processes left, and the entries that were not used for longest, until all are below the limit."""
    found = []
    for place in folder().iterdir():
        if place.suffix == _TEMPORARY:
            _remove_left(place)
        elif place.is_dir() and place != keep:
            with contextlib.suppress(OSError):
                found.append((place.stat().st_mtime, _size(place), place))
    total = room + (_size(keep) if keep else 0) + sum(size for _, size, _ in found)
    for _, size, place in sorted(found):
        if total <= limit():
            break
        shutil.rmtree(place, ignore_errors=True)  # who has it mapped keeps it
        total -= size


def _remove_left(part: Path) -> None:
    path = part.with_suffix(".lock")
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if try_lock(handle, path):
                shutil.rmtree(part, ignore_errors=True)
        finally:
            os.close(handle)


def _size(place: Path) -> int:
    return sum(each.stat().st_size for each in place.iterdir())
