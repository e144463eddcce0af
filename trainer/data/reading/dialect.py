"""How a text file writes a table: separator, encoding, header, found in its first bytes unless they are given.

Imports nothing slow: the check of a config reads headers with it.
"""

import codecs
import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from trainer.data.reading import first_row
from trainer.data.reading.header import TRAINING, numbered, unique
from trainer.errors import DataError

_SEPARATORS = ",;\t|"
MARKS = {
    "\\t": "\t", "tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " ", "point": ".",
}  # fmt: skip # words for marks that a command line can hardly hold
_LINES = 200  # rows looked at
_MOST_BEFORE = 20  # rows before a header that are found
_TOLD = 40  # letters of a line named in a message
_SEPARATOR_LINE = re.compile(
    r'"?sep=([^\w\s"]|\t)"?[ ]*\r?\n?', re.IGNORECASE
)  # as Excel writes and reads it


@dataclass(frozen=True)
class Dialect:
    """How a text file writes a table."""

    separator: str = ","
    encoding: str = "utf-8"
    header: bool = True
    skip: int = 0  # lines before the header
    blanks: bool = False  # the separator is followed by blanks and a quote, or is any number of blanks
    named: bool = False  # the names of the columns were given, and are not those in the file
    units: bool = False  # the line after the header holds units, and is no row

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
    left_out: str = ""  # of the notes, that lines before the header are left out


def find(
    sample: bytes,
    *,
    separator: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    names: Sequence[str] | None = None,
    tabbed: bool = False,
    skip: int | None = None,
    otherwise: str | None = None,
    keys: str = TRAINING,
) -> Opening:
    """Find the dialect of a text from its first bytes; what is given is not looked for.

    `otherwise` is the encoding of bytes that are no UTF, `keys` stands before the names of keys in messages. Raise DataError
    for bytes that are no text, and for names that are not as many as the columns.
    """
    notes: list[str] = []
    before: list[str] = []
    if encoding is None:
        encoding, notes = _encoding(sample, otherwise, keys)
    else:
        encoding = _known(encoding, keys)
    text = _decoded(sample, encoding, keys)
    lines = lines_of(text)
    if len(sample) >= 1 << 20 and len(lines) > 1:
        lines.pop()  # the sample may end within it
    given, separator = skip, mark_of(separator)
    if skip is None:
        skip, separator = _before(lines, separator, tabbed)
        before = left_out(lines[:skip], keys)
    blank = next((count for count, line in enumerate(lines) if count >= skip and line.strip()), len(lines))
    lines = lines[blank:]
    if not lines:
        raise DataError("the file is empty; a header line and rows are needed")
    if not re.sub(r"\s", "", lines[0]).isprintable():
        raise DataError("the file is no text: its first line holds control characters")
    mark = separator or _separator(lines, tabbed)
    spaced = any(f'{mark} "' in line for line in lines[:_LINES]) if mark != " " else _has_runs(lines)
    rows = list(rows_of(lines, mark))
    if header is None:
        header = first_row.has_header(rows[0], rows[1:])
        if not header and names is None:
            notes.append(
                f"no header line is found: the first line reads as values ({_first_cells(rows[0])}), so the columns are column_1 "
                f"to column_{len(rows[0])}; name them with {keys}names=[...], or set {keys}header=true if it is a header"
            )
    body = rows[1:] if header else rows
    units = bool(header and given != 0 and first_row.are_units(body[:1], body[1:]))
    if units:
        notes, body = [*notes, units_told(body[0], keys)], body[1:]
    dialect = Dialect(mark, encoding, header, blank, spaced, names is not None, units)
    cells, told = _fitted(rows[0], body, mark) if header else ([], [])
    columns = unique(cells) if header else numbered(len(rows[0]))
    if names is not None:
        if len(names) != len(columns):
            raise DataError(f"{keys}names holds {len(names)} names, but the file has {len(columns)} columns")
        columns = unique(names)
    notes = [*before, *notes, *told]
    return Opening(dialect, tuple(cells), columns, tuple(notes), not body, "; ".join(before))


