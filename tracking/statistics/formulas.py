"""Metrics of predictions, as scikit-learn defines those that it has.

Each takes the target and the predictions of a split, and what its rows count for, if that differs. A metric that is not
defined is NaN. For classes the target holds codes; predictions are the probability of class 1, or one of each class.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tracking.statistics import ranked

Array = np.ndarray[Any, Any]
CALIBRATION_BINS = 10


def auc(target: Array, score: Array, weight: Array | None = None) -> float:
    """Return the area under the ROC curve; NaN when only one class occurs or a score is NaN."""
    if np.isnan(score).any():
        return float("nan")
    return ranked.roc_area(target > 0, score, weight)


def macro_auc(target: Array, chances: Array, weight: Array | None = None) -> float:
    """Return the mean over the classes of the area under the ROC curve of a class against the rest.

    A class that does not occur has none and does not count.
    """
    return _mean(auc(target == code, chances[:, code], weight) for code in np.unique(target))


def average_precision(target: Array, chance: Array, weight: Array | None = None) -> float:
    """Return the area under the precision-recall curve; NaN without a positive row."""
    return ranked.average_precision(target > 0, chance, weight)


def balanced_accuracy(target: Array, chances: Array, weight: Array | None = None) -> float:
    """Return the mean share of each class's rows that is predicted right."""
    right, counts = decided(chances) == target, np.ones(len(target)) if weight is None else weight
    shares = (
        np.average(right[rows], weights=counts[rows]) for rows in _classes(target) if counts[rows].any()
    )
    return _mean(shares)


def f1(target: Array, chance: Array, weight: Array | None = None) -> float:
    """Return the harmonic mean of precision and recall of the positive class, at one half."""
    return float(confused(target, decided(chance), 2, weight).f1[1])


def macro_f1(target: Array, chances: Array, weight: Array | None = None) -> float:
    """Return the mean F1 of the classes that occur."""
    found = confused(target, decided(chances), chances.shape[1], weight)
    return float(found.f1[np.unique(target)].mean())


def brier(target: Array, chance: Array, weight: Array | None = None) -> float:
    """Return the mean squared difference between probability and outcome."""
    return float(np.average((target - chance) ** 2, weights=weight))


def calibration_error(target: Array, chance: Array, weight: Array | None = None) -> float:
    """Return the expected calibration error.

    It is the mean difference between predicted and observed frequency over ten bins of equal width, weighted by rows.
    """
    gaps, rows = _gaps(target, chance, weight)
    return float(gaps.sum() / rows.sum())


def max_calibration_error(target: Array, chance: Array, weight: Array | None = None) -> float:
    """Return the largest difference between predicted and observed frequency in ten bins of equal width."""
    gaps, rows = _gaps(target, chance, weight)
    return float((gaps[rows > 0] / rows[rows > 0]).max())


def width_bins(chance: Array) -> Array:
    """Return the number of the bin of equal width that each probability is in."""
    return np.minimum((chance * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)


def _gaps(target: Array, chance: Array, weight: Array | None) -> tuple[Array, Array]:
    """Return by how much predictions and outcomes differ in each bin, summed over its rows, and what these count for."""
    bins = width_bins(chance)
    counts = np.ones(len(target)) if weight is None else weight
    gaps = np.bincount(bins, weights=(target - chance) * counts, minlength=CALIBRATION_BINS)
    return np.abs(gaps), np.bincount(bins, weights=counts, minlength=CALIBRATION_BINS)


def log_loss(target: Array, chances: Array, weight: Array | None = None) -> float:
    """Return the mean of `log_losses`."""
    return float(np.average(log_losses(target, chances), weights=weight))


def log_losses(target: Array, chances: Array) -> Array:
    """Return the negative logarithm of the chance of the class of each row; a chance of 0 costs 708."""
    if chances.ndim == 2:
        chance = chances[np.arange(len(target)), target]
    else:
        chance = np.where(target > 0.5, chances, 1 - chances)
    return np.asarray(-np.log(np.maximum(chance, np.finfo(np.float64).tiny)))


def accuracy(target: Array, chances: Array, weight: Array | None = None) -> float:
    """Return the share of the rows whose class is predicted."""
    return float(np.average(decided(chances) == target, weights=weight))


def rmse(target: Array, value: Array, weight: Array | None = None) -> float:
    """Return the root of the mean squared error, in the unit of the target."""
    return float(np.sqrt(np.average((target - value) ** 2, weights=weight)))


def mse(target: Array, value: Array, weight: Array | None = None) -> float:
    """Return the mean squared error."""
    return float(np.average((target - value) ** 2, weights=weight))


def mae(target: Array, value: Array, weight: Array | None = None) -> float:
    """Return the mean absolute error, in the unit of the target."""
    return float(np.average(np.abs(target - value), weights=weight))


def r2(target: Array, value: Array, weight: Array | None = None) -> float:
    """Return the share of the target's variance that the predictions explain; NaN when it has none."""
    spread = float(np.average((target - np.average(target, weights=weight)) ** 2, weights=weight))
    if np.ptp(target) == 0 or spread == 0:
        return float("nan")
    return 1 - float(np.average((target - value) ** 2, weights=weight)) / spread


def decided(chances: Array) -> Array:
    """Return the class that is predicted for each row: the likelier one of two, the likeliest of several."""
    return chances.argmax(axis=1) if chances.ndim == 2 else (chances > 0.5).astype(np.int64)


def by_class(
    target: Array, chances: Array, classes: tuple[str, ...], weight: Array | None = None
) -> list[dict[str, Any]]:
    """Return precision, recall, F1, AUC and the number of rows of each class."""
    table = confused(target, decided(chances), len(classes), weight)
    return [
        {
            "class": name,
            "rows": int((target == code).sum()),
            "precision": float(table.precision[code]),
            "recall": float(table.recall[code]),
            "f1": float(table.f1[code]),
            "auc": auc(target == code, chances[:, code], weight),
        }
        for code, name in enumerate(classes)
    ]


class Confused(NamedTuple):
    """What the rows of each class count for, classes along the last axis: predicted right, predicted as it, of it."""

    right: Array
    predicted: Array
    actual: Array

    @property
    def precision(self) -> Array:
        """The share of the rows predicted as a class that are of it."""
        return _ratio(self.right, self.predicted)

    @property
    def recall(self) -> Array:
        """The share of the rows of a class that are predicted as it."""
        return _ratio(self.right, self.actual)

    @property
    def f1(self) -> Array:
        """The harmonic mean of precision and recall."""
        return _ratio(2 * self.right, self.predicted + self.actual)


def confused(target: Array, predicted: Array, classes: int, weight: Array | None) -> Confused:
    """Count rows by their class and the one that is predicted."""
    actual = target.astype(np.int64)
    right = predicted == actual
    held = None if weight is None else weight[right]
    return Confused(
        np.bincount(actual[right], weights=held, minlength=classes),
        np.bincount(predicted, weights=weight, minlength=classes),
        np.bincount(actual, weights=weight, minlength=classes),
    )


def _ratio(part: Array, whole: Array) -> Array:
    """Return shares; 0 of nothing."""
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)


def _classes(target: Array) -> Iterator[Array]:
    """Yield which rows are of each class."""
    return (target == code for code in np.unique(target))


def _mean(values: Any) -> float:
    found = list(values)
    return float(np.mean(found)) if found else float("nan")
