"""Where rows come from: files of any format, and tables in memory, each as raw columns of Arrow.

Text comes as text alone, so that only `kinds` decides what a value is.
"""

import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.data.reading import dialect, header, in_memory
from trainer.data.reading.dialect import Dialect
from trainer.data.reading.files import formats, workbook
from trainer.data.reading.files.formats import Format
from trainer.data.reading.reading_progress import Counted, Progress
from trainer.errors import DataError

if TYPE_CHECKING:
    from trainer.data.reading.reader import Options, Reader

_SHOWN = 5  # lines named in a message
_TOLD = 40  # letters of a value named in a message
BLOCK = 1 << 22  # bytes of text parsed at a time; a row must fit


@dataclass(frozen=True)
class Odd:
    """A line with more or fewer values than columns."""

    line: int
    values: int
    columns: int
    lines: int  # that a quote in it has made one

    @property
    def quote(self) -> str:
        """A part of a sentence about a quote that made several lines one; empty if none did."""
        below = f"{self.lines - 1:,} line{'s' * (self.lines > 2)} below"
        return f" (a quote in it ends {below})" if self.lines > 1 else ""


@dataclass
class Source:
    """Raw columns by name, from one place; `batches` yields them a part at a time."""

    label: str
    batches: Iterator[Mapping[str, Any]]
    dialect: Dialect | None = None
    notes: Sequence[str] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)  # columns whose name is ours, and a line on each
    unnamed: frozenset[str] = frozenset()  # columns that have no name in the table itself
    header: Sequence[str] = ()  # the names as the header of a text has them
    sheet: str | None = None  # of a workbook
    skipped: list["Odd"] = field(default_factory=list)
    unclosed: int | None = None  # the line that opens a quote which no line closes
    nuls: int = 0  # bytes that no text has

    def said(self) -> list[str]:
        """Return what is to be told of the source once its batches were read."""
        said = [*self.notes]
        if self.nuls:
            what = "a NUL byte" if self.nuls == 1 else f"{self.nuls:,} NUL bytes"
            said.append(f"the file holds {what}, which no text has; it may be damaged")
        if not self.skipped:
            return said
        lines = ", ".join(f"{each.line}{each.quote}" for each in self.skipped[:_SHOWN])
        more = ", ..." if len(self.skipped) > _SHOWN else ""
        count = len(self.skipped)
        return [
            *said,
            f"{count} line{'s' * (count != 1)} with too many or too few values {'are' if count > 1 else 'is'} skipped: {lines}{more}",
        ]

    def gathered(self, only: Sequence[str] | None = None) -> dict[str, Any]:
        """Return all columns whole, or some; raise DataError when there is no row."""
        import pyarrow as pa

        parts: dict[str, list[Any]] = {}
        for batch in self.batches:
            names = list(batch)
            for name in names if only is None else [header.found(each, names) for each in only]:
                if name is None:
                    continue
                values = batch[name]
                chunks = values.chunks if isinstance(values, pa.ChunkedArray) else [values]
                parts.setdefault(name, []).extend(chunks or [pa.array([], values.type)])
        columns = {name: pa.chunked_array(values) for name, values in parts.items()}
        if not columns or not len(next(iter(columns.values()))):
            raise DataError(f"{self.label} has 0 rows; a header line and rows are needed")
        return columns


def source(
    given: Any,
    options: "Options",
    trained: "Reader | None" = None,
    *,
    only: Collection[str] | None = None,
) -> Source:
    """Return the raw columns of a path, a DataFrame, a dict, records or an Arrow table; of a text only those named."""
    if isinstance(given, str | Path):
        path, label = Path(given), f"data file {str(given)!r}"
        member = _member(path, options, trained)
        if problem := formats.problem(path, member, keys=options.keys):
            raise DataError(f"{label}: {problem}")
        kind = formats.format_of(path, member, keys=options.keys)
        if kind is Format.TEXT:
            return _text(path, member, options, trained, only)
        if kind is Format.EXCEL:
            with formats.opened(path, member) as file:
                sheet = workbook.read(file.read(), label, options, trained)
            columns = {name: in_memory.array(values, name) for name, values in sheet.columns.items()}
            names = _renamed(sheet.cells, [*columns])
            return Source(label, iter([columns]), None, sheet.notes, *names, sheet=sheet.name)
        return Source(label, _arrow_file(path, member, kind))
    return Source("the table", iter([in_memory.columns(given)]))


def _member(path: Path, options: "Options", trained: "Reader | None") -> str | None:
    """Return which file of an archive is meant: the one that is given, or that of the training if it is there."""
    if options.member is not None or trained is None or trained.member is None:
        return options.member
    return trained.member if formats.has_member(path, trained.member) else None


