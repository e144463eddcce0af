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


class Order(NamedTuple):
    """Rows from the highest score to the lowest, and where each run of equal scores ends; one sort serves many weights."""

    rows: Array
    last: Array
    is_positive: Array  # of the rows in this order

    def levels(self, weight: Array) -> tuple[Array, Array]:
        """Return the hits and the false ones of each level, for weights of shape [rows]."""
        counts = weight[self.rows].astype(np.float64)
        hits = np.cumsum(np.where(self.is_positive, counts, 0.0))[self.last]
        return hits, np.cumsum(np.where(self.is_positive, 0.0, counts))[self.last]


def ordered(is_positive: Array, score: Array, *, stable: bool = True) -> Order:
    """Sort scores, which hold no NaN. The order of ties matters only to the rounding of sums of weights."""
    rows = np.argsort(score, kind="stable" if stable else None)[::-1]
    score = score[rows]
    last = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)
    return Order(rows, last, is_positive[rows])


def levels(is_positive: Array, score: Array, weight: Array | None = None) -> Levels:
    """Return the levels of scores, which hold no NaN; `weight` says what each row counts for."""
    order = ordered(is_positive, score, stable=weight is not None)
    scores = score[order.rows[order.last]]
    if weight is None:
        hits = np.cumsum(order.is_positive, dtype=np.float64)[order.last]
        return Levels(scores, hits, order.last + 1 - hits)
    return Levels(scores, *order.levels(weight))


def roc_area(is_positive: Array, score: Array, weight: Array | None = None) -> float:
    """Return the area under the ROC curve, where ties count half; NaN when the rows of a class count for nothing."""
    _, hits, false = levels(is_positive, score, weight)
    return area_of(hits, false)


def area_of(hits: Array, false: Array) -> float:
    """Return the area under the ROC curve of these levels; NaN when the rows of a class count for nothing."""
    whole = hits[-1] * false[-1]
    if not whole > 0:
        return float("nan")
    heights = hits + np.append(0.0, hits[:-1])
    return float((np.diff(false, prepend=0.0) * heights).sum() / (2 * whole))


def average_precision(is_positive: Array, score: Array, weight: Array | None = None) -> float:
    """Return the mean precision over the gains in recall; NaN when the positive rows count for nothing."""
    _, hits, false = levels(is_positive, score, weight)
    return precision_of(hits, false)


def precision_of(hits: Array, false: Array) -> float:
    """Return the average precision of these levels; NaN when the positive rows count for nothing."""
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


def placements(positive: Array, scores: Array, counts: Array) -> Array:
    """Return for each row the share of the rows of the other class that it is on the right side of; ties count half.

    These are the structural components of DeLong, DeLong and Clarke-Pearson (1988): their mean over the rows of either class
    is the area under the ROC curve. They come from sorting, as in Sun and Xu (2014), not from pairs.
    """
    found = np.empty(len(scores))
    for rows, sign in ((positive, 1.0), (~positive, -1.0)):
        others = sign * scores[~rows]
        order = np.argsort(others)
        below = np.concatenate([[0.0], np.cumsum(counts[~rows][order])])
        first, last = (
            np.searchsorted(others[order], sign * scores[rows], side=side) for side in ("left", "right")
        )
        found[rows] = (below[first] + below[last]) / 2 / below[-1]
    return found


def _shares(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
