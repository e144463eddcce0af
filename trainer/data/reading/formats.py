"""What a data file is, by its name, and its bytes without their compression.

Imports nothing slow: the check of a config asks it about every file.
"""

import bz2
import gzip
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from trainer.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

EMPTY = "the file is empty; a header line and rows are needed"
HEAD = 1 << 20  # bytes from which the dialect of a text is found
_SHOWN = 5  # members of an archive named in a message
_MARKS = (  # how files begin that are no text
    (b"%PDF", "a PDF; export its table as CSV"),
    (b"PAR1", "Parquet; name it .parquet"),
    (b"ARROW1", "Arrow; name it .arrow"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook; name it .zip or .xlsx"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; name it .xls"),
    (b"\x1f\x8b", "compressed; name it .gz"),
    (b"BZh", "compressed; name it .bz2"),
    (b"\xfd7zXZ", "compressed; name it .xz"),
    (b"\x28\xb5\x2f\xfd", "compressed; name it .zst"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV"),
    (b"\x89HDF", "HDF5; write its table as Parquet"),
    (b"\x93NUMPY", "a numpy array; write it as CSV or Parquet"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
)


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


def problem(path: Path, member: str | None = None) -> str | None:
    """Return why a path is no table file that can be read, or None."""
    if path.is_dir():
        return f"{path.absolute()} is a folder; give the path of a file in it"
    if not path.is_file():
        return no_file(path, "give the path of a .csv, .tsv or .parquet file")
    if not path.stat().st_size:
        return EMPTY
    try:
        format_of(path, member)
    except DataError as error:
        return str(error)
    return None


def no_file(path: Path, advice: str) -> str:
    """Return the message for a file that does not exist."""
    return f"there is no file {path.absolute()}; {advice}"


def format_of(path: Path, member: str | None = None) -> Format:
    """Return the format that the name of a file says; raise DataError for an unknown one."""
    suffixes = [each.lower() for each in path.suffixes]
    if member is not None and suffixes[-1:] != [".zip"]:
        raise DataError(f"data.member={member}: only a zip archive has members")
    if suffixes and suffixes[-1] == ".zip":
        suffixes = [Path(member_of(path, member)).suffix.lower()]
    elif suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    if not suffixes or suffixes[-1] not in SUFFIXES:
        raise DataError(f"the suffix {(suffixes or [''])[-1]!r} is not known; allowed are {ALLOWED}")
    return SUFFIXES[suffixes[-1]]


def is_tabbed(path: Path, member: str | None = None) -> bool:
    """Whether the name of a file says that tabs separate its columns."""
    name = Path(member_of(path, member)) if path.suffix.lower() == ".zip" else path
    return bool({".tsv", ".tab"} & {each.lower() for each in name.suffixes})


@contextmanager
def opened(path: Path, member: str | None = None) -> "Iterator[IO[bytes]]":
    """Open a file for its bytes without compression; raise DataError when they are damaged."""
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive, archive.open(member_of(path, member)) as file:
                yield file
        else:
            with _COMPRESSED.get(path.suffix.lower(), _plain)(path) as file:
                yield file
    except (OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        # RuntimeError: a member of an archive that is encrypted
        raise DataError(f"data file {str(path)!r} cannot be read: {error}") from None


def plain_size(path: Path) -> int | None:
    """Return the size of a file that is not compressed, else None."""
    return None if path.suffix.lower() in (*_COMPRESSED, ".zip") else path.stat().st_size


def head(path: Path, member: str | None = None) -> bytes:
    """Return the first bytes of a file, decompressed; raise DataError for those of something that is no text."""
    with opened(path, member) as file:
        sample = file.read(HEAD)
    if what := _foreign(sample):
        raise DataError(f"the file is no table of text: it is {what}")
    return sample


def members(path: Path) -> list[str]:
    """Return the files in a zip archive, beside what file managers add to it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [each.filename for each in archive.infolist() if each.file_size]
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"the zip file cannot be read: {error}") from None
    return [
        name for name in names if not name.startswith("__MACOSX/") and not Path(name).name.startswith(".")
    ]


def has_member(path: Path, name: str | None) -> bool:
    """Whether a path is a zip archive with a file of this name."""
    if path.suffix.lower() != ".zip" or not path.is_file() or not zipfile.is_zipfile(path):
        return False
    return any(name in (each, Path(each).name) for each in members(path))


def member_of(path: Path, wanted: str | None = None) -> str:
    """Return the wanted table in a zip archive, or the only one; raise DataError for several."""
    real = members(path)
    listed = ", ".join(real[:_SHOWN]) + (", ..." if len(real) > _SHOWN else "")
    if wanted is not None:
        found = [each for each in real if wanted in (each, Path(each).name)]
        if len(found) != 1:
            near = did_you_mean(wanted, real, repr)
            raise DataError(
                f"data.member={wanted}: the zip file has no such file{near}; it holds {listed or 'none'}"
            )
        return found[0]
    tables = [each for each in real if Path(each).suffix.lower() in SUFFIXES]
    if len(real) == 1 or len(tables) == 1:
        return (tables or real)[0]
    raise DataError(
        f"the zip file holds {len(real)} files{f' ({listed})' if real else ''}, where one table is needed"
        + ("; name one in data.member" if real else "")
    )


def _plain(path: Path) -> IO[bytes]:
    return path.open("rb")


def _foreign(sample: bytes) -> str | None:
    """Return what bytes are that are no table of text, and what to do; None for text."""
    for mark, what in _MARKS:
        if sample.startswith(mark):
            return what
    start = sample[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<table")):
        return "HTML or XML; a page that asks for a login is often saved in the place of a file"
    if start[:1] in (b"{", b"[") and re.match(rb'\{\s*("[^"]*"\s*:|\})|\[\s*(\{\s*"|\[|\])', start):
        return "JSON; write it as CSV or Parquet, for example with pandas.read_json(...).to_parquet(...)"
    return None
