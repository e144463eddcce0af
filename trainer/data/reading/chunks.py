"""A table in chunks: its columns as they stand, and the values of those that a model needs; memory stays bounded.

All chunks but the last have the same number of rows, however the source was cut.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.data.reading import header, kinds
from trainer.data.reading.files import sources
from trainer.data.reading.reader import How, Reader, Table, misfit
from trainer.errors import DataError

_SHOWN = 5  # values named in a message


@dataclass(frozen=True)
class Chunk:
    """Some rows: all columns as they stand in the source, and the values of the needed ones."""

    raw: Any  # pyarrow.Table
    table: Table
    bad: int = 0  # values that their column cannot hold, taken as missing


def infinite_lines(counts: Mapping[str, int]) -> list[str]:
    """Return a line for each column that holds infinite values."""
    return [
        f"column {header.shown(name)!r} holds {count} infinite value{'s' * (count > 1)}, read as missing"
        for name, count in counts.items()
        if count
    ]


class Chunks:
    """The rows of a source, read once by a reader; `needed` names the columns whose values are wanted.

    Raise DataError when the source is no table, or lacks one of these columns.
    """

    def __init__(
        self,
        reader: Reader,
        source: Any,
        needed: Sequence[str],
        *,
        bad_rows: str = "error",
        how: How | None = None,
    ) -> None:
        self._reader, self._stops = reader, bad_rows == "error"
        self._origin = sources.source(source, reader.predicting(**(how or {})), trained=reader)
        self._first = next(self._origin.batches, {})
        self._infinite: Counter[str] = Counter()
        if not self._first:
            raise DataError(f"{self._origin.label} has 0 rows; a header line and rows are needed")
        self.names = tuple(self._first)
        found = reader.columns_of(self.names, needed, self._origin.label)
        self._columns = {
            each.name: (found[each.name], each.kind) for each in reader.columns if each.name in found
        }

    @property
    def is_text(self) -> bool:
        """Whether all columns are text, as a text file has them."""
        return self._origin.dialect is not None

    @property
    def header(self) -> tuple[str, ...]:
        """The names of all columns as the source writes them; a name may occur twice."""
        cells = tuple(self._origin.header)
        return cells if len(cells) == len(self.names) else self.names

    @property
    def notes(self) -> list[str]:
        """What a user might not expect of the source, once its rows are read."""
        return [*self._origin.said(), *infinite_lines(self._infinite)]

    def read(self, rows: int) -> Iterator[Chunk]:
        """Yield chunks of so many rows.

        Raise DataError that names bad values by their rows, once all rows are read, unless they are taken as missing.
        """
        seen = bad = 0
        lines: list[str] = []
        for raw in self._cut(rows):
            table, odd = self._values(raw)
            bad += len(odd)
            for row, name in odd[: _SHOWN - len(lines)] if self._stops else ():
                column, kind = self._columns[name]
                lines.append(misfit(name, kind, raw[column][row].as_py(), seen + row + 1))
            seen += len(raw)
            if not lines:
                yield Chunk(raw, table, len(odd))
        if not seen:
            raise DataError(f"{self._origin.label} has 0 rows; a header line and rows are needed")
        if lines:
            more = [f"and {bad - len(lines)} more"] if bad > len(lines) else []
            what = "1 value is" if bad == 1 else f"{bad} values are"
            title = f"{self._origin.label}: {what} not of the column's kind; bad_rows=missing takes such as missing"
            raise DataError("\n  ".join([title, *lines, *more]))

    def _cut(self, rows: int) -> Iterator[Any]:
        """Yield tables of so many rows from batches of any size."""
        import pyarrow as pa

        waiting: list[Any] = []
        first, self._first = self._first, {}  # so that it is let go
        for batch in itertools.chain([first], self._origin.batches):
            waiting.append(pa.Table.from_arrays([*batch.values()], names=[*batch]))
            if sum(map(len, waiting)) < rows:
                continue
            whole = pa.concat_tables(waiting)
            ends = range(rows, len(whole) + 1, rows)
            yield from (whole.slice(end - rows, rows) for end in ends)
            waiting = [whole.slice(ends[-1])]
        if sum(map(len, waiting)):
            yield pa.concat_tables(waiting)

    def _values(self, raw: Any) -> tuple[Table, list[tuple[int, str]]]:
        """Return the values of a chunk, and where bad ones are: row and column, in order."""
        columns, odd = {}, []
        for name, (column, kind) in self._columns.items():
            read = kind.read(kinds.simplified(raw[column], name), self._reader.missing_values)
            columns[name] = read.values
            self._infinite[name] += read.infinite
            odd += [(int(row), name) for row in np.flatnonzero(read.bad)]
        kinds_of = {name: kind for name, (_, kind) in self._columns.items()}
        return Table(columns, len(raw), kinds_of), sorted(odd)
