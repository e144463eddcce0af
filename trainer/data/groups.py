"""Splits rows so that those of one group stay together, near the wanted sizes and shares of each class.

Groups alike in their classes are dealt out by the shares. What is left goes, the largest first, to the part that lacks it
most. Then a part that lacks a class gets a group of it, where others can spare one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer.data.encode import Array
from trainer.data.reading.columns import Long
from trainer.errors import DataError, some_rows

_MOST_CELLS = 20_000_000  # counts of groups by classes; beyond, groups are split by their sizes alone


def group_codes(values: Array | Long, name: str) -> Array:
    """Return a number for each row's group; raise DataError for rows without one."""
    import pandas as pd

    if isinstance(values, Long) and values.labels is not None:  # without a text for each row
        stored = np.concatenate([np.empty(0, np.int32), *values.blocks()])
        codes = np.where(stored < 0, stored, pd.factorize(stored)[0])
    else:
        codes = np.asarray(pd.factorize(np.asarray(values))[0])
    if (codes < 0).any():
        raise DataError(
            f"data.group_column={name!r} is missing in {some_rows(codes < 0)}; give each such row a value"
        )
    return codes


def distinct(values: Array | Long) -> list[Any]:
    """Return the values of a column that differ."""
    if isinstance(values, Long) and values.labels is not None:
        return values.first_texts(len(values.labels))
    return [*{*np.asarray(values).tolist()}]


def by_group(groups: Array, strata: Array, shares: Sequence[float], draw: np.random.Generator) -> list[Array]:
    """Return the row numbers of parts of these shares, in file order; the rows of a group are in one part.

    Raise DataError for fewer groups than parts.
    """
    parts = len(shares)
    counts = _counts(groups, strata)
    if len(counts) < parts:
        raise DataError(f"has {len(counts)} groups; {parts} parts need one each at least")
    placed = _dealt(counts, np.asarray(shares, float), draw)
    _fill(placed, counts, parts)
    return [np.flatnonzero(placed[groups] == part) for part in range(parts)]


def _counts(groups: Array, strata: Array) -> Array:
    """Return how many rows each group has: of each class, then of all."""
    _, classes = np.unique(strata, return_inverse=True)
    size, kinds = int(groups.max(initial=-1)) + 1, int(classes.max(initial=-1)) + 1
    if size * kinds > _MOST_CELLS:
        classes, kinds = np.zeros(len(groups), np.int64), 1
    counts = np.bincount(groups * kinds + classes, minlength=size * kinds).reshape(size, kinds)
    return np.column_stack([counts, counts.sum(axis=1)])


def _dealt(counts: Array, shares: Array, draw: np.random.Generator) -> Array:
    """Return the part of each group."""
    patterns, kind = np.unique(counts, axis=0, return_inverse=True)
    members = np.split(np.argsort(kind, kind="stable"), np.cumsum(np.bincount(kind))[:-1])
    total = np.maximum(counts.sum(axis=0), 1)
    wanted, held = shares[:, None] * total, np.zeros((len(shares), counts.shape[1]))
    placed = np.full(len(counts), -1)
    left: list[int] = []
    for pattern, alike in zip(patterns, members, strict=True):
        alike = draw.permutation(alike)
        sure = np.floor(shares * len(alike)).astype(int)
        placed[alike[: sure.sum()]] = np.repeat(np.arange(len(shares)), sure)
        held += sure[:, None] * pattern
        left += alike[sure.sum() :].tolist()
    for group in sorted(left, key=lambda each: -counts[each, -1]):
        gains = ((held + counts[group] - wanted) / total) ** 2 - ((held - wanted) / total) ** 2
        placed[group] = int(gains.sum(axis=1).argmin())
        held[placed[group]] += counts[group]
    return placed


def _fill(placed: Array, counts: Array, parts: int) -> None:
    """Move the smallest groups that can be spared to the parts that lack any group, or one of a class, the rarest first."""
    has = counts > 0
    held = np.stack([has[placed == part].sum(axis=0) for part in range(parts)])
    rows = counts.shape[1] - 1
    for column in (rows, *np.argsort(has[:, :rows].sum(axis=0), kind="stable")):
        for part in np.flatnonzero(held[:, column] == 0):
            # One that leaves another part no group of some class would only move the fault; but no part may be empty.
            heeded = [rows] if column == rows else [*range(rows + 1)]
            spared = [
                group
                for group in np.flatnonzero(has[:, column])
                if all(held[placed[group], each] > 1 for each in heeded if has[group, each])
            ]
            if spared:
                group = min(spared, key=lambda each: (counts[each, -1], each))
                held[placed[group]] -= has[group]
                held[part] += has[group]
                placed[group] = part
