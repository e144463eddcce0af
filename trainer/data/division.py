"""Divides the rows of a table into train, val, test and promotion: by ratio, by time, by groups or by folds.

With folds the test rows are the same for each fold. The other rows are cut into folds once, whichever fold is asked for, and
that fold is the validation split: the objective that ranks is a validation metric, and its mean over the folds is of every row.

Of the test rows some are kept for the gate that promotes models (see `Way.kept_apart`). No job trains, validates or tests on
them, so neither a sweep's choice nor what its user saw of it depends on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trainer.data.encode import Array
from trainer.data.groups import by_group
from trainer.data.splits import by_ratio, by_time, in_time
from trainer.errors import DataError

PARTS = ("train", "val", "test")
FEWEST_KEPT = 100  # promotion rows; the gate decides nothing on fewer
_KEPT = 3  # the stream that they are drawn from; `by_ratio` has 1, groups and folds have 2


@dataclass(frozen=True)
class Folds:
    """How many folds there are, and the number of the one to validate on."""

    count: int
    number: int

    @classmethod
    def asked(cls, folds: int | None, fold: int | None) -> "Folds | None":
        """Return what the keys of a config ask for: no folds, unless both say it."""
        return None if folds is None or fold is None else cls(folds, fold)


@dataclass(frozen=True)
class Division:
    """The row numbers of train, val, test and, if any are kept, promotion; with folds also the fold of each row of the table.

    The fold of test and promotion rows is -1. Rows that are never validated on, the oldest of folds in time, have the number after the last fold.
    """

    rows: list[Array]
    folds: Array | None = None


@dataclass(frozen=True)
class Way:
    """How rows are divided.

    Without a `test` share no row is for testing. `promotion` is the share of the test rows that is kept for the gate. `times`
    and `groups` hold a value for each row; their names are for messages.
    """

    val: float
    test: float
    seed: int
    folds: Folds | None = None
    times: Array | None = None
    time_name: str = ""
    groups: Array | None = None
    group_name: str = ""
    promotion: float = 0.0

    @property
    def told(self) -> str:
        """Name what a split keeps to, where it is more than the shares of classes; else empty."""
        if self.times is not None:
            return f"rows are split by data.time_column={self.time_name!r}"
        return "" if self.groups is None else f"groups of data.group_column={self.group_name!r} stay together"

    def divide(self, strata: Array) -> Division:
        """Return a division of rows whose classes are `strata`; raise DataError when there are too few."""
        try:
            found = self._whole(strata) if self.folds is None else self._folded(strata, self.folds)
        except DataError as error:  # of a part of the rows, which knows no key
            key = (
                f"data.time_column={self.time_name!r}"
                if self.times is not None
                else f"data.group_column={self.group_name!r}"
            )
            raise DataError(f"{key} {error}") from None
        return replace(found, rows=[*found.rows[:2], *self.kept_apart(found.rows[2], strata)])

    def kept_apart(self, rows: Array, strata: Array) -> list[Array]:
        """Return test rows as those to test on and those to keep for the promotion gate, the latter in file order.

        Their share is kept: at random within each class, the newest in time, or whole groups. Which ones depends on the
        rows, their classes and the seed of the data alone, so it is the same for every fold, feature choice and seed of a run.
        Return the rows as one part, so that none is kept, where fewer than FEWEST_KEPT would be, where they have one time or
        one group, or where one of two classes would be missing on either side.
        """
        if not self.promotion or not len(rows):
            return [rows]
        classes = strata[rows]
        try:
            test, kept = self._cut_in_two(rows, classes)
        except DataError:  # one time, or one group
            return [rows]
        found = [classes[test], classes[kept]]
        lacks = len(np.unique(classes)) == 2 and any(len(np.unique(each)) < 2 for each in found)
        return (
            [rows] if len(kept) < FEWEST_KEPT or not len(test) or lacks else [rows[test], np.sort(rows[kept])]
        )

    def _cut_in_two(self, rows: Array, classes: Array) -> tuple[Array, Array]:
        """Return the places of rows to test on, and of rows to keep."""
        shares = [1 - self.promotion, self.promotion]
        if self.times is not None:
            older, newer = in_time(self.times[rows], shares)
            return np.sort(older), np.sort(newer)
        if self.groups is not None:
            _, groups = np.unique(self.groups[rows], return_inverse=True)
            test, kept = by_group(groups, classes, shares, np.random.default_rng([self.seed, _KEPT]))
            return test, kept
        test, _, kept = by_ratio(
            classes, val_fraction=0, test_fraction=self.promotion, seed=self.seed, stream=_KEPT
        )
        return test, kept

    def notes(self, rows: Sequence[Array]) -> list[str]:
        """Return a line for each split that is far from its share of the rows, because what belongs together is large."""
        rows = [*rows[:2], np.concatenate(rows[2:])]  # those that are kept were test rows
        total = sum(map(len, rows))
        if not self.told or self.folds is not None or not total:
            return []
        shares = {"train": 1 - self.val - self.test, "val": self.val, "test": self.test}
        far = [
            f"{name} has {len(each) / total:.0%} of the rows, not {share:.0%}"
            for (name, share), each in zip(shares.items(), rows, strict=True)
            if abs(len(each) / total - share) > max(0.03, share / 5)
        ]
        return [f"{self.told}, so {', '.join(far)}"] if far else []

    def _whole(self, strata: Array) -> Division:
        if self.times is not None:
            return Division(by_time(self.times, val_fraction=self.val, test_fraction=self.test))
        if self.groups is None:
            return Division(by_ratio(strata, val_fraction=self.val, test_fraction=self.test, seed=self.seed))
        sizes = [1 - self.val - self.test, self.val, *([self.test] if self.test else [])]
        rows = by_group(self.groups, strata, sizes, self._draw())
        return Division(rows if self.test else [*rows, np.empty(0, np.int64)])

    def _folded(self, strata: Array, folds: Folds) -> Division:
        kept, test = self._apart(strata)
        fold = np.full(len(strata), -1)
        if self.times is not None:
            # One block more than folds, because the oldest has none before it to train on.
            blocks = in_time(self.times[kept], [1 / (folds.count + 1)] * (folds.count + 1))
            numbers = [folds.count, *range(folds.count)]
            for number, block in zip(numbers, blocks, strict=True):
                fold[kept[block]] = number
            older = np.flatnonzero(np.isin(fold, numbers[: folds.number + 1]))
            return Division([older, np.flatnonzero(fold == folds.number), test], fold)
        if self.groups is not None:
            _, groups = np.unique(self.groups[kept], return_inverse=True)
            parts = by_group(groups, strata[kept], [1 / folds.count] * folds.count, self._draw())
            for number, part in enumerate(parts):
                fold[kept[part]] = number
        else:
            fold[self._shuffled(strata, kept)] = np.arange(len(kept)) % folds.count
        train = np.flatnonzero((fold >= 0) & (fold != folds.number))
        return Division([train, np.flatnonzero(fold == folds.number), test], fold)

    def _apart(self, strata: Array) -> tuple[Array, Array]:
        """Return the rows to cut into folds, and those to test on, both in file order."""
        if not self.test:
            return np.arange(len(strata)), np.empty(0, np.int64)
        if self.times is not None:
            kept, test = in_time(self.times, [1 - self.test, self.test])
            return np.sort(kept), np.sort(test)
        if self.groups is not None:
            kept, test = by_group(self.groups, strata, [1 - self.test, self.test], self._draw())
            return kept, test
        kept, _, test = by_ratio(strata, val_fraction=0, test_fraction=self.test, seed=self.seed)
        return kept, test

    def _shuffled(self, strata: Array, rows: Array) -> Array:
        """Return rows at random, class by class, so that dealing them out in turn gives each fold its share of each."""
        draw = self._draw()
        values, first = np.unique(strata[rows], return_index=True)
        each = (rows[strata[rows] == value] for value in values[np.argsort(first)])
        return np.concatenate([draw.permutation(part) for part in each])

    def _draw(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, 2])  # `by_ratio` draws from [seed, 1]
