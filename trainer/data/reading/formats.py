"""What a data file is, by its name, and its bytes without their compression.

Imports nothing slow: the check of a config asks it about every file.
"""

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from trainer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

EMPTY = "the file is empty; a header line and rows are needed"
HEAD = 1 << 20  # bytes from which the dialect of a text is found
_SHOWN = 5  # members of an archive named in a message


class Format(StrEnum):
    """What the bytes of a table file are, once decompressed."""

    TEXT = "delimited text"
    PARQUET = "Parquet"
    ARROW = "Arrow"
    EXCEL = "Excel"


SUFFIXES = {
    **dict.fromkeys((".csv", ".tsv", ".txt", ".data", ".tab", ".dat", ".test"), Format.TEXT),
    **dict.fromkeys((".parquet", ".pq"), Format.PARQUET),
    **dict.fromkeys((".feather", ".arrow", ".ipc"), Format.ARROW),
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".ods"), Format.EXCEL),
}
ALLOWED = (
    ".csv, .tsv, .txt, .data, .parquet, .feather, .arrow and .xlsx, also with .gz, .bz2, .xz, .zst or .zip"
)


def _zstd(path: Path) -> IO[bytes]:
    import pyarrow

    return cast(IO[bytes], pyarrow.input_stream(str(path), compression="zstd"))


_COMPRESSED: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _zstd,
}


def problem(path: Path) -> str | None:
    """Return why a path is no table file that can be read, or None."""
    if path.is_dir():
        return f"{path.absolute()} is a folder; give the path of a file in it"
    if not path.is_file():
        return no_file(path, "give the path of a .csv, .tsv or .parquet file")
    if not path.stat().st_size:
        return EMPTY
    try:
        format_of(path)
    except DataError as error:
        return str(error)
    return None


def no_file(path: Path, advice: str) -> str:
    """Return the message for a file that does not exist."""
    return f"there is no file {path.absolute()}; {advice}"


def format_of(path: Path) -> Format:
    """Return the format that the name of a file says; raise DataError for an unknown one."""
    suffixes = [each.lower() for each in path.suffixes]
    if suffixes and suffixes[-1] == ".zip":
        suffixes = [Path(_member(path)).suffix.lower()]
    elif suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    if not suffixes or suffixes[-1] not in SUFFIXES:
        raise DataError(f"the suffix {(suffixes or [''])[-1]!r} is not known; allowed are {ALLOWED}")
    return SUFFIXES[suffixes[-1]]


def is_tabbed(path: Path) -> bool:
    """Whether the name of a file says that tabs separate its columns."""
    return bool({".tsv", ".tab"} & {each.lower() for each in path.suffixes})


@contextmanager
def opened(path: Path) -> "Iterator[IO[bytes]]":
    """Open a file for its bytes without compression; raise DataError when they are damaged."""
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive, archive.open(_member(path)) as member:
                yield member
        else:
            with _COMPRESSED.get(path.suffix.lower(), _plain)(path) as file:
                yield file
    except (OSError, EOFError, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise DataError(f"data file {str(path)!r} cannot be read: {error}") from None


def head(path: Path) -> bytes:
    """Return the first bytes of a file, decompressed."""
    with opened(path) as file:
        return file.read(HEAD)


def _plain(path: Path) -> IO[bytes]:
    return path.open("rb")


def _member(path: Path) -> str:
    """Return the one table in a zip file, beside what file managers add to it; raise DataError for several."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [each.filename for each in archive.infolist() if each.file_size]
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"the zip file cannot be read: {error}") from None
    real = [
        name for name in names if not name.startswith("__MACOSX/") and not Path(name).name.startswith(".")
    ]
    if len(real) != 1:
        listed = ", ".join(real[:_SHOWN]) + (", ..." if len(real) > _SHOWN else "")
        raise DataError(
            f"the zip file holds {len(real)} files{f' ({listed})' if real else ''}, where one table is needed; "
            "unpack it and give the path of one"
        )
    return real[0]