def _text(
    path: Path,
    member: str | None,
    options: "Options",
    trained: "Reader | None",
    only: Collection[str] | None,
) -> Source:
    label = f"data file {str(path)!r}"
    known = None if trained is None else trained.dialect
    try:
        sample = formats.head(path, member)
        opening = dialect.find(
            sample,
            separator=options.separator,
            encoding=options.encoding,
            header=options.header,
            names=options.names,
            tabbed=formats.is_tabbed(path, member),
            skip=options.skip,
            otherwise=None if known is None else known.encoding,
            keys=options.keys,
        )
        if trained is not None and known is not None:
            opening = _as_trained(sample, opening, trained, known, options)
    except DataError as error:
        if str(error).startswith(label):
            raise
        raise DataError(f"{label}{': ' if not str(error).startswith('is not') else ' '}{error}") from None
    if opening.is_empty:
        raise DataError(f"{label} has 0 rows; a header line and rows are needed")
    names = _renamed(opening.cells, opening.names)
    found = Source(label, iter(()), opening.dialect, opening.notes, *names, header=opening.cells)
    found.batches = _parsed(path, member, opening, found, options, only)
    return found


def _renamed(cells: Sequence[str], names: Sequence[str]) -> tuple[dict[str, str], frozenset[str]]:
    unnamed = frozenset(name for name, cell in zip(names, cells, strict=False) if not cell.strip())
    return header.renamed(cells, names), unnamed


def _as_trained(
    sample: bytes, opening: dialect.Opening, trained: "Reader", known: Dialect, options: "Options"
) -> dialect.Opening:
    """Return how to read another file: as found if that gives the columns of the training, else as the training file."""
    if not known.header:  # that it has none was said at the training
        opening = replace(
            opening, notes=tuple(each for each in opening.notes if not each.startswith("no header"))
        )
    if known.named and len(opening.names) == len(trained.names) and not {*opening.names} & {*trained.names}:
        return replace(opening, names=trained.names)
    if {*opening.names} & {*trained.names}:
        return opening
    skip = known.skip if options.skip is None else options.skip
    again = dialect.find(
        sample,
        separator=known.separator,
        encoding=opening.dialect.encoding,
        header=known.header,
        skip=skip,
        keys=options.keys,
    )
    if known.named and len(again.names) == len(trained.names):
        return replace(again, names=trained.names)
    return again


def _parsed(
    path: Path,
    member: str | None,
    opening: dialect.Opening,
    source: Source,
    options: "Options",
    only: Collection[str] | None,
) -> Iterator[Mapping[str, Any]]:
    """Yield the batches of a text file, every value as text."""
    import pyarrow as pa
    from pyarrow import csv

    found = opening.dialect

    def odd(row: Any) -> str:
        lines = len(dialect.lines_of((row.text or "").strip()))
        if lines > 1 and row.text.count('"') % 2:  # the rest of the file is in it
            source.unclosed = row.number
            return "error"
        source.skipped.append(Odd(row.number, row.actual_columns, row.expected_columns, lines))
        return "skip" if options.ragged == "skip" else "error"

    names = list(opening.names)
    read = csv.ReadOptions(
        use_threads=False,
        block_size=BLOCK,
        encoding=found.encoding,
        column_names=names,
        skip_rows=found.skip,
        skip_rows_after_names=found.header + found.units,
    )
    parse = csv.ParseOptions(delimiter=found.separator, newlines_in_values=True, invalid_row_handler=odd)
    wanted = names if only is None else [each for each in names if each in only]
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        strings_can_be_null=False,
        check_utf8=True,
        include_columns=wanted,
    )
    progress = Progress(source.label, total=formats.plain_size(path))
    try:
        with formats.opened(path, member) as file:
            counted = progress.counted(file)
            text = Cut(counted, found.separator) if found.blanks else counted
            with csv.open_csv(text, read, parse, convert) as stream:
                yield from progress.watched(_closed(stream, wanted, counted, source.label))
            source.nuls = 0 if "16" in found.encoding or "32" in found.encoding else counted.nuls
    except (pa.ArrowInvalid, UnicodeError) as error:
        raise DataError(_why(error, source, options, found, formats.head(path, member))) from None


