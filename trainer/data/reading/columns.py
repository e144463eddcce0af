"""A column of a table that is larger than memory: its values lie in a mapped file and are read a block of rows at a time.

Pages of a mapped file belong to the system's cache, not to the process. A column of text is a code per row, and its labels
in another file. What it costs to know of all values at once, such as how many differ, was found when the file was written.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trainer.data.reading import cache

Array = np.ndarray[Any, Any]

BLOCK = 1 << 16  # rows read at a time
NONE = -1  # the code of a missing value


@dataclass(frozen=True)
class Facts:
    """What is known of all values of a column in a file."""

    present: int
    distinct: int
    whole: bool  # numbers without a fraction, none missing
    ordered: bool  # each larger than the one before, or each smaller
    signature: str  # the same for columns of the same values
    infinite: int = 0


@dataclass(frozen=True, eq=False)
class Long:
    """Values in a file, or some rows of them; `base` holds float64 values, with `labels` int32 codes.

    numpy takes it where it takes an array, and then copies all of it into memory.
    """

    base: Array
    facts: Facts
    labels: Any = None  # an Arrow array of distinct texts
    rows: Array | None = None
    own: bool = True  # the facts are of these rows, not of all in the file

    ndim = 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the values: float64, or object for text."""
        return np.dtype(np.float64 if self.labels is None else object)

    def __len__(self) -> int:
        return len(self.base if self.rows is None else self.rows)

    def __getitem__(self, chosen: Any) -> Any:
        """Return one value, values in memory for a slice, or for an array the rows it names, still in the file."""
        if isinstance(chosen, slice):
            start, stop, step = chosen.indices(len(self))
            return self.valued(self.stored(start, stop))[::step] if step > 0 else np.asarray(self)[chosen]
        if np.ndim(chosen) == 0:
            return self.valued(self.stored(int(chosen) % len(self), int(chosen) % len(self) + 1))[0]
        wanted = np.asarray(chosen)
        wanted = np.flatnonzero(wanted) if wanted.dtype == bool else wanted
        return replace(self, rows=wanted if self.rows is None else self.rows[wanted], own=False)

    def __iter__(self) -> Iterator[Any]:
        for block in self.blocks():
            yield from self.valued(block).tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        parts = [self.valued(block) for block in self.blocks()]
        values = np.concatenate(parts) if parts else np.empty(0, self.dtype)
        return values if dtype is None else values.astype(dtype)

    def tolist(self) -> list[Any]:
        """Return all values as Python objects."""
        return list(self)

    def stored(self, start: int, stop: int) -> Array:
        """Return what the file holds for some rows: values, or codes."""
        if self.rows is not None:
            return cache.taken(self.base, self.rows[start:stop])
        cache.touch((stop - start) * self.base.itemsize)
        return self.base[start:stop]

    def blocks(self) -> Iterator[Array]:
        """Yield what the file holds, a block of rows at a time."""
        for start in range(0, len(self), BLOCK):
            yield self.stored(start, start + BLOCK)

    def valued(self, stored: Array) -> Array:
        """Return what the file holds as values: codes as their texts, None for missing."""
        import pyarrow as pa

        if self.labels is None:
            return stored
        return np.asarray(
            self.labels.take(pa.array(stored, mask=stored == NONE)).to_numpy(zero_copy_only=False)
        )

    def counts(self) -> Array:
        """Return how many rows have each code; the last count is of missing values."""
        counts = np.zeros(len(self.labels) + 1, np.int64)
        for block in self.blocks():
            np.add.at(counts, block, 1)  # -1 is the last
        return counts

    def first_texts(self, count: int) -> list[str]:
        """Return the first so many distinct texts, in the order in which they appear."""
        import pandas as pd

        found = np.empty(0, np.int32)
        for block in self.blocks():
            found = pd.unique(np.concatenate([found, block[block != NONE]]))
            if len(found) >= count:
                break
        return [self.labels[int(code)].as_py() for code in found[:count]]

    def texts(self) -> list[str | None]:
        """Return the texts of all codes, and None, the last, for a missing value."""
        return [*self.labels.to_pylist(), None]


def is_long(values: Any) -> bool:
    """Whether the values of a column lie in a file."""
    return isinstance(values, Long)
