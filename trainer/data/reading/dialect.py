"""How a text file writes a table: separator, encoding, header, found in its first bytes unless they are given.

Imports nothing slow: the check of a config reads headers with it.
"""

import codecs
import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from trainer.data.reading.header import numbered, unique
from trainer.errors import DataError

MISSING = frozenset(
    ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
     "NA", "NULL", "NaN", "NaT", "None", "n/a", "nan", "null")
)  # fmt: skip # the marks of pandas.read_csv
NOT_UTF8 = "name its encoding, for example data.encoding=latin-1 or data.encoding=utf-16"
_SEPARATORS = ",;\t|"
_LINES = 200  # rows looked at
_PLAIN = re.compile(r"\(?[-+]?\s*[$€£]?\s*(\d[\d.,' ]*|\.\d+)(e[-+]?\d+)?\s*[%€]?\)?", re.IGNORECASE)
_TIME = re.compile(r"\d{1,4}[-/.:]\d{1,2}[-/.:]\d{1,4}([ T].*)?|\d{1,2}:\d\d")


@dataclass(frozen=True)
class Dialect:
    """How a text file writes a table."""

    separator: str = ","
    encoding: str = "utf-8"
    header: bool = True
    skip: int = 0  # lines before the header
    blanks: bool = False  # the separator is followed by blanks and a quote, or is any number of blanks

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return asdict(self)


@dataclass(frozen=True)
class Opening:
    """What the first bytes of a text say: its dialect, the names of its columns, and what a user should be told."""

    dialect: Dialect
    cells: tuple[str, ...]  # of the header as written; none without a header
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    is_empty: bool = False  # no row follows the header


def find(
    sample: bytes,
    *,
    separator: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    names: Sequence[str] | None = None,
    tabbed: bool = False,
    skip: int = 0,
) -> Opening:
    """Find the dialect of a text from its first bytes; what is given is not looked for.

    Raise DataError for bytes that are no text, and for names that are not as many as the columns.
    """
    encoding, notes = _encoding(sample) if encoding is None else (_known(encoding), [])
    text = _decoded(sample, encoding)
    lines = text.splitlines(keepends=True)
    if len(sample) >= 1 << 20 and len(lines) > 1:
        lines.pop()  # the sample may end within it
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        notes.append(
            f"the file holds NUL bytes, first in line {line}, which are part of its values: it may be damaged"
        )
    blank = next((count for count, line in enumerate(lines) if count >= skip and line.strip()), len(lines))
    lines = lines[blank:]
    if not lines:
        raise DataError("the file is empty; a header line and rows are needed")
    if not re.sub(r"\s", "", lines[0]).isprintable():
        raise DataError("the file is no text: its first line holds control characters")
    mark = ("\t" if separator == "\\t" else separator) or _separator(lines, tabbed)
    spaced = any(f'{mark} "' in line for line in lines[:_LINES]) if mark != " " else _has_runs(lines)
    rows = list(rows_of(lines, mark))
    if header is None:
        header = has_header(rows[0], rows[1:])
        if not header and names is None:
            shown = ", ".join(rows[0][:3]) + (", ..." if len(rows[0]) > 3 else "")
            notes.append(
                f"no header line is found: the first line reads as values ({shown}), so the columns are column_1 to "
                f"column_{len(rows[0])}; name them with data.names=[...], or set data.header=true if it is a header"
            )
    dialect = Dialect(mark, encoding, header, blank, spaced)
    body = rows[1:] if header else rows
    cells = _fitted(rows[0], body) if header else ()
    columns = unique(cells) if header else numbered(len(rows[0]))
    if names is not None:
        if len(names) != len(columns):
            raise DataError(f"data.names holds {len(names)} names, but the file has {len(columns)} columns")
        columns = unique(names)
    return Opening(dialect, tuple(cells), columns, tuple(notes), is_empty=not body)


def rows_of(lines: Sequence[str], separator: str) -> Iterator[list[str]]:
    """Yield the first rows of a text as cells."""
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    try:
        yield from itertools.islice((row for row in reader if row), _LINES)
    except csv.Error as error:
        raise DataError(f"its first lines cannot be read: {error}") from None