def _closed(stream: Any, names: Sequence[str], read: Counted, label: str) -> Iterator[Mapping[str, Any]]:
    """Yield batches by name; raise DataError if the last value is all that follows a quote that is not closed."""
    last = None
    for batch in stream:
        last = batch.columns[-1][-1:] if len(batch) and len(names) else last
        yield dict(zip(names, batch.columns, strict=True))
    text = "" if last is None else last[0].as_py()
    if len(lines := dialect.lines_of(text)) > 1 and not read.end.replace(b"\0", b"").endswith(b'"'):
        raise DataError(
            f"{label}: a quote is not closed: the value of column {header.shown(names[-1])!r} that begins with "
            f"{lines[0].strip()[:_TOLD]!r} is all of the last {len(lines):,} lines"
        )


def _why(error: Exception, source: Source, options: "Options", found: Dialect, sample: bytes) -> str:
    text, label, keys = str(error), source.label, options.keys
    if source.unclosed is not None:
        return f'{label} cannot be read as CSV: line {source.unclosed} opens a quote (") that no line closes'
    if source.skipped and options.ragged != "skip":
        odd = source.skipped[-1]
        values = f"{odd.values} value{'s' * (odd.values != 1)}{odd.quote}"
        said = (
            f"{label} cannot be read as CSV: line {odd.line} has {values}, where {odd.columns} are expected"
        )
        if not keys:
            return f"{said}; correct or remove such lines"
        before = dialect.before_full(sample, found) if options.skip is None else 0
        title = (
            f"; if what stands before line {before + 1} is a title, {keys}skip={before} leaves it out"
            if before
            else ""
        )
        return f"{said}{title}; {keys}ragged=skip leaves such lines out"
    if isinstance(error, UnicodeError) or "invalid UTF8" in text:
        return f"{label} is not {found.encoding}; {dialect.name_encoding(keys, found.encoding)}"
    return f"{label} cannot be read as CSV: {text}"


class Cut(io.RawIOBase):
    """A file of bytes without the blanks that another parser would cut; reads whole lines ahead."""

    def __init__(self, file: Any, separator: str) -> None:
        self._file, self._separator = file, separator
        self._ready = self._rest = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes."""
        while not self._ready:
            block = self._file.read(formats.HEAD)
            lines, end, rest = (self._rest + block).rpartition(b"\n") if block else (self._rest, b"", b"")
            if not block and not lines:
                return 0
            self._rest = rest
            self._ready = dialect.with_blanks_cut(lines + end, self._separator)
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count


def _arrow_file(path: Path, member: str | None, kind: Format) -> Iterator[Mapping[str, Any]]:
    """Yield the batches of a Parquet or an Arrow file."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with formats.opened(path, member) as file:
            if kind is Format.PARQUET:
                opened = parquet.ParquetFile(file)
                batches, rows = opened.iter_batches(), opened.metadata.num_rows
                categories = _categories(opened.schema_arrow.metadata)
            else:
                batches, rows, categories = _record_batches(file), None, set()
            progress = Progress(f"data file {str(path)!r}", total=rows, of_bytes=False)
            yield from progress.watched(_columns(batch, categories) for batch in batches)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"data file {str(path)!r} cannot be read as {kind}: {error}") from None


def _columns(batch: Any, categories: Collection[str]) -> dict[str, Any]:
    """Return the columns of a batch, those of categories as Arrow holds these."""
    import pyarrow.types as pt

    columns = [
        values.dictionary_encode() if name in categories and not pt.is_dictionary(values.type) else values
        for name, values in zip(
            batch.schema.names, map(in_memory.of_periods, batch.columns, batch.schema), strict=True
        )
    ]
    return dict(zip(header.unique(batch.schema.names), columns, strict=True))


def _categories(metadata: Mapping[bytes, bytes] | None) -> set[str]:
    """Return the columns that pandas wrote as categories; Parquet itself remembers only those of text."""
    try:
        told = json.loads((metadata or {}).get(b"pandas", b"{}")).get("columns", ())
        return {each["field_name"] for each in told if each.get("pandas_type") == "categorical"}
    except (ValueError, KeyError, AttributeError, TypeError):  # another program may write it otherwise
        return set()


def cells(path: Path) -> int:
    """Return how many values a Parquet file holds."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        found = parquet.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"data file {str(path)!r} cannot be read as Parquet: {error}") from None
    return int(found.num_rows * found.num_columns)


def _record_batches(file: Any) -> Iterator[Any]:
    """Yield the batches of an Arrow file, or of a stream that was written to one."""
    import pyarrow as pa
    from pyarrow import ipc

    try:
        reader = ipc.open_file(file)
    except pa.ArrowInvalid:
        file.seek(0)
        yield from ipc.open_stream(file)
    else:
        yield from (reader.get_batch(index) for index in range(reader.num_record_batches))
