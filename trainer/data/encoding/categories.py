"""Categorical columns: their categories, in training rows enough to be learned, as codes; of very many, as bins of a hash.

Codes are 0 for a category unseen in training or rarer than `min_frequency`, 1 for a missing value, then the categories in
sorted order, or the bins.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from trainer.data.encoding.hashing import binned, by_label
from trainer.data.reading.columns import Array, Long

logger = logging.getLogger(__name__)

UNSEEN, MISSING, FIRST = 0, 1, 2  # category codes; FIRST is the first category
_SHOWN = 5  # columns named in a message


@dataclass(frozen=True)
class CategoricalColumn:
    """One categorical column: its categories in the order of their codes, which start at 2; or the number of bins."""

    name: str
    categories: tuple[str, ...]
    bins: int = 0

    @property
    def cardinality(self) -> int:
        """The number of codes, with the two reserved ones."""
        return (self.bins or len(self.categories)) + FIRST

    def transform(self, values: Any) -> Array:
        """Return the codes, int64 [N]."""
        inverse, labels = distinct(values)
        present = [each for each in labels if each is not None]
        codes = dict(zip(present, self._codes(present), strict=True))
        table = np.array([MISSING if each is None else codes[each] for each in labels], np.int64)
        return np.take(table, inverse)

    def by_label(self, values: Long) -> Array:
        """Return the code of each label of a column in a file; the last is for missing."""
        return by_label(values, self._codes, np.int32, missing=MISSING)

    def _codes(self, labels: Sequence[str]) -> list[int]:
        if self.bins:
            return [FIRST + each for each in binned(labels, self.bins)]
        codes = self._places
        return [codes.get(each, UNSEEN) for each in labels]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {label: code for code, label in enumerate(self.categories, FIRST)}


def fit_categories(
    columns: Mapping[str, Any], min_frequency: int, hash_bins: int | None
) -> tuple[CategoricalColumn, ...]:
    """Fit categorical columns, and say which ones tell little."""
    fitted, rare = [], []
    for name, values in columns.items():
        found, share = _fit_categorical(name, values, min_frequency, hash_bins)
        fitted.append(found)
        if not found.categories and not found.bins and share:
            logger.warning(
                "column %r has no category that occurs in %d training rows, so it carries almost no information; "
                "name it in data.drop or data.numeric, or lower data.min_frequency",
                name, min_frequency,
            )  # fmt: skip
        elif share > 0.5:
            rare.append(f"{name!r} ({share:.0%})")
    if rare:
        logger.warning(
            "column%s %s: most training rows hold a category that occurs in fewer than %d of them, and all of those share "
            "one code; lower data.min_frequency, or name the column in data.drop",
            "s" * (len(rare) > 1), ", ".join(rare[:_SHOWN]) + ", ..." * (len(rare) > _SHOWN), min_frequency,
        )  # fmt: skip
    return tuple(fitted)


def _fit_categorical(
    name: str, values: Any, min_frequency: int, hash_bins: int | None
) -> tuple[CategoricalColumn, float]:
    """Return a column, and the share of its present rows whose category is rare."""
    labels: Any
    if isinstance(values, Long):
        counts, labels = values.counts()[:-1], values.labels
    else:
        inverse, texts = distinct(values)
        counts, labels = np.bincount(inverse, minlength=len(texts)), texts
        counts[[place for place, each in enumerate(texts) if each is None]] = 0
    kept = np.flatnonzero(counts >= max(min_frequency, 1))
    if hash_bins is not None and len(kept) > hash_bins:
        logger.warning(
            "column %r has %d categories in the training rows; each has the code of one of %d bins, by a hash, so some "
            "share one; data.hash_bins sets how many bins there are, and null gives each category its own code",
            name, int(np.count_nonzero(counts)), hash_bins,
        )  # fmt: skip
        return CategoricalColumn(name, (), hash_bins), 0.0
    found = labels.take(kept).to_pylist() if isinstance(values, Long) else [labels[each] for each in kept]
    present = int(counts.sum())
    share = 1 - int(counts[kept].sum()) / present if present else 0.0
    return CategoricalColumn(name, tuple(sorted(set(found)))), share


def distinct(values: Any) -> tuple[Array, list[str | None]]:
    """Return codes [N] for the distinct values of a column, and the label of each code; None for missing.

    Labels are text; 3, 3.0 and "3" have the same label.
    """
    if getattr(values.dtype, "kind", "O") in "iub" and isinstance(values, np.ndarray):
        found, inverse = np.unique(values, return_inverse=True)
        return inverse, [label(value) for value in found.tolist()]
    texts = _texts(values)
    if texts is not None:
        return texts
    import pandas as pd  # takes half a second to load, so not for what a reader returns

    codes, uniques = pd.factorize(pd.Series(values), use_na_sentinel=False)
    return codes, [label(value) for value in uniques]


def _texts(values: Any) -> tuple[Array, list[str | None]] | None:
    """Return what `distinct` does, of an array of nothing but text and None, as a reader returns it; else None."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "OU":
        return None
    places: dict[Any, int] = {}
    codes = [places.setdefault(value, len(places)) for value in values.tolist()]
    labels = [*places]
    if not {*map(type, labels)} <= {str, type(None)}:
        return None
    return np.array(codes, np.int64), labels


def label(value: Any) -> str | None:
    """Return one category as text, or None for a missing one (None, NaN, NaT, NA)."""
    # The missing values of pandas are known by name, so that plain arrays do not load pandas.
    if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
        return None
    if isinstance(value, float | np.floating) and value.is_integer():
        value = int(value)
    return str(value)
