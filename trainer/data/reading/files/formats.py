"""What a data file is, by its name or, where that says nothing, by its bytes; and its bytes without their compression.

Whether bytes are compressed they say themselves, in a file and in a member of an archive; names may be wrong or absent.
Imports nothing slow: the check of a config asks it about every file.
"""

import bz2
import gzip
import io
import itertools
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from trainer.data.reading.files import signatures
from trainer.data.reading.header import TRAINING
from trainer.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

EMPTY = "the file is empty; a header line and rows are needed"
HEAD = 1 << 20  # bytes from which the dialect of a text is found
_SHOWN = 5  # members of an archive named in a message
_DOCUMENTS = re.compile(  # texts that come with a table
    r"(?i)(?:.*[\W_])?(?:read[\W_]?me|licen[cs]e|copying|notice|change[\W_]?log|about|citation|description|notes?|terms)(?:[\W_].*)?\.txt"
)
_LOOKED_AT = 1000  # files of a folder among which the one that was meant may be


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
_OF_BYTES = {
    signatures.PARQUET: Format.PARQUET,
    signatures.ARROW: Format.ARROW,
    signatures.WORKBOOK: Format.EXCEL,
    signatures.OLD_WORKBOOK: Format.EXCEL,
}
ALLOWED = (
    ".csv, .tsv, .txt, .data, .parquet, .feather, .arrow or .xlsx, also with .gz, .bz2, .xz, .zst or .zip"
)


