"""Splits rows into train, val and test, by ratio or by time.

A split depends on the seed of the data, not on that of the run, so that runs which differ in `seed` alone
are scored on the same rows.
"""

import numpy as np

from trainer.data.encode import Array


def by_ratio(target: Array, *, val_fraction: float, test_fraction: float, seed: int) -> list[Array]:
    """Return the row numbers of train, val and test, each with the same share of every class.

    Rows are drawn at random within each class, and stay in file order inside a split. A class of three rows or more has one
    in each split at least.
    """
    draw = np.random.default_rng([seed, 1])  # `ctr` draws its rows from [seed, 0]
    parts: list[list[Array]] = [[], [], []]
    smallest = [int(round(len(target) * each) > 0) for each in (test_fraction, val_fraction)]
    values, first = np.unique(target, return_index=True)
    # In order of appearance, so that another positive class does not change the split.
    for value in values[np.argsort(first)]:
        rows = draw.permutation(np.flatnonzero(target == value))
        test, val = round(len(rows) * test_fraction), round(len(rows) * val_fraction)
        if len(rows) >= 3:
            test, val = max(test, smallest[0]), max(val, smallest[1])
        chosen = (rows[test + val :], rows[test : test + val], rows[:test])
        for part, each in zip(parts, chosen, strict=True):
            part.append(each)
    return [np.sort(np.concatenate(part)) if part else np.empty(0, np.int64) for part in parts]


def by_time(time: Array, *, val_fraction: float, test_fraction: float) -> list[Array]:
    """Return the row numbers of train, val and test, oldest rows first; equal times keep file order."""
    rows = np.argsort(time, kind="stable")
    test, val = round(len(rows) * test_fraction), round(len(rows) * val_fraction)
    train = len(rows) - test - val
    return [rows[:train], rows[train : train + val], rows[train + val :]]
