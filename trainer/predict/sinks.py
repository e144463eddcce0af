"""Writers of tables by the suffix of a file, a part at a time, into a file that is opened for bytes."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol, cast

from trainer.data.reading.arrow import scalar
from trainer.errors import DataError
from trainer.predict.typed import as_text

TEXT = {".csv": ",", ".tsv": "\t", ".txt": ",", ".data": ",", ".tab": "\t"}
PARQUET, ARROW, EXCEL = (".parquet", ".pq"), (".feather", ".arrow", ".ipc"), (".xlsx",)
COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst", ".zip")
ALLOWED = ".csv, .tsv, .parquet, .feather, .arrow and .xlsx, also with .gz, .bz2, .xz, .zst or .zip"
EXCEL_ROWS = 1_048_575  # below the header
_SLICE = 1 << 14  # rows of text joined at a time, so that their bytes fit the offsets of Arrow


class Writer(Protocol):
    """Takes tables of the same columns one after the other."""

    def write(self, table: Any) -> None:
        """Write the rows of an Arrow table."""
        ...

    def close(self, *, is_whole: bool) -> None:
        """End the file, or let go of one that is not needed."""
        ...


def suffix_of(path: Path) -> tuple[str, str]:
    """Return the suffix that says the format of a file, and that of its compression or ""; raise DataError for others."""
    suffixes = [each.lower() for each in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in COMPRESSIONS else ""
    found = suffixes[-1] if suffixes else ""
    if found not in (*TEXT, *PARQUET, *ARROW, *EXCEL):
        raise DataError(f"output={path}: the suffix {found!r} cannot be written; allowed are {ALLOWED}")
    return found, packed


def is_text(path: Path | None) -> bool:
    """Whether a file keeps every value as text; None is the standard output."""
    return path is None or suffix_of(path)[0] in TEXT


@contextmanager
def writer(path: Path | None, file: IO[bytes], header: Sequence[str]) -> Iterator[Writer]:
    """Open a writer of the format that a path says, into a file; `header` are the names as a text should have them."""
    suffix, packed = (".csv", "") if path is None else suffix_of(path)
    name = "" if path is None else path.name.removesuffix(path.suffix)
    with _compressed(file, packed, name) as place:
        made: Writer
        if suffix in TEXT:
            made = _Text(place, TEXT[suffix], header)
        elif suffix in EXCEL:
            made = _Excel(place)
        else:
            made = _Columns(place, is_parquet=suffix in PARQUET)
        is_whole = False
        try:
            yield made
            is_whole = True
        finally:
            made.close(is_whole=is_whole)


@contextmanager
def _compressed(file: IO[bytes], packed: str, name: str) -> Iterator[IO[bytes]]:
    if packed == ".zip":
        with (
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open(name, "w", force_zip64=True) as member,
        ):
            yield member
    elif packed == ".zst":
        import pyarrow as pa

        with pa.CompressedOutputStream(pa.PythonFile(_Kept(file), mode="w"), "zstd") as stream:
            yield cast(IO[bytes], stream)
    elif packed == ".gz":
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packer:
            yield cast(IO[bytes], packer)
    elif packed:
        with bz2.BZ2File(file, "wb") if packed == ".bz2" else lzma.LZMAFile(file, "wb") as packer:
            yield packer
    else:
        yield file


class _Kept(io.RawIOBase):
    """A file that stays open when what writes to it is closed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._file.write(data)


class _Text:
    """Delimited text, with quotes only where a cell needs them."""

    def __init__(self, file: IO[bytes], separator: str, header: Sequence[str]) -> None:
        self._file, self._separator, self._header = file, separator, header

    def write(self, table: Any) -> None:
        if self._header:
            self._file.write(self._lines([_one(name) for name in self._header]))
            self._header = ()
        for batch in table.to_batches(max_chunksize=_SLICE):
            self._file.write(self._lines(batch.columns))

    def close(self, *, is_whole: bool) -> None:
        pass

    def _lines(self, columns: Sequence[Any]) -> bytes:
        import pyarrow.compute as pc

        cells = [self._quoted(as_text(each)) for each in columns]
        joined = pc.binary_join_element_wise(*cells, scalar(self._separator)) if len(cells) > 1 else cells[0]
        return _bytes(pc.binary_join_element_wise(joined, scalar("\n"), scalar("")))

    def _quoted(self, texts: Any) -> Any:
        import pyarrow.compute as pc

        texts = pc.fill_null(texts.cast("string"), scalar(""))
        needs = pc.match_substring_regex(texts, f'["\r\n{self._separator}]')
        if not pc.any(needs).as_py():
            return texts
        doubled = pc.replace_substring(texts, '"', '""')
        return pc.if_else(
            needs, pc.binary_join_element_wise(scalar('"'), doubled, scalar('"'), scalar("")), texts
        )


class _Columns:
    """Parquet, or Arrow's own format."""

    def __init__(self, file: IO[bytes], *, is_parquet: bool) -> None:
        self._file, self._is_parquet = file, is_parquet
        self._writer: Any = None

    def write(self, table: Any) -> None:
        import pyarrow as pa

        if not self._is_parquet:  # whose categories may not change from part to part
            table = pa.Table.from_arrays([*map(_plain, table.columns)], names=table.column_names)
        if self._writer is None:
            self._writer = self._opened(table.schema)
        self._writer.write_table(table.cast(self._writer.schema) if self._is_parquet else table)

    def close(self, *, is_whole: bool) -> None:  # noqa: ARG002 - it would write to a closed file later
        if self._writer is not None:
            self._writer.close()

    def _opened(self, schema: Any) -> Any:
        from pyarrow import ipc, parquet

        if self._is_parquet:
            return parquet.ParquetWriter(self._file, schema)
        return ipc.new_file(self._file, schema, options=ipc.IpcWriteOptions(compression="lz4"))


class _Excel:
    """A workbook of one sheet, whose rows go to disk as they come."""

    def __init__(self, file: IO[bytes]) -> None:
        from openpyxl import Workbook

        self._file, self._rows = file, 0
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet("scores")

    def write(self, table: Any) -> None:
        if not self._rows:
            self._sheet.append([self._cell(name) for name in table.column_names])
        self._rows += len(table)
        if self._rows > EXCEL_ROWS:
            raise DataError(
                f"a sheet of Excel holds {EXCEL_ROWS:,} rows, and there are more; write .csv or .parquet"
            )
        for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
            self._sheet.append([self._cell(value) for value in row])

    def close(self, *, is_whole: bool) -> None:
        if is_whole:
            self._book.save(self._file)

    def _cell(self, value: Any) -> Any:
        """Return a value that Excel can hold: text stays text, also where it looks like a formula."""
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if abs(value) < float("inf") else None
        if getattr(value, "tzinfo", None) is not None or not hasattr(value, "isoformat"):
            cell = WriteOnlyCell(self._sheet, ILLEGAL_CHARACTERS_RE.sub("", str(value)))
            cell.data_type = "s"
            return cell
        return value


def _plain(column: Any) -> Any:
    import pyarrow.types as pt

    return column.cast(column.type.value_type) if pt.is_dictionary(column.type) else column


def _one(text: str) -> Any:
    from trainer.data.reading.arrow import of_texts

    return of_texts((text,))


def _bytes(texts: Any) -> bytes:
    """Return all texts of an Arrow array one after the other."""
    import numpy as np

    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return bytes(memoryview(data)[ends[0] : ends[-1]])