def has_header(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether the first row holds names rather than values.

    A text above a column of numbers is a name. A number there is a value, unless the whole row counts up. A text that
    occurs in its own column is a value, one that does not is a name, if the column repeats its values.
    """
    cells = [cell.strip() for cell in first]
    if not body or not any(cells) or _counts_up(cells):
        return True
    for_names = for_values = 0
    for position, cell in enumerate(cells):
        column = [row[position].strip() for row in body if position < len(row)]
        present = [value for value in column if value not in MISSING and value != "?"]
        if not present or cell in MISSING or cell == "?":
            continue
        if all(map(_is_value, present)):
            if not _is_value(cell):
                return True
            for_values += 1
        elif cell in present:
            for_values += 1
        elif len(set(present)) <= len(present) / 2:
            for_names += 1
    return for_names >= for_values


def with_blanks_cut(text: bytes, separator: str) -> bytes:
    """Return text of a dialect with `blanks` as other parsers read it: one separator, a quote right after it."""
    if separator == " ":
        return re.sub(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)", b"", re.sub(rb"[ \t]+", b" ", text))
    mark = re.escape(separator.encode())
    return re.sub(mark + rb'[ ]+"', separator.encode() + b'"', text)


def _is_value(cell: str) -> bool:
    return bool(_PLAIN.fullmatch(cell) or _TIME.fullmatch(cell))


def _counts_up(cells: Sequence[str]) -> bool:
    if len(cells) < 3 or not all(cell.isascii() and cell.isdecimal() for cell in cells):
        return False
    return all(int(b) == int(a) + 1 for a, b in itertools.pairwise(cells))


def _fitted(cells: list[str], body: Sequence[Sequence[str]]) -> list[str]:
    """Return the header with a cell for each column: every row may end in a separator, or begin with its number."""
    widths = Counter(map(len, body)).most_common(1)
    if not widths or widths[0][0] != len(cells) + 1:
        return cells
    ends_empty = all(not row[-1].strip() for row in body if len(row) == widths[0][0])
    return [*cells, ""] if ends_empty else ["", *cells]


def _separator(lines: Sequence[str], tabbed: bool) -> str:
    """Return the separator that splits most lines into as many cells as the first."""
    best, chosen = (False, 0.0, 0), "\t" if tabbed else ","
    order = ["\t", *_SEPARATORS.replace("\t", "")] if tabbed else [*_SEPARATORS]
    for each in [*order, " "]:
        if each == " " and best[2]:
            continue  # blanks separate words, too
        plain = [re.sub(r"[ \t]+", " ", line).strip() for line in lines[:_LINES]] if each == " " else lines
        try:
            rows = list(rows_of(plain, each))
        except DataError:
            continue
        counts = Counter(map(len, rows[1:] or rows))
        usual, times = counts.most_common(1)[0]
        share = times / len(rows[1:] or rows)
        first = len(rows[0])
        if first < 2 or first not in (usual, usual - 1) or (each == " " and share < 1):
            continue
        if (first == usual, share, usual) > best:
            best, chosen = (first == usual, share, usual), each
    return chosen


def _has_runs(lines: Sequence[str]) -> bool:
    return any(
        "  " in line or "\t" in line or line[:1] == " " or line.rstrip("\r\n")[-1:] == " " for line in lines
    )


def _known(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        if not getattr(codecs.lookup(encoding), "_is_text_encoding", True):
            raise LookupError
    except (LookupError, ValueError):
        raise DataError(
            f"data.encoding={encoding}: there is no such encoding; usual ones are utf-8, latin-1 and utf-16"
        ) from None
    return "utf-8" if name in ("utf-8", "utf-8-sig") else encoding


def _encoding(sample: bytes) -> tuple[str, list[str]]:
    if sample[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and b"\0" in sample[:64]:
        return "utf-16", []
    if sample[1:64:2].count(0) > 16 and not sample[0:64:2].count(0):
        return "utf-16-le", []
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError as error:
        byte = sample[error.start]
        try:
            sample.decode("cp1252")
        except UnicodeDecodeError:
            raise DataError(f"is not utf-8: it holds the byte 0x{byte:02x}; {NOT_UTF8}") from None
        return "cp1252", [
            f"the file is not utf-8 (it holds the byte 0x{byte:02x}); it is read as cp1252, the encoding of Windows "
            "in Western Europe; name another with data.encoding"
        ]
    return "utf-8", []


def _decoded(sample: bytes, encoding: str) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample).removeprefix("\ufeff")
    except UnicodeError as error:
        at = getattr(error, "start", 0)
        raise DataError(f"is not {encoding}: it holds the byte 0x{sample[at]:02x}; {NOT_UTF8}") from None


def from_json(value: dict[str, Any]) -> Dialect:
    """Return the dialect that `to_json` wrote."""
    return replace(Dialect(), **value)
