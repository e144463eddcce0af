"""Which rows train, which choose the model, which report: by ratio or by time.

The one idea: a split is decided by the data's own seed, never by the run's, so that runs which differ in
`seed` alone are scored on the same rows.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def by_ratio(target: Array, *, val_fraction: float, test_fraction: float, seed: int) -> list[Array]:
    """Split row numbers into train, val and test, each with the same share of every class.

    Rows are drawn at random within each class and kept in file order inside a split.
    """
    draw = np.random.default_rng([seed, 1])
    parts: list[list[Array]] = [[], [], []]
    values, first = np.unique(target, return_index=True)
    # In order of appearance: naming the other class positive must not change the split.
    for value in values[np.argsort(first)]:
        rows = draw.permutation(np.flatnonzero(target == value))
        test, val = round(len(rows) * test_fraction), round(len(rows) * val_fraction)
        for part, chosen in zip(
            parts, (rows[test + val :], rows[test : test + val], rows[:test]), strict=True
        ):
            part.append(chosen)
    return [np.sort(np.concatenate(part)) if part else np.empty(0, np.int64) for part in parts]


def by_time(time: Array, *, val_fraction: float, test_fraction: float) -> list[Array]:
    """Split row numbers from oldest to newest into train, val and test; equal times keep file order."""
    rows = np.argsort(time, kind="stable")
    test, val = round(len(rows) * test_fraction), round(len(rows) * val_fraction)
    train = len(rows) - test - val
    return [rows[:train], rows[train : train + val], rows[train + val :]]
