"""Hashes of values that are the same in every process: bins of categories, and the rows of a column in a file."""

import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from trainer.data.reading import cache
from trainer.data.reading.columns import BLOCK, Array, Long
from trainer.data.reading.kinds import spelled_float

_LARGE = 1 << 20  # labels from which a table of them is not in memory


def binned(labels: Iterable[str], bins: int) -> list[int]:
    """Return the bin of each label: CRC-32 of its UTF-8 bytes, modulo the number of bins."""
    return [zlib.crc32(each.encode()) % bins for each in labels]


def by_label(column: Long, made: Any, dtype: Any, *, missing: Any) -> Array:
    """Return a value for each label of a column, as `made` returns them for a list of labels; the last is for missing."""
    count = len(column.labels) + 1
    table = cache.scratch(count, dtype) if count > _LARGE else np.empty(count, dtype)
    for start in range(0, count - 1, BLOCK):
        texts = column.labels[start : start + BLOCK].to_pylist()
        table[start : start + len(texts)] = made(texts)
    table[-1] = missing
    return table


def of_rows(column: Long) -> Iterator[Array]:
    """Yield a hash per row, a block of rows at a time, as pandas makes it of the same values in memory.

    Labels that are all numbers have the hashes of numbers.
    """
    if column.labels is None:
        yield from map(_hashes, column.blocks())
        return
    if _are_numbers(column):
        table = by_label(
            column, lambda texts: _hashes(_floats(texts)), np.uint64, missing=_hashes([math.nan])[0]
        )
    else:
        table = by_label(column, text_hashes, np.uint64, missing=text_hashes([None])[0])
    for block in column.blocks():
        yield table[block]


def as_number(text: str) -> float | None:
    """Return the number that a text is the one spelling of, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value and spelled_float(value) == text else None


def _are_numbers(column: Long) -> bool:
    """Whether all labels that occur in the rows are numbers."""
    used = np.zeros(len(column.labels) + 1, bool)
    for block in column.blocks():
        used[block] = True
    for start in range(0, len(column.labels), BLOCK):
        texts = column.labels[start : start + BLOCK].to_pylist()
        occurs = used[start : start + len(texts)]
        if any(as_number(each) is None for each, is_used in zip(texts, occurs, strict=True) if is_used):
            return False
    return True


def _floats(texts: Sequence[str]) -> Array:
    return np.array([math.nan if (value := as_number(each)) is None else value for each in texts])


def _hashes(values: Any) -> Array:
    from pandas import Series
    from pandas.util import hash_pandas_object

    return np.asarray(hash_pandas_object(Series(values), index=False).to_numpy())


def text_hashes(texts: Sequence[str | None]) -> Array:
    """Return a hash of each text, as pandas makes it of an array of them; None is a missing one."""
    return _hashes(np.array([*texts], object))
