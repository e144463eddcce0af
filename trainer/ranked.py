"""What the order of scores says of two classes: the ROC curve, the precision-recall curve, and the areas under them.

All of it follows from one sort: how much of the rows of each class has at least each score. The definitions are those of
scikit-learn, whose import takes as long as thousands of such sorts.
"""

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Levels(NamedTuple):
    """The distinct scores from the highest to the lowest, and what the rows of each class with at least this score count for."""

    scores: Array
    hits: Array  # of the positive class
    false: Array  # of the negative class


def levels(is_positive: Array, score: Array, weight: Array | None = None) -> Levels:
    """Return the levels of scores, which hold no NaN; `weight` says what each row counts for."""
    # The order of ties matters only to the rounding of sums of weights.
    order = np.argsort(score, kind=None if weight is None else "stable")[::-1]
    score, is_positive = score[order], is_positive[order]
    last = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)  # of each run of equal scores
    if weight is None:
        hits = np.cumsum(is_positive, dtype=np.float64)[last]
        return Levels(score[last], hits, last + 1 - hits)
    counts = weight[order].astype(np.float64)
    hits = np.cumsum(np.where(is_positive, counts, 0.0))[last]
    return Levels(score[last], hits, np.cumsum(np.where(is_positive, 0.0, counts))[last])


def roc_area(is_positive: Array, score: Array, weight: Array | None = None) -> float:
    """Return the area under the ROC curve, where ties count half; NaN when the rows of a class count for nothing."""
    _, hits, false = levels(is_positive, score, weight)
    whole = hits[-1] * false[-1]
    if not whole > 0:
        return float("nan")
    heights = hits + np.append(0.0, hits[:-1])
    return float((np.diff(false, prepend=0.0) * heights).sum() / (2 * whole))


def average_precision(is_positive: Array, score: Array, weight: Array | None = None) -> float:
    """Return the mean precision over the gains in recall; NaN when the positive rows count for nothing."""
    _, hits, false = levels(is_positive, score, weight)
    if not hits[-1] > 0:
        return float("nan")
    gains = np.diff(hits / hits[-1], prepend=0.0) * _shares(hits, hits + false)
    return float(gains[::-1].sum())  # from the lowest score on, as scikit-learn sums


def roc_curve(is_positive: Array, score: Array, weight: Array | None = None) -> tuple[Array, Array]:
    """Return the rates of false and of true positives, from (0, 0) to (1, 1); points within a straight line are left out."""
    _, hits, false = levels(is_positive, score, weight)
    if len(hits) > 2:
        bends = (np.diff(false, 2) != 0) | (np.diff(hits, 2) != 0)
        kept = np.concatenate([[True], bends, [True]])
        hits, false = hits[kept], false[kept]
    return np.append(0.0, false) / false[-1], np.append(0.0, hits) / hits[-1]


def precision_recall_curve(
    is_positive: Array, score: Array, weight: Array | None = None
) -> tuple[Array, Array]:
    """Return precision and recall from the lowest score to the highest, then precision 1 at recall 0."""
    _, hits, false = levels(is_positive, score, weight)
    precision, recall = _shares(hits, hits + false), hits / hits[-1]
    return np.append(precision[::-1], 1.0), np.append(recall[::-1], 0.0)


def _shares(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
