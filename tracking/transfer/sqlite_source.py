"""SQLite files of other programs, opened so that nothing is written, neither into them nor beside them."""

from pathlib import Path
from typing import TYPE_CHECKING

from tracking.files import regular

if TYPE_CHECKING:
    import sqlite3

HEADER = b"SQLite format 3\0"
_VERSIONS, _WAL = slice(18, 20), b"\2\2"  # of the header: what writes and what reads the file


def is_database(path: Path) -> bool:
    """Return whether a file begins as a SQLite database does."""
    with regular.open_file(path) as file:
        return file.read(len(HEADER)) == HEADER


def opened(path: Path) -> "sqlite3.Connection":
    """Open a database so that SQLite writes nothing.

    One in WAL mode would get files beside it by being read. It is told to be immutable where no `-wal` lies there, as
    then no program has it open; where one does, a `-shm` may appear.
    """
    import sqlite3  # few imports are from a database

    with regular.open_file(path) as file:
        is_wal = file.read(20)[_VERSIONS] == _WAL
    is_still = is_wal and not regular.exists(path.with_name(f"{path.name}-wal"))
    address = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if is_still else ''}"
    return sqlite3.connect(address, uri=True)