def _zstd(file: IO[bytes]) -> IO[bytes]:
    import pyarrow as pa

    return cast(IO[bytes], pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd"))


_COMPRESSED: dict[str, Callable[[IO[bytes]], Any]] = {
    signatures.GZIP: gzip.open,
    signatures.BZIP2: bz2.open,
    signatures.XZ: lzma.open,
    signatures.ZSTD: _zstd,
}
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")  # say nothing of the table
_DEEPEST = 3  # times that bytes may be compressed; some archives hold themselves
_IN_OFFICE = {"[Content_Types].xml", "mimetype"}  # a workbook is an archive, too
_IN_WORKBOOK = {"xl/workbook.xml", "xl/workbook.bin", "mimetype"}


def problem(path: Path, member: str | None = None, *, keys: str = TRAINING) -> str | None:
    """Return why a path is no table file that can be read, or None."""
    if path.is_dir():
        return f"{path.absolute()} is a folder; give the path of a file in it"
    if not path.is_file():
        return no_file(path, f"give the path of a {ALLOWED}")
    if not path.stat().st_size:
        return EMPTY
    try:
        format_of(path, member, keys=keys)
    except DataError as error:
        return str(error).removeprefix(f"data file {str(path)!r} ")
    return None


def no_file(path: Path, advice: str) -> str:
    """Return the message for a file that does not exist, with one of its folder that may be meant."""
    near = ""
    if path.parent.is_dir():
        beside = [each.name for each in itertools.islice(path.parent.iterdir(), _LOOKED_AT)]
        near = did_you_mean(path.name, beside)
    return f"there is no file {path.absolute()}{near}; {advice}"


def format_of(path: Path, member: str | None = None, *, keys: str = TRAINING) -> Format:
    """Return the format that the name of a file says, else its first bytes; raise DataError if they say another one."""
    archived = is_archive(path)
    if member is not None and not archived:
        raise DataError(f"{keys}member={member}: only a zip archive has members")
    named = Path(member_of(path, member, keys=keys)) if archived else path
    place = f"{str(named)!r} in the zip file" if archived else "the file"
    suffix = _plain(named).suffix
    by_name = SUFFIXES.get(suffix.lower())
    if by_name is Format.TEXT:
        return by_name  # its bytes are looked at when its dialect is
    with opened(path, member) as file:
        start = file.read(signatures.START)
        if by_name is None and signatures.compression(start) == signatures.ZIP:
            inner = _names(io.BytesIO(start + file.read()))
            if not inner & _IN_OFFICE:
                raise DataError(f"{place} is a zip archive that is packed once more; unpack it")
            if not inner & _IN_WORKBOOK:
                raise DataError(f"{place} is no table: it is an office document; export its table as CSV")
    what = signatures.found(start)
    by_bytes = None if what is None else _OF_BYTES.get(what.what)
    if by_name is not None and (by_bytes is by_name or (what is None and not signatures.is_text(start))):
        return by_name  # a stream of Arrow has no mark
    if by_name is None and what is None:
        return Format.TEXT
    is_sure = what is not None and what.what != signatures.OLD_WORKBOOK  # or an old text document
    if by_name is None and by_bytes is not None and is_sure:
        return by_bytes
    if by_name is None:
        raise DataError(f"{place} is no table: it is {what}")
    raise DataError(f"{place} is named {suffix}, but it is {what or 'text; name it .csv'}")


def is_tabbed(path: Path, member: str | None = None) -> bool:
    """Whether the name of a file says that tabs separate its columns."""
    name = Path(member_of(path, member)) if is_archive(path) else path
    return bool({".tsv", ".tab"} & {each.lower() for each in name.suffixes})


@contextmanager
def opened(path: Path, member: str | None = None) -> "Iterator[IO[bytes]]":
    """Open a file for its bytes without compression; raise DataError when they are damaged."""
    try:
        with ExitStack() as stack:
            if is_archive(path):
                archive = stack.enter_context(zipfile.ZipFile(path))
                file: IO[bytes] = stack.enter_context(archive.open(member_of(path, member)))
            else:
                file = stack.enter_context(path.open("rb"))
            for _ in range(_DEEPEST):
                opener = _COMPRESSED.get(kind := _kind(file) or "")
                file = file if opener is None else stack.enter_context(opener(file))
                if opener is None or kind == signatures.ZSTD:  # which cannot go back to its start
                    break
            yield file
    except (OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        # RuntimeError: a member of an archive that is encrypted
        raise DataError(f"data file {str(path)!r} cannot be read: {error}") from None


def compression(path: Path) -> str | None:
    """Return how the bytes of a file are compressed, one of `signatures`; None for plain ones, and for a workbook."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            kind = _kind(file)
            is_plain = kind == signatures.ZIP and bool(_names(file) & _IN_OFFICE)
    except OSError:  # the one who opens it says so
        return None
    except zipfile.BadZipFile:
        is_plain = SUFFIXES.get(path.suffix.lower()) is Format.EXCEL
    return None if is_plain else kind


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive, and no workbook."""
    return compression(path) == signatures.ZIP


def plain_size(path: Path) -> int | None:
    """Return the size of a file that is not compressed, else None."""
    return path.stat().st_size if compression(path) is None else None


def head(path: Path, member: str | None = None) -> bytes:
    """Return the first bytes of a file, decompressed; raise DataError for those of something that is no text."""
    with opened(path, member) as file:
        sample = file.read(HEAD)
    if what := signatures.found(sample):
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
    try:
        return is_archive(path) and any(name in (each, Path(each).name) for each in members(path))
    except DataError:  # the one who reads it says so
        return False


def member_of(path: Path, wanted: str | None = None, *, keys: str = TRAINING) -> str:
    """Return the wanted table in a zip archive, or the only one; raise DataError for several."""
    real = members(path)
    listed = ", ".join(real[:_SHOWN]) + (", ..." if len(real) > _SHOWN else "")
    if wanted is not None:
        found = [each for each in real if wanted in (each, Path(each).name)]
        if len(found) != 1:
            near = did_you_mean(wanted, real, repr)
            raise DataError(
                f"{keys}member={wanted}: the zip file has no such file{near}; it holds {listed or 'none'}"
            )
        return found[0]
    tables = [each for each in real if _plain(Path(each)).suffix.lower() in SUFFIXES]
    tables = [each for each in tables if not _DOCUMENTS.fullmatch(Path(each).name)] or tables
    if len(real) == 1 or len(tables) == 1:
        return (tables or real)[0]
    raise DataError(
        f"the zip file holds {len(real)} files{f' ({listed})' if real else ''}, where one table is needed"
        + (f"; name one in {keys}member" if real else "")
    )


def _plain(path: Path) -> Path:
    """Return a name without those that say that a file is compressed."""
    while path.suffix.lower() in _PACKED:
        path = path.with_suffix("")
    return path


def _kind(file: IO[bytes]) -> str | None:
    start = file.read(signatures.LONGEST)
    file.seek(0)
    return signatures.compression(start)


def _names(file: IO[bytes]) -> set[str]:
    with zipfile.ZipFile(file) as archive:
        return {*archive.namelist()}
