"""The database of an index: its tables, how it is opened, and which failures mean that it is spoiled."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tracking.process import identity
from tracking.search.index.places import MEMORY

if TYPE_CHECKING:  # sqlite3 is only loaded by those who read many runs
    import sqlite3

VERSION = 1  # of the tables; part of the file's name, so that two versions of podium do not fight over one
BUSY_S = 60.0  # how long another's first build is waited for
_SPOILED = {1, 11, 26}  # SQLITE_ERROR (other tables than ours), SQLITE_CORRUPT, SQLITE_NOTADB

TABLES = """
CREATE TABLE state(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
-- one row per folder; `place` sorts like run ids do; `watched` is checked at every refresh
CREATE TABLE runs(
  id INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, place BLOB NOT NULL, experiment INTEGER, status TEXT,
  created_at, finished_at, is_run INTEGER NOT NULL, is_foreign INTEGER NOT NULL, fault INTEGER NOT NULL,
  watched INTEGER NOT NULL, stamp BLOB NOT NULL
);
CREATE INDEX runs_watched ON runs(id) WHERE watched;
CREATE INDEX runs_odd ON runs(id) WHERE is_foreign OR fault;
CREATE INDEX runs_listed ON runs(place, experiment) WHERE is_run AND NOT fault;
-- what a record is made of, as JSON
CREATE TABLE documents(run INTEGER PRIMARY KEY, entry TEXT, params TEXT, summary TEXT);
CREATE TABLE names(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name NOT NULL, UNIQUE(kind, name));
-- a column of a table of runs lies together
CREATE TABLE cells(name INTEGER, run INTEGER, value, PRIMARY KEY(name, run)) WITHOUT ROWID;
CREATE TABLE metrics(
  name INTEGER, run INTEGER, experiment INTEGER, last, last_step, min, min_step, max, max_step, count, non_finite,
  PRIMARY KEY(name, run)
) WITHOUT ROWID;
"""


def connect(place: Path) -> "sqlite3.Connection":
    """An open index with its tables; sqlite3.DatabaseError when there is something else."""
    import sqlite3

    database = sqlite3.connect(place, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        # a write costs no wait for the disk; what a power loss may spoil is known by its boot. No write-ahead log:
        # it would be shared memory, and who truncates that file kills every process that maps it
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA temp_store = MEMORY")
        database.execute("PRAGMA cache_size = -65536")
        if _version(database) != VERSION:
            _make_tables(database, _birth(place))
        if database.execute("SELECT value FROM state WHERE key = 'birth'").fetchone() != (_birth(place),):
            raise sqlite3.DatabaseError(f"{place} was written before the last boot, or is a copy")
    except BaseException:
        database.close()
        raise
    return database


def is_spoiled(error: "sqlite3.Error") -> bool:
    """Whether an error means that the file must be made anew; otherwise it cannot be used here and now."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in _SPOILED


def remove(place: Path) -> None:
    """Remove an index file with what SQLite keeps beside it; what cannot be removed stays."""
    for suffix in ("", "-journal"):
        try:
            os.unlink(f"{place}{suffix}")  # noqa: PTH108 - a name that is no file of ours
        except OSError:
            continue


def inode(place: Path) -> int:
    """What tells a file from another one of its name; 0 without one."""
    try:
        return 0 if place == MEMORY else place.stat().st_ino
    except OSError:
        return 0


def _birth(place: Path) -> str:
    """What a file's content can be relied on with: the boot it was written in, and being no copy."""
    return f"{identity.owner()['boot_id']} {inode(place)}"


def _version(database: "sqlite3.Connection") -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _make_tables(database: "sqlite3.Connection", birth: str) -> None:
    import sqlite3

    database.execute("BEGIN IMMEDIATE")
    try:
        version = _version(database)
        if version == 0:
            for statement in TABLES.split(";\n"):
                database.execute(statement)
            database.execute("INSERT INTO state VALUES ('birth', ?)", (birth,))
            database.execute(f"PRAGMA user_version = {VERSION}")
        elif version != VERSION:  # else another process made them while this one waited
            raise sqlite3.DatabaseError(f"an index of version {version}, not {VERSION}")
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
