"""Where rows come from: files of any format, and tables in memory, each as raw columns of Arrow.

Text comes as text alone, so that only `kinds` decides what a value is.
"""

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.data.reading import dialect, formats, header
from trainer.data.reading.dialect import NOT_UTF8, Dialect
from trainer.data.reading.formats import Format
from trainer.errors import DataError

if TYPE_CHECKING:
    from trainer.data.reading.reader import Options, Reader

BLOCK = 1 << 23  # bytes of text parsed at a time; a row must fit


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


def source(given: Any, options: "Options", trained: "Reader | None" = None) -> Source:
    """Return the raw columns of a path, a DataFrame, a dict, records or an Arrow table."""
    if isinstance(given, str | Path):
        path = Path(given)
        if problem := formats.problem(path):
            raise DataError(f"data file {str(given)!r}: {problem}")
        kind = formats.format_of(path)
        if kind is Format.TEXT:
            return _text(path, options, trained)
        if kind is Format.EXCEL:
            return _excel(path)
        return Source(f"data file {str(given)!r}", _arrow_file(path, kind))
    return Source("the table", iter([_in_memory(given)]))


def _text(path: Path, options: "Options", trained: "Reader | None") -> Source:
    label = f"data file {str(path)!r}"
    sample = formats.head(path)
    try:
        opening = dialect.find(
            sample,
            separator=options.separator,
            encoding=options.encoding,
            header=options.header,
            names=options.names,
            tabbed=formats.is_tabbed(path),
            skip=options.skip,
        )
        if trained is not None and trained.dialect is not None:
            opening = _as_trained(sample, opening, trained)
    except DataError as error:
        raise DataError(f"{label}{': ' if not str(error).startswith('is not') else ' '}{error}") from None
    if opening.is_empty:
        raise DataError(f"{label} has 0 rows; a header line and rows are needed")
    batches = _parsed(path, opening, label, options.ragged)
    names = _renamed(opening.cells, opening.names)
    return Source(label, batches, opening.dialect, opening.notes, *names, header=opening.cells)


def _renamed(cells: Sequence[str], names: Sequence[str]) -> tuple[dict[str, str], frozenset[str]]:
    unnamed = frozenset(name for name, cell in zip(names, cells, strict=False) if not cell.strip())
    return header.renamed(cells, names), unnamed


def _as_trained(sample: bytes, opening: dialect.Opening, trained: "Reader") -> dialect.Opening:
    """Return how to read another file: as found if that gives the columns of the training, else as the training file."""
    if set(opening.names) & set(trained.names) or trained.dialect is None:
        return opening
    known = trained.dialect
    return dialect.find(sample, separator=known.separator, header=known.header, skip=known.skip)


def _parsed(path: Path, opening: dialect.Opening, label: str, ragged: str) -> Iterator[Mapping[str, Any]]:
    """Yield the batches of a text file, every value as text."""
    import pyarrow as pa
    from pyarrow import csv

    found, skipped = opening.dialect, []

    def odd(row: Any) -> str:
        skipped.append((row.number, row.actual_columns, row.expected_columns))
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
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=True
    )
    try:
        with _bytes(path, found) as file, csv.open_csv(file, read, parse, convert) as stream:
            for batch in stream:
                yield dict(zip(names, batch.columns, strict=True))
    except (pa.ArrowInvalid, UnicodeError) as error:
        raise DataError(_why(error, label, skipped, found.encoding)) from None


def _why(error: Exception, label: str, skipped: Sequence[Any], encoding: str) -> str:
    text = str(error)
    if skipped:
        number, actual, expected = skipped[-1]
        values = f"{actual} value{'s' * (actual != 1)}"
        return f"{label} cannot be read as CSV: line {number} has {values}, where {expected} are expected"
    if isinstance(error, UnicodeError) or "invalid UTF8" in text:
        return f"{label} is not {encoding}; {NOT_UTF8}"
    return f"{label} cannot be read as CSV: {text}"


@contextmanager
def _bytes(path: Path, found: Dialect) -> Iterator[Any]:
    with formats.opened(path) as file:
        yield Cut(file, found.separator) if found.blanks else file


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


def _arrow_file(path: Path, kind: Format) -> Iterator[Mapping[str, Any]]:
    """Yield the batches of a Parquet or an Arrow file."""
    import pyarrow as pa
    from pyarrow import ipc, parquet

    try:
        with formats.opened(path) as file:
            if kind is Format.PARQUET:
                batches = parquet.ParquetFile(file).iter_batches()
            else:
                reader = ipc.open_file(file)
                batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
            for batch in batches:
                yield dict(zip(header.unique(batch.schema.names), batch.columns, strict=True))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"data file {str(path)!r} cannot be read as {kind}: {error}") from None


def _excel(path: Path) -> Source:
    """Return the first sheet of a workbook; its first row is the header."""
    import pandas as pd

    label = f"data file {str(path)!r}"
    try:
        with formats.opened(path) as file:
            sheet = pd.read_excel(io.BytesIO(file.read()), header=None, dtype=object)
    except ImportError as error:
        raise DataError(f"{label}: {error}; it comes with podium[excel]") from None
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{label} cannot be read as Excel: {error}") from None
    if not len(sheet):
        raise DataError(f"{label}: {formats.EMPTY}")
    cells = ["" if each is None or each != each else str(each) for each in sheet.iloc[0]]
    names = header.unique(cells)
    columns = {name: _array(sheet.iloc[1:, index].tolist(), name) for index, name in enumerate(names)}
    return Source(label, iter([columns]), None, (), *_renamed(cells, names))


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
