"""The columns of the deciding rows as they were read: whole ones for slices and clusters, one row's values for a prediction."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from trainer.data.encode import Array, Table
from trainer.data.reading.kinds import Time
from trainer.data.reading.reader import Table as ReadTable
from trainer.data.reading.spelling.times import CLOCK

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RawColumns(Mapping[str, Array]):
    """Columns by name, each made when it is asked for: texts, with None for missing, or numbers, with NaN.

    Times are ISO 8601 texts. All columns of the table are there, features or not.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def __getitem__(self, name: str) -> Array:
        if name not in self._table:
            raise KeyError(name)
        values = np.asarray(self._table[name])
        return _spelled(values) if _is_time(self._table, name) else values

    def __iter__(self) -> Iterator[str]:
        names: Any = self._table
        return iter(map(str, names))

    def __len__(self) -> int:
        return sum(1 for _ in self)


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
