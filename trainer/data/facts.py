"""What is known of all values of one column: how many differ, in which order they are, whether they tell the target.

A column in memory is coded; one in a file brings what was found when it was written, and is read a block at a time.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from trainer.data.reading.columns import NONE, Array, Long

_SAMPLE = 1000  # distinct texts of which words are counted
_CLASSES = 20  # a target of more values is a number, or is only compared with columns of as many
_MOST_CLASSES = 4096
_FEWEST, _ENOUGH = 20, 50  # rows that show that a column tells the target; few do if it has as many values
_OF_EACH = 5  # rows of each class
_RUNS, _RUN = 16, 64  # runs of rows looked at before all of them
_ROUNDED = 1e-5  # of the variance that may be off a line, as rounded values are
_WITHIN = 1e-3  # of the variance that a rounded column may leave open


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
    def ends(self) -> tuple[float, float]:
        """The first and the last number."""
        return float(self.values[0]), float(self.values[-1])

    @property
    def is_numbering(self) -> bool:
        """Whether ordered whole numbers that all differ leave none out."""
        first, last = self.ends
        return abs(last - first) == self.rows - 1

    @property
    def key(self) -> Any:
        """A value that columns of the same values share."""
        if self._codes is None:
            return self.values.facts.signature
        return hash((self.distinct, self.present, self._codes.tobytes()))

    @property
    def is_coded(self) -> bool:
        """Whether each row has a code; numbers in a file have none."""
        return self._codes is not None or self.values.labels is not None

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
    """Return how many rows have a column, if its values alone tell the target of all of them; else 0.

    Numbers tell a class if each class is one range of them, categories if each has one class, and rows enough to show it. A
    number is told by one that always rises with it, or always falls.
    """
    if column.present < max(_FEWEST, 0.9 * column.rows) or target.distinct < 2:
        return 0
    if target.distinct <= _CLASSES:
        return _tells_classes(column, target)
    if target.kind == "number":
        return _tells_numbers(column, target) if column.kind in ("number", "time") else 0
    return _renames(column, target)


def _tells_classes(column: Facts, target: Facts) -> int:
    classes, in_ranges = target.distinct, column.kind in ("number", "time")
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
    is_copy = column.distinct == classes  # under other names, which few rows show; else chance may do it
    if count < max(_FEWEST if is_copy else _ENOUGH, 0.9 * column.rows):
        return 0
    if counts.min() < (_OF_EACH if in_ranges or count < _ENOUGH else 1):
        return 0
    return count if in_ranges or column.distinct * 10 <= count else 0


def _tells_numbers(column: Facts, target: Facts) -> int:
    """Return how many rows have a number that alone tells a number: they rise together, or one falls as the other rises.

    What stands in order, such as a time, rises with anything that grows, so it must be on a line with the target.
    """
    if column.distinct <= _CLASSES:
        return 0
    starts = np.linspace(0, max(column.rows - _RUN, 0), _RUNS).astype(np.int64)
    few = np.unique(starts[:, None] + np.arange(min(_RUN, column.rows)))
    for rows in (few, None):  # a few rows show nearly always that it does not
        x, y = (np.asarray(each.values if rows is None else each.values[rows]) for each in (column, target))
        has = ~(np.isnan(x) | np.isnan(y))
        x, y = x[has], y[has]
        if len(x) < 2:
            continue
        in_order = column.kind == "time" or _rises(x) or _rises(-x)
        if not _are_on_a_line(x, y) and (in_order or not (_rises_with(x, y) or _rises_with(x, -y))):
            return 0
    return len(x) if len(x) >= max(_FEWEST, 0.9 * column.rows) else 0


def _rises(values: Array) -> bool:
    return bool((np.diff(values) >= 0).all())


def _are_on_a_line(x: Array, y: Array) -> bool:
    dx, dy = x - x.mean(), y - y.mean()
    return bool((dx @ dy) ** 2 >= (1 - _ROUNDED) * (dx @ dx) * (dy @ dy))


def _rises_with(x: Array, y: Array) -> bool:
    """Whether y never falls where x rises, and hardly differs where x is the same."""
    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    if not _rises(y):
        return False
    first = np.flatnonzero(np.diff(x, prepend=np.nan) != 0)
    means = np.add.reduceat(y, first) / np.diff(first, append=len(y))
    within = y - np.repeat(means, np.diff(first, append=len(y)))
    return bool(within @ within <= _WITHIN * ((y - y.mean()) @ (y - y.mean())))


def _renames(column: Facts, target: Facts) -> int:
    """Return how many rows have a column that is a target of many classes under other names."""
    classes = target.distinct
    if column.distinct != classes or classes > _MOST_CLASSES or not column.is_coded:
        return 0
    seen, count = _Pairs(column.largest_code, target.largest_code), 0
    for values, answers in zip(column.classes(), target.classes(), strict=True):
        has = (values >= 0) & (answers >= 0)
        count += int(has.sum())
        if not seen.tells(values[has], answers[has]):
            return 0
    return count if count >= max(10 * classes, 0.9 * column.rows) else 0


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
