"""Splits rows into train, val and test, by ratio or by time.

A split depends on the seed of the data, not on that of the run, so that runs which differ in `seed` alone
are scored on the same rows. `division` chooses among these, groups and folds.
"""

import numpy as np

from trainer.data.encode import Array
from trainer.errors import DataError


def by_ratio(
    target: Array, *, val_fraction: float, test_fraction: float, seed: int, stream: int = 1
) -> list[Array]:
    """Return the row numbers of train, val and test, each with the same share of every class.

    Rows are drawn at random within each class, and stay in file order inside a split. A class of three rows or more has one
    in each split at least. Draws of one seed from different streams have nothing to do with each other.
    """
    draw = np.random.default_rng([seed, stream])  # `ctr` draws its rows from [seed, 0]
    parts: list[list[Array]] = [[], [], []]
    smallest = [int(round(len(target) * each) > 0) for each in (test_fraction, val_fraction)]
    values, first = np.unique(target, return_index=True)
    # In order of appearance, so that another positive class does not change the split.
    for value in values[np.argsort(first)]:
        rows = draw.permutation(np.flatnonzero(target == value))
        test, val = round(len(rows) * test_fraction), round(len(rows) * val_fraction)
        if len(rows) >= 3:
            test, val = max(test, smallest[0]), max(val, smallest[1])
            test = min(test, len(rows) - 1 - smallest[1])  # one to train on, which rounding may not leave
            val = min(val, len(rows) - 1 - test)
        chosen = (rows[test + val :], rows[test : test + val], rows[:test])
        for part, each in zip(parts, chosen, strict=True):
            part.append(each)
    return [np.sort(np.concatenate(part)) if part else np.empty(0, np.int64) for part in parts]


def by_time(time: Array, *, val_fraction: float, test_fraction: float) -> list[Array]:
    """Return the row numbers of train, val and test, oldest rows first; rows of one time are in one split.

    Rows of equal times keep file order. Raise DataError for fewer times than splits.
    """
    sizes = [1 - val_fraction - test_fraction, val_fraction, *([test_fraction] if test_fraction else [])]
    parts = in_time(time, sizes)
    return parts if test_fraction else [*parts, np.empty(0, np.int64)]


def in_time(time: Array, shares: list[float]) -> list[Array]:
    """Cut rows in the order of their times into parts of these shares, at the nearest borders between two times."""
    rows = np.argsort(time, kind="stable")
    borders = np.flatnonzero(np.diff(time[rows]) > 0) + 1
    if len(borders) < len(shares) - 1:
        raise DataError(
            f"holds {len(borders) + 1} different times; {len(shares)} parts need one each at least"
        )
    cuts: list[int] = []
    after = 0  # the first border that may come next
    # Counted from the end, as the newest rows are those that are asked for.
    wanted = [
        len(rows) - sum(round(len(rows) * each) for each in shares[place:]) for place in range(1, len(shares))
    ]
    for place, cut in enumerate(wanted):
        allowed = borders[after : len(borders) - (len(wanted) - 1 - place)]
        after += int(np.abs(allowed - cut).argmin())
        cuts.append(int(borders[after]))
        after += 1
    return np.split(rows, cuts)
