"""The columns of the deciding rows as they were read: whole ones for slices and clusters, one row's values for a prediction."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from trainer.data.encode import Array, Table
from trainer.data.reading import header, kinds
from trainer.data.reading.evidence import Evidence
from trainer.data.reading.files import sources
from trainer.data.reading.kinds import Time
from trainer.data.reading.reader import Reader
from trainer.data.reading.reader import Table as ReadTable
from trainer.data.reading.spelling.times import CLOCK

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RawColumns(Mapping[str, Array]):
    """Columns by name, each made when it is asked for: texts, with None for missing, or numbers, with NaN.

    Times are ISO 8601 texts. All columns of the table are there, features or not, and the `further` ones of its file.
    """

    def __init__(self, table: Table, further: Mapping[str, Array] | None = None) -> None:
        self._table, self._further = table, further or {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._table:
            return self._further[name]
        values = np.asarray(self._table[name])
        return _spelled(values) if _is_time(self._table, name) else values

    def __iter__(self) -> Iterator[str]:
        names: Any = self._table
        yield from map(str, names)
        yield from (name for name in self._further if name not in self._table)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class FurtherColumns(Mapping[str, Array]):
    """The columns of a file that the training table lacks, as texts with None for missing, each read when it is asked for.

    A name of who a row belongs to, such as a user, is what no model trains on. `rows` are the numbers of the rows that count.
    """

    def __init__(self, reader: Reader, file: Path, rows: Array) -> None:
        self._reader, self._file, self._rows = reader, file, rows

    @cached_property
    def _names(self) -> list[str]:
        given = [*next(self._source().batches, {})]
        wanted = {each.name: each.position for each in self._reader.columns}
        known = {*wanted, *header.matched(given, wanted).values()}
        return [name for name in given if name not in known]

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        values = kinds.simplified(self._source().gathered([name])[name], name)
        missing, seen = self._reader.missing_values, Evidence()
        seen.see(values, missing, wanted="text")
        return seen.text().read(values, missing).values[self._rows]

    def _source(self) -> sources.Source:
        return sources.source(str(self._file), self._reader.reading, trained=self._reader)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def as_asked(table: Table, names: Sequence[str], row: int, *, as_lists: bool) -> dict[str, Any]:
    """Return one row as a user gives it to `Predictor.predict`: a value for each column, or for no reader a list of one."""
    if as_lists or not isinstance(table, ReadTable):
        return {name: [_plain(np.asarray(table[name])[row])] for name in names}
    return {name: _given(table, name, row) for name in names}


def _given(table: ReadTable, name: str, row: int) -> Any:
    value: Any = table[name][row]
    kind = table.kinds[name]
    if value is None or value != value:
        return None
    if not isinstance(kind, Time):
        return _plain(value)
    moment = _EPOCH + timedelta(seconds=float(value))
    return moment.time() if kind.style == CLOCK else moment


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _is_time(table: Table, name: str) -> bool:
    if not isinstance(table, ReadTable):
        return False
    kind = table.kinds[name]
    return isinstance(kind, Time) and kind.style != CLOCK


def _spelled(seconds: Array) -> Array:
    """Return seconds since 1970 as texts: days where none has a time of day."""
    known = ~np.isnan(seconds)
    unit = "D" if (seconds[known] % 86_400 == 0).all() else "s"
    moments = (
        np.where(known, seconds, 0).astype(np.int64).astype("datetime64[s]").astype(f"datetime64[{unit}]")
    )
    texts = moments.astype(str).astype(object)
    texts[~known] = None
    return texts
