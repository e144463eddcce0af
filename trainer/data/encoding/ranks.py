"""The numbers of a column that its encoding is fitted to: median, spread, and knots evenly in rank.

All of it comes from the values in order, so that a column in a file needs no second copy in memory.
"""

from functools import cached_property
from typing import Any

import numpy as np

from trainer.data.reading import cache
from trainer.data.reading.columns import Array, Long
from trainer.data.reading.writers import gathered_in_file

LARGEST = 1e100  # larger numbers are clipped, so that the sum of their squares is finite


def clipped(values: Array) -> Array:
    """Return floats whose squares are finite; infinite ones are missing."""
    return np.clip(np.where(np.isfinite(values), values, np.nan), -LARGEST, LARGEST)


class Sample:
    """The present numbers of a column, in the order of their rows."""

    def __init__(self, values: Any) -> None:
        if isinstance(values, Long):
            count = sum(int(np.isfinite(block).sum()) for block in values.blocks())
            self.present = gathered_in_file(values, count)
            np.clip(self.present, -LARGEST, LARGEST, out=self.present)
            self._spare = cache.scratch(count, np.float64)
        else:
            self.present = values[~np.isnan(values)]
            self._spare = np.empty(len(self.present))
        self.has_missing = len(self.present) < len(values)

    def __len__(self) -> int:
        return len(self.present)

    @cached_property
    def ordered(self) -> Array:
        """The numbers in order."""
        self._spare[:] = self.present
        self._spare.sort()
        return self._spare

    @property
    def median(self) -> float:
        """The number in the middle, or the mean of two."""
        low, high = self.ordered[(len(self) - 1) // 2], self.ordered[len(self) // 2]
        return float(low if len(self) % 2 else (low + high) / 2)

    @property
    def mean_and_spread(self) -> tuple[float, float]:
        """The mean and the standard deviation."""
        mean = self.present.mean()
        steps = self._spare
        self.__dict__.pop("ordered", None)
        np.subtract(self.present, mean, out=steps)
        np.multiply(steps, steps, out=steps)
        return float(mean), float(np.sqrt(steps.sum() / len(steps)))

    def spread(self, count: int) -> tuple[Array, Array]:
        """Return at most `count` of the values, evenly in rank, with the first and the last; and their ranks."""
        low, high = np.zeros(count, np.int64), np.full(count, len(self) - 1)
        ends = self.ranks(self.ordered[[0, -1]])
        wanted = np.linspace(ends[0], ends[1], count)
        while (low < high).any():  # the first value whose rank is at least the wanted one
            middle = (low + high) // 2
            reaches = self.ranks(self.ordered[middle]) >= wanted
            high = np.where(reaches, middle, high)
            low = np.where(reaches, low, np.minimum(middle + 1, high))
        chosen = np.unique(self.ordered[low])
        return chosen, self.ranks(chosen)

    def ranks(self, values: Array) -> Array:
        """Return the mean rank of values among all, between 0 and 1."""
        first = np.searchsorted(self.ordered, values)
        last = np.searchsorted(self.ordered, values, side="right")
        ranks: Array = (last - (last - first) / 2) / len(self)
        return ranks
