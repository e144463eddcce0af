"""Where rows come from: files of any format, and tables in memory, each as raw columns of Arrow.

Text comes as text alone, so that only `kinds` decides what a value is.
"""

import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.data.reading import dialect, formats, header, workbook
from trainer.data.reading.dialect import NOT_UTF8, Dialect
from trainer.data.reading.formats import Format
from trainer.data.reading.reading_progress import Progress
from trainer.errors import DataError

if TYPE_CHECKING:
    from trainer.data.reading.reader import Options, Reader

_SHOWN = 5  # lines named in a message
BLOCK = 1 << 22  # bytes of text parsed at a time; a row must fit


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
    skipped: list[Any] = field(default_factory=list)  # lines with more or fewer values than columns
    unclosed: int | None = None  # the line that opens a quote which no line closes

    def said(self) -> list[str]:
        """Return what is to be told of the source once its batches were read."""
        if not self.skipped:
            return [*self.notes]
        lines = ", ".join(str(number) for number, _, _ in self.skipped[:_SHOWN])
        more = ", ..." if len(self.skipped) > _SHOWN else ""
        count = len(self.skipped)
        return [
            *self.notes,
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
        if problem := formats.problem(path, member):
            raise DataError(f"{label}: {problem}")
        kind = formats.format_of(path, member)
        if kind is Format.TEXT:
            return _text(path, member, options, trained, only)
        if kind is Format.EXCEL:
            with formats.opened(path, member) as file:
                sheet = workbook.read(file.read(), label, options, trained)
            columns = {name: _array(values, name) for name, values in sheet.columns.items()}
            return Source(label, iter([columns]), None, sheet.notes, *_renamed(sheet.cells, [*columns]))
        return Source(label, _arrow_file(path, member, kind))
    return Source("the table", iter([_in_memory(given)]))


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
        )
        if trained is not None and trained.dialect is not None:
            opening = _as_trained(sample, opening, trained)
    except DataError as error:
        if str(error).startswith(label):
            raise
        raise DataError(f"{label}{': ' if not str(error).startswith('is not') else ' '}{error}") from None
    if opening.is_empty:
        raise DataError(f"{label} has 0 rows; a header line and rows are needed")
    names = _renamed(opening.cells, opening.names)
    found = Source(label, iter(()), opening.dialect, opening.notes, *names, header=opening.cells)
    found.batches = _parsed(path, member, opening, found, options.ragged, only)
    return found


def _renamed(cells: Sequence[str], names: Sequence[str]) -> tuple[dict[str, str], frozenset[str]]:
    unnamed = frozenset(name for name, cell in zip(names, cells, strict=False) if not cell.strip())
    return header.renamed(cells, names), unnamed


def _as_trained(sample: bytes, opening: dialect.Opening, trained: "Reader") -> dialect.Opening:
    """Return how to read another file: as found if that gives the columns of the training, else as the training file."""
    if set(opening.names) & set(trained.names) or trained.dialect is None:
        return opening
    known = trained.dialect
    return dialect.find(sample, separator=known.separator, header=known.header, skip=known.skip)


