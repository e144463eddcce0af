"""What is known of all values of one column: how many differ, in which order they are, whether they tell the target.

A column in memory is coded; one in a file brings what was found when it was written, and is read a block at a time.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from trainer.data.reading.columns import NONE, Array, Long

_SAMPLE = 1000  # distinct texts of which words are counted
_CLASSES = 20  # more classes than these are not compared


class Facts:
    """What the values of one column are."""

    def __init__(self, name: str, values: Any, kind: str) -> None:
        self.name, self.values, self.kind = name, values, kind
        self.rows = len(values)
        if isinstance(values, Long) and values.own:
            self._codes = None
            self.present, self.distinct = values.facts.present, values.facts.distinct
        else:
            self._codes = _coded(np.asarray(values))
            self.present = int((self._codes >= 0).sum())
            self.distinct = int(self._codes.max(initial=-1)) + 1

    @property
    def missing(self) -> float:
        """The share of rows without a value."""
        return (self.rows - self.present) / self.rows if self.rows else 0.0

    @property
    def is_whole(self) -> bool:
        """Whether all values are numbers without a fraction."""
        if self._codes is None:
            return self.kind == "number" and bool(self.values.facts.whole)
        return self.kind == "number" and bool((self.values == np.rint(self.values)).all())

    @property
    def is_ordered(self) -> bool:
        """Whether each number is larger than the one before, or each smaller."""
        if self._codes is None:
            return bool(self.values.facts.ordered)
        steps = np.diff(self.values)
        return bool((steps > 0).all() or (steps < 0).all())

    @property
    def key(self) -> Any:
        """A value that columns of the same values share."""
        if self._codes is None:
            return self.values.facts.signature
        return hash((self.distinct, self.present, self._codes.tobytes()))

    @property
    def largest_code(self) -> int:
        """How many codes there may be; some may not occur in rows of a file."""
        is_coded = self._codes is None and self.values.labels is not None
        return len(self.values.labels) if is_coded else self.distinct

    def words(self) -> tuple[float, float]:
        """Return how many words and letters its values have, on average."""
        if self._codes is None:
            texts = self.values.first_texts(_SAMPLE)
        else:
            _, first = np.unique(self._codes[self._codes >= 0], return_index=True)
            texts = self.values[self._codes >= 0][first[:_SAMPLE]]
        words = float(np.mean([len(re.findall(r"\S+", each)) for each in texts]))
        return words, float(np.mean([len(each) for each in texts]))

    def blocks(self) -> Iterator[tuple[Array, Array]]:
        """Yield codes, or numbers, a block at a time, and where they are present."""
        blocks = self.values.blocks() if self._codes is None else iter([self.values])
        for block in blocks:
            if self.kind in ("number", "time"):
                yield block, ~np.isnan(block)
            else:
                codes = block if self._codes is None else self._codes
                yield codes, codes >= 0

    def classes(self) -> Iterator[Array]:
        """Yield the class of each row of a target of few classes, a block at a time; negative for none."""
        if self._codes is not None:
            yield self._codes
        elif self.values.labels is not None:
            yield from self.values.blocks()
        else:
            found = np.unique(np.concatenate([np.unique(each) for each in self.values.blocks()]))
            for block in self.values.blocks():
                yield np.where(np.isnan(block), NONE, np.searchsorted(found, block))


def same(one: Any, other: Any) -> bool:
    """Whether two columns hold the same values."""
    if one.dtype != other.dtype:
        return False
    if isinstance(one, Long) and isinstance(other, Long) and one.own and other.own:
        return one.facts.signature == other.facts.signature
    if one.dtype == object:
        return bool(one.tolist() == other.tolist())
    return bool(np.array_equal(one, other, equal_nan=True))


def determined(column: Facts, target: Facts) -> int:
    """Return how many rows have a column, if its values alone tell the class of all of them; else 0.

    Numbers tell it if each class is one range of them, categories if each has one class and rows enough to show it.
    """
    classes = target.distinct
    if column.present < max(50, 0.9 * column.rows) or not 2 <= classes <= _CLASSES:
        return 0
    in_ranges = column.kind in ("number", "time")
    if not in_ranges and column.distinct * 10 > column.present:
        return 0
    seen: Any = _Ranges(classes) if in_ranges else _Pairs(column.largest_code, classes)
    counts = np.zeros(classes, np.int64)
    for (values, present), answers in zip(column.blocks(), target.classes(), strict=True):
        has = present & (answers >= 0)
        counts += np.bincount(answers[has], minlength=classes)
        if not seen.tells(values[has], answers[has]):
            return 0
    count = int(counts.sum())
    if count < max(50, 0.9 * column.rows) or counts.min() < (5 if in_ranges else 1):
        return 0
    return count if in_ranges or column.distinct * 10 <= count else 0


class _Ranges:
    """The range of the numbers of each class."""

    def __init__(self, classes: int) -> None:
        self._low, self._high = np.full(classes, np.inf), np.full(classes, -np.inf)

    def tells(self, values: Array, answers: Array) -> bool:
        """Take in more rows; return whether no two ranges meet."""
        for each in range(len(self._low)):
            own = values[answers == each]
            self._low[each] = min(self._low[each], own.min(initial=np.inf))
            self._high[each] = max(self._high[each], own.max(initial=-np.inf))
        order = np.argsort(self._low)
        return bool((self._high[order][:-1] < self._low[order][1:]).all())


class _Pairs:
    """The classes of each category."""

    def __init__(self, categories: int, classes: int) -> None:
        self._seen = np.zeros((categories, classes), bool)

    def tells(self, values: Array, answers: Array) -> bool:
        """Take in more rows; return whether no category has two classes."""
        self._seen[values, answers] = True
        return bool((self._seen[np.unique(values)].sum(axis=1) <= 1).all())


def _coded(values: Array) -> Array:
    """Return the rank of each value among the distinct ones, -1 for missing; text in any order."""
    import pandas as pd

    if values.dtype != object:
        _, inverse = np.unique(values, return_inverse=True)
        codes: Any = inverse.astype(np.int64)
        codes[np.isnan(values)] = -1
        return np.asarray(codes)
    return np.asarray(pd.factorize(values)[0])
