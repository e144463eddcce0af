"""The SQLite database of an index: where it lies, its tables, how it is opened, and which errors mean that it is spoiled.

It lies in the user's cache folder, below the store's path, else in memory. Readers write nothing into a store, so one
on a read-only or network mount is indexed like any other. Each host has a file of its own: homes are shared, and
SQLite's locks are reliable only within one host.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tracking.errors import StoreUnwritableError
from tracking.files import folders
from tracking.paths import StorePaths
from tracking.process import identity

if TYPE_CHECKING:  # sqlite3 is loaded only for queries
    import sqlite3

Item = TypeVar("Item")

MEMORY = Path(":memory:")

VERSION = 1  # of the tables; part of the file's name, so that two versions of podium do not rebuild one file in turns
CACHE_BYTES = 64 << 20  # of a file that a connection keeps in memory
BUSY_S = 60.0  # how long to wait for another process that builds the index
_SPOILED = {1, 11, 26}  # SQLITE_ERROR (other tables than ours), SQLITE_CORRUPT, SQLITE_NOTADB

TABLES = """
CREATE TABLE state(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
-- one row per folder; `place` sorts as run ids do; `watched` is checked at every refresh
CREATE TABLE runs(
  id INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, place BLOB NOT NULL, experiment INTEGER, status TEXT,
  created_at, finished_at, is_run INTEGER NOT NULL, is_foreign INTEGER NOT NULL, fault INTEGER NOT NULL,
  watched INTEGER NOT NULL, stamp BLOB NOT NULL
);
CREATE INDEX runs_watched ON runs(id) WHERE watched;
CREATE INDEX runs_odd ON runs(id) WHERE is_foreign OR fault;
CREATE INDEX runs_listed ON runs(place, experiment) WHERE is_run AND NOT fault;
-- the parts of a record, as JSON
CREATE TABLE documents(run INTEGER PRIMARY KEY, entry TEXT, params TEXT, summary TEXT);
CREATE TABLE names(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name NOT NULL, UNIQUE(kind, name));
-- the key keeps the values of one column together
CREATE TABLE cells(name INTEGER, run INTEGER, value, PRIMARY KEY(name, run)) WITHOUT ROWID;
CREATE TABLE metrics(
  name INTEGER, run INTEGER, experiment INTEGER, last, last_step, min, min_step, max, max_step, count, non_finite,
  PRIMARY KEY(name, run)
) WITHOUT ROWID;
"""


def index_place(paths: StorePaths) -> Path:
    """Return the file of a store's index; MEMORY for a user without a home."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    try:
        cache = Path(home) if os.path.isabs(home) else Path.home() / ".cache"  # noqa: PTH117 - of a text
    except RuntimeError:
        return MEMORY
    base = paths.base.resolve()
    return cache / "podium" / base.relative_to(base.anchor) / f"{identity.host_name()}.{VERSION}.sqlite"


def prepare(place: Path) -> bool:
    """Create the folder of a place; return whether a file can be created or changed there."""
    if place == MEMORY:
        return False
    try:
        folders.make_dir(place.parent)
    except StoreUnwritableError:
        return False
    return os.access(place.parent, os.W_OK) and (not place.exists() or os.access(place, os.W_OK))


def connect(place: Path, cache_bytes: int = CACHE_BYTES) -> "sqlite3.Connection":
    """Open an index and create its tables; raise sqlite3.DatabaseError for a file that holds anything else."""
    import sqlite3

    database = sqlite3.connect(place, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        # writes do not wait for the disk: a file from before the last boot is not trusted. No write-ahead log: it is
        # shared memory, and truncating its file kills every process that maps it
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA temp_store = MEMORY")
        database.execute(f"PRAGMA cache_size = -{cache_bytes >> 10}")
        if _version(database) != VERSION:
            _make_tables(database, _birth(place))
        if database.execute("SELECT value FROM state WHERE key = 'birth'").fetchone() != (_birth(place),):
            raise sqlite3.DatabaseError(f"{place} was written before the last boot, or is a copy")
    except BaseException:
        database.close()
        raise
    return database


def is_spoiled(error: "sqlite3.Error") -> bool:
    """Return whether an error means that the file must be rebuilt; after others it cannot be used at the moment."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in _SPOILED


def remove(place: Path) -> None:
    """Remove an index file and its journal, as far as possible."""
    for suffix in ("", "-journal"):
        with contextlib.suppress(OSError):
            os.unlink(f"{place}{suffix}")  # noqa: PTH108 - a text


def inode(place: Path) -> int:
    """Return a number that tells a file from another one of the same name; 0 without a file."""
    try:
        return 0 if place == MEMORY else place.stat().st_ino
    except OSError:
        return 0


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of up to `size`."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def marks(count: int) -> str:
    """Return the placeholders for `count` values."""
    return ", ".join("?" * count)


def highest_id(database: "sqlite3.Connection") -> int:
    """Return the highest number of a run; 0 without any."""
    return database.execute("SELECT max(id) FROM runs").fetchone()[0] or 0


@contextlib.contextmanager
def writing(database: "sqlite3.Connection") -> Iterator[None]:
    """Hold the write lock of a database, and commit at the end, or undo everything after an error."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _birth(place: Path) -> str:
    """Return what the content of a file depends on: the boot it was written in, and that it is not a copy."""
    return f"{identity.owner()['boot_id']} {inode(place)}"


def _version(database: "sqlite3.Connection") -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _make_tables(database: "sqlite3.Connection", birth: str) -> None:
    import sqlite3

    with writing(database):
        version = _version(database)
        if version == 0:
            for statement in TABLES.split(";\n"):
                database.execute(statement)
            database.execute("INSERT INTO state VALUES ('birth', ?)", (birth,))
            database.execute(f"PRAGMA user_version = {VERSION}")
        elif version != VERSION:  # else another process created them while this one waited
            raise sqlite3.DatabaseError(f"an index of version {version}, not {VERSION}")