def _parsed(
    path: Path,
    member: str | None,
    opening: dialect.Opening,
    source: Source,
    ragged: str,
    only: Collection[str] | None,
) -> Iterator[Mapping[str, Any]]:
    """Yield the batches of a text file, every value as text."""
    import pyarrow as pa
    from pyarrow import csv

    found = opening.dialect

    def odd(row: Any) -> str:
        if row.text is not None and row.text.count('"') % 2:  # the rest of the file is in it
            source.unclosed = row.number
            return "error"
        source.skipped.append((row.number, row.actual_columns, row.expected_columns))
        return "skip" if ragged == "skip" else "error"

    names = list(opening.names)
    read = csv.ReadOptions(
        use_threads=False,
        block_size=BLOCK,
        encoding=found.encoding,
        column_names=names,
        skip_rows=found.skip,
        skip_rows_after_names=int(found.header),
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
        with (
            _bytes(path, member, found, progress) as file,
            csv.open_csv(file, read, parse, convert) as stream,
        ):
            yield from progress.watched(dict(zip(wanted, batch.columns, strict=True)) for batch in stream)
    except (pa.ArrowInvalid, UnicodeError) as error:
        raise DataError(_why(error, source, ragged, found.encoding)) from None


def _why(error: Exception, source: Source, ragged: str, encoding: str) -> str:
    text, label = str(error), source.label
    if source.unclosed is not None:
        return f'{label} cannot be read as CSV: line {source.unclosed} opens a quote (") that no line closes'
    if source.skipped and ragged != "skip":
        number, actual, expected = source.skipped[-1]
        values = f"{actual} value{'s' * (actual != 1)}"
        return (
            f"{label} cannot be read as CSV: line {number} has {values}, where {expected} are expected; "
            "data.ragged=skip leaves such lines out"
        )
    if isinstance(error, UnicodeError) or "invalid UTF8" in text:
        return f"{label} is not {encoding}; {NOT_UTF8}"
    return f"{label} cannot be read as CSV: {text}"


@contextmanager
def _bytes(path: Path, member: str | None, found: Dialect, progress: Progress) -> Iterator[Any]:
    with formats.opened(path, member) as file:
        counted = progress.counted(file)
        yield Cut(counted, found.separator) if found.blanks else counted


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
        for name, values in zip(batch.schema.names, batch.columns, strict=True)
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


def _in_memory(given: Any) -> dict[str, Any]:
    """Return a table in memory as columns of Arrow."""
    if hasattr(given, "to_batches") and hasattr(given, "schema"):  # of Arrow
        return dict(zip(map(str, given.schema.names), given.columns, strict=True))
    if hasattr(given, "iloc"):  # of pandas
        columns = {str(name): given.iloc[:, index] for index, name in enumerate(given.columns)}
        for level, label in enumerate(given.index.names):
            values = given.index.get_level_values(level)
            counts = (
                getattr(values, "start", None) == 0 and getattr(values, "step", None) == 1
            )  # says nothing
            if label is not None or not counts:
                columns.setdefault(str(label or ""), values.to_series())
        return {name: _array(values, name) for name, values in columns.items()}
    if isinstance(given, Mapping):
        return _dict(given)
    if isinstance(given, Sequence) and given and all(isinstance(each, Mapping) for each in given):
        names = dict.fromkeys(str(name) for record in given for name in record)
        records = [{str(name): value for name, value in record.items()} for record in given]
        return {name: _array([record.get(name) for record in records], name) for name in names}
    raise DataError(
        f"a table is needed, not {given!r:.80}: a path, a DataFrame, a dict of values or of lists, a list of dicts, "
        "or an Arrow table"
    )


def _dict(given: Mapping[Any, Any]) -> dict[str, Any]:
    """Return columns of lists; values that stand alone are a table of one row."""
    alone = {
        str(name): value is None or np.ndim(value) == 0 if not hasattr(value, "type") else False
        for name, value in given.items()
    }
    if alone and all(alone.values()):
        return {str(name): _array([value], str(name)) for name, value in given.items()}
    odd = [name for name, is_alone in alone.items() if is_alone]
    if odd:
        raise DataError(
            f"column {odd[0]!r} is {given[odd[0]]!r}, and others are lists; give all as lists, or all as values"
        )
    return {str(name): _array(values, str(name)) for name, values in given.items()}


def _array(values: Any, name: str) -> Any:
    """Return values of Python, numpy or pandas as an Arrow array; a mixture becomes text."""
    import pyarrow as pa

    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if getattr(values, "ndim", 1) != 1:
        raise DataError(f"column {name!r} is {values!r:.80}; a column of values is needed")
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        array = pa.array([_spelled(each) for each in values], pa.string())
    return array


def _spelled(value: Any) -> str | None:
    if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
        return None
    if isinstance(value, float | np.floating):
        return repr(float(value))
    return str(value)
