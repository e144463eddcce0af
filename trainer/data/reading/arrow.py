"""Arrow values to numpy and back, from their bytes.

What Arrow itself offers for it loads pandas where that is installed, which takes half a second: as long as scoring a
hundred thousand rows.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def as_numpy(values: Any) -> Array:
    """Return numbers or booleans of Arrow as numpy, NaN for a missing float; other missing values are not looked at."""
    import pyarrow as pa
    import pyarrow.types as pt

    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)
    kind = values.type
    if not len(values) or not (pt.is_boolean(kind) or pt.is_integer(kind) or pt.is_floating(kind)):
        return np.asarray(values.to_numpy(zero_copy_only=False))
    bits, data = values.buffers()
    if pt.is_boolean(kind):
        return _bits(data, values.offset, len(values))
    numbers = np.frombuffer(data, kind.to_pandas_dtype())[values.offset : values.offset + len(values)]
    if pt.is_floating(kind) and values.null_count:
        return np.where(_bits(bits, values.offset, len(values)), numbers, kind.to_pandas_dtype()(np.nan))
    return numbers


def of_bools(values: Array) -> Any:
    """Return booleans of numpy as an Arrow array."""
    import pyarrow as pa

    bits = pa.py_buffer(np.packbits(values, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, bits])


@lru_cache(maxsize=64)
def of_texts(values: tuple[str, ...]) -> Any:
    """Return texts as an Arrow array; kept for the next call, as they are few and the same."""
    return of_many_texts(values)


def of_many_texts(values: Sequence[str]) -> Any:
    """Return texts as an Arrow array, of less than 2 GB."""
    import pyarrow as pa

    encoded = [each.encode() for each in values]
    ends = np.cumsum([0, *map(len, encoded)]).astype(np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(values), buffers)


@lru_cache(maxsize=64)
def scalar(value: int | bool | str | None) -> Any:
    """Return a whole number, a boolean or text as an Arrow scalar; None is missing text."""
    import pyarrow as pa

    if value is None:
        return pa.nulls(1, pa.string())[0]
    if isinstance(value, str):
        return of_texts((value,))[0]
    if isinstance(value, bool):
        return of_bools(np.array([value]))[0]
    return pa.Array.from_buffers(pa.int64(), 1, [None, pa.py_buffer(np.array([value], np.int64))])[0]


def _bits(buffer: Any, offset: int, count: int) -> Array:
    return np.unpackbits(np.frombuffer(buffer, np.uint8), count=offset + count, bitorder="little")[
        offset:
    ].astype(bool)