def mark_of(given: str | None) -> str | None:
    """Return the mark that is given, or that a word names."""
    return given if given is None else MARKS.get(given, given)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text with their ends, as parsers of CSV see them: other marks of Unicode end none."""
    return [*io.StringIO(text, newline="")]


def rows_of(lines: Sequence[str], separator: str) -> Iterator[list[str]]:
    """Yield the first rows of a text as cells."""
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    seen = 0  # lines
    try:
        for row in itertools.islice((row for row in reader if row), _LINES):
            seen = reader.line_num
            yield row
    except csv.Error as error:
        line = lines[min(seen, len(lines) - 1)].strip()
        if '"' not in line:
            raise DataError(f"its first lines cannot be read: {error}") from None
        raise DataError(
            f"a quote is not closed in the line that begins with {line[:_TOLD]!r} ({error})"
        ) from None


def rows_before(rows: Sequence[Sequence[str]]) -> int:
    """Return how many rows stand before a header: titles of few cells, above the first full row if that is surely names."""
    width = _usual_width(rows)
    full = next((place for place, row in enumerate(rows) if _filled(row) > width / 2), 0)
    if width < 2 or not 0 < full <= _MOST_BEFORE or len(rows[full]) != width:
        return 0
    return full if first_row.is_surely_header(rows[full], rows[full + 1 :]) else 0


def with_blanks_cut(text: bytes, separator: str) -> bytes:
    """Return text of a dialect with `blanks` as other parsers read it: one separator, a quote right after it."""
    if separator == " ":
        return re.sub(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)", b"", re.sub(rb"[ \t]+", b" ", text))
    mark = re.escape(separator.encode())
    return re.sub(mark + rb'[ ]+"', separator.encode() + b'"', text)


def left_out(lines: Sequence[str], keys: str) -> list[str]:
    """Return what to tell of lines before the header, of which one may tell Excel the separator."""
    marks = [line.strip("\r\n ") for line in lines if _SEPARATOR_LINE.fullmatch(line)]
    named = [f"the first line, {each!r}, names the separator, and is left out" for each in marks]
    told = [line.strip() for line in lines if line.strip() and not _SEPARATOR_LINE.fullmatch(line)]
    if not told:
        return named
    first = told[0] if len(told[0]) <= _TOLD else f"{told[0][:_TOLD]}..."
    what = "1 line before the header is" if len(told) == 1 else f"{len(told)} lines before the header are"
    return [
        *named,
        f"{what} left out ({first!r}{', ...' * (len(told) > 1)}); {keys}skip=0 reads from the first line on",
    ]


def units_told(row: Sequence[str], keys: str) -> str:
    """Return a line about a row of units."""
    return (
        f"the line after the header holds units, not values ({_first_cells(row)}), and is left out; {keys}skip=0 "
        "keeps it"
    )


def _first_cells(row: Sequence[str]) -> str:
    return ", ".join(row[:3]) + (", ..." if len(row) > 3 else "")


def _before(lines: Sequence[str], separator: str | None, tabbed: bool) -> tuple[int, str | None]:
    """Return how many lines stand before the header or the first row, and the separator if one of them says it."""
    start = next((place for place, line in enumerate(lines) if line.strip()), 0)
    if (found := _SEPARATOR_LINE.fullmatch(lines[start] if lines else "")) and len(lines) > start + 1:
        start, separator = start + 1, separator or found[1]
    after = start
    while after < len(lines) and (
        lines[after].startswith("#") or (after > start and not lines[after].strip())
    ):
        after += 1
    last = next((place for place in range(after - 1, start - 1, -1) if lines[place].startswith("#")), None)
    if last is not None and after < len(lines):
        mark = separator or _separator(lines[after:], tabbed)
        heads, *body = [*rows_of([lines[last]], mark), *rows_of(lines[after:], mark)]
        is_names = len(heads) == _usual_width(body) and not first_row.is_surely_header(body[0], body[1:])
        start = last if is_names else after
    return start + _titles(lines[start:], separator, tabbed), separator


def _titles(lines: Sequence[str], separator: str | None, tabbed: bool) -> int:
    """Return how many lines of a report's title stand first."""
    if not any(map(str.strip, lines)):
        return 0
    rows = [*rows_of(lines, separator or _separator(lines, tabbed))]
    width = _usual_width(rows[1:] or rows)
    if width > 1 and len(rows[0]) in (width, width - 1) and _filled(rows[0]) > width / 2:
        return 0
    best = (0, 0)  # columns, lines
    for mark in [separator] if separator else _SEPARATORS:
        try:
            starts, found = placed_rows(lines, mark)
        except csv.Error:
            continue
        if before := rows_before(found):
            best = max(best, (_usual_width(found), starts[before]))
    return best[1]


def placed_rows(lines: Sequence[str], separator: str) -> tuple[list[int], list[list[str]]]:
    """Return the first rows of a text as cells, and how many lines stand before each; raise csv.Error for a torn quote."""
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    rows, starts, end = [], [], 0
    for row in itertools.islice(reader, _LINES):
        if row:
            rows.append(row)
            starts.append(end)
        end = reader.line_num
    return starts, rows


def before_full(sample: bytes, found: Dialect) -> int:
    """Return how many lines of a text stand before the first that has as many values as most."""
    lines = lines_of(sample.decode(found.encoding, "replace"))
    try:
        starts, rows = placed_rows(lines, found.separator)
    except csv.Error:
        return 0
    width = _usual_width(rows)
    return next((start for start, row in zip(starts, rows, strict=True) if len(row) == width), 0)


def before_names(sample: bytes, encoding: str, names: Sequence[str]) -> int | None:
    """Return how many lines of a text stand before the one that has these names, with any separator; None if none has."""
    lines = lines_of(sample.decode(encoding, "replace").removeprefix("\ufeff"))
    for place, line in enumerate(lines[: _MOST_BEFORE + 1]):
        for separator in _SEPARATORS:
            try:
                (row,) = csv.reader([line], delimiter=separator, skipinitialspace=True)
            except (csv.Error, ValueError):  # a quote that goes on, an empty line
                continue
            if {*names} <= {cell.strip() for cell in row}:
                return place
    return None


def _usual_width(rows: Sequence[Sequence[str]]) -> int:
    return Counter(map(len, rows)).most_common(1)[0][0] if rows else 0


def _filled(row: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)


def _fitted(cells: list[str], body: Sequence[Sequence[str]], mark: str) -> tuple[list[str], list[str]]:
    """Return the header with a cell for each column, and what to tell: every row may end in a separator, or begin with its name.

    Raise DataError where the first values name no rows: then a value holds the separator, and all names would be wrong.
    """
    widths = Counter(map(len, body)).most_common(1)
    if not widths or widths[0][0] != len(cells) + 1:
        return cells, []
    fitting = [row for row in body if len(row) == widths[0][0]]
    if all(not row[-1].strip() for row in fitting):
        return [*cells, ""], []
    if len({row[0] for row in fitting}) < len(fitting):
        raise DataError(
            f"most lines have {len(cells) + 1} values where the header names {len(cells)} columns; a value that holds the "
            f'separator {mark!r} needs quotes, such as "1{mark}000"'
        )
    told = (
        f"the lines have one value more than the header has names, so the first value is taken for the name of a row; if a value "
        f"holds the separator {mark!r} instead, it needs quotes"
    )
    return ["", *cells], [told]


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


def _known(encoding: str, keys: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        if not getattr(codecs.lookup(encoding), "_is_text_encoding", True):
            raise LookupError
    except (LookupError, ValueError):
        raise DataError(
            f"{keys}encoding={encoding}: there is no such encoding; usual ones are utf-8, latin-1 and utf-16"
        ) from None
    return "utf-8" if name in ("utf-8", "utf-8-sig") else encoding


def _encoding(sample: bytes, otherwise: str | None, keys: str) -> tuple[str, list[str]]:
    if sample[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and b"\0" in sample[:64]:
        return "utf-16", []
    if sample[1:64:2].count(0) > 16 and not sample[0:64:2].count(0):
        return "utf-16-le", []
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError as error:
        byte = sample[error.start]
        if otherwise not in (None, "utf-8"):
            return otherwise, []
        try:
            sample.decode("cp1252")
        except UnicodeDecodeError:
            raise DataError(
                f"is not utf-8: it holds the byte 0x{byte:02x}; {name_encoding(keys, 'utf-8')}"
            ) from None
        return "cp1252", [
            f"the file is not utf-8 (it holds the byte 0x{byte:02x}); it is read as cp1252, the encoding of Windows "
            f"in Western Europe; name another with {keys}encoding"
        ]
    return "utf-8", []


def name_encoding(keys: str, refused: str) -> str:
    """Return what to do about a text that is not in an encoding."""
    others = [each for each in ("utf-8", "latin-1", "utf-16") if each != refused.lower()]
    such = " or ".join(f"{keys}encoding={each}" for each in others)
    found = "" if refused == "utf-8" else f"leave {keys}encoding out to have it found, or "
    return f"{found}name its encoding, for example {such}"


def _decoded(sample: bytes, encoding: str, keys: str) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample).removeprefix("\ufeff")
    except UnicodeError as error:
        at = getattr(error, "start", 0)
        raise DataError(
            f"is not {encoding}: it holds the byte 0x{sample[at]:02x}; {name_encoding(keys, encoding)}"
        ) from None


def from_json(value: dict[str, Any]) -> Dialect:
    """Return the dialect that `to_json` wrote."""
    return replace(Dialect(), **value)
