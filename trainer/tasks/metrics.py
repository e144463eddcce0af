"""Metrics of predictions, by their names; scikit-learn computes them where it has them.

Each takes the target and the predictions of a split, and what its rows count for, if that differs. A metric that is not
defined, as with NaN among the predictions, is NaN.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from trainer.data.encode import Array
from trainer.data.target import TaskKind

Metric = Callable[[Array, Array, Array | None], float]
CALIBRATION_BINS = 10


def auc(target: Array, score: Array, weight: Array | None = None) -> float:
    """Return the area under the ROC curve; NaN when only one class occurs or a score is NaN."""
    from sklearn.metrics import roc_auc_score

    if target.min() == target.max() or np.isnan(score).any():
        return float("nan")
    return float(roc_auc_score(target, score, sample_weight=weight))


def macro_auc(target: Array, chances: Array, weight: Array | None = None) -> float:
    """Return the mean over the classes of the area under the ROC curve of a class against the rest.

    A class that does not occur has none and does not count.
    """
    return _mean(auc(target == code, chances[:, code], weight) for code in np.unique(target))


def average_precision(target: Array, chance: Array, weight: Array | None = None) -> float:
    """Return the area under the precision-recall curve."""
    from sklearn.metrics import average_precision_score

    if not target.any():
        return float("nan")
    return float(average_precision_score(target, chance, sample_weight=weight))


def balanced_accuracy(target: Array, chances: Array, weight: Array | None = None) -> float:
    """Return the mean share of each class's rows that is predicted right."""
    right, counts = decided(chances) == target, np.ones(len(target)) if weight is None else weight
    shares = (
        np.average(right[rows], weights=counts[rows]) for rows in _classes(target) if counts[rows].any()
    )
    return _mean(shares)


def f1(target: Array, chance: Array, weight: Array | None = None) -> float:
    """Return the harmonic mean of precision and recall of the positive class, at one half."""
    from sklearn.metrics import f1_score

    return float(f1_score(target, decided(chance), sample_weight=weight, zero_division=0))


def macro_f1(target: Array, chances: Array, weight: Array | None = None) -> float:
    """Return the mean F1 of the classes that occur."""
    from sklearn.metrics import f1_score

    how = {"labels": np.unique(target), "average": "macro", "zero_division": 0}
    return float(f1_score(target, decided(chances), sample_weight=weight, **how))


def brier(target: Array, chance: Array, weight: Array | None = None) -> float:
    """Return the mean squared difference between probability and outcome."""
    from sklearn.metrics import brier_score_loss

    return float(brier_score_loss(target, chance, sample_weight=weight))


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


def rmse(target: Array, value: Array, weight: Array | None = None) -> float:
    """Return the root of the mean squared error, in the unit of the target."""
    from sklearn.metrics import root_mean_squared_error

    return float(root_mean_squared_error(target, value, sample_weight=weight))


def mae(target: Array, value: Array, weight: Array | None = None) -> float:
    """Return the mean absolute error, in the unit of the target."""
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(target, value, sample_weight=weight))


def r2(target: Array, value: Array, weight: Array | None = None) -> float:
    """Return the share of the target's variance that the predictions explain; NaN when it has none."""
    from sklearn.metrics import r2_score

    return float(r2_score(target, value, sample_weight=weight)) if np.ptp(target) > 0 else float("nan")


METRICS: dict[TaskKind, dict[str, Metric]] = {  # beside loss, accuracy and auc
    TaskKind.BINARY: {
        "average_precision": average_precision,
        "balanced_accuracy": balanced_accuracy,
        "f1": f1,
        "brier": brier,
        "calibration_error": calibration_error,
        "max_calibration_error": max_calibration_error,
    },
    TaskKind.MULTICLASS: {"balanced_accuracy": balanced_accuracy, "f1": macro_f1},
    TaskKind.REGRESSION: {"rmse": rmse, "mae": mae, "r2": r2},
}


def measure(
    kind: TaskKind, name: str, target: Array, predictions: Array, weight: Array | None = None
) -> float:
    """Return one of METRICS; NaN for predictions that are not finite."""
    if not np.isfinite(predictions).all():
        return float("nan")
    return METRICS[kind][name](target, predictions, weight)


def decided(chances: Array) -> Array:
    """Return the class that is predicted for each row: the likelier one of two, the likeliest of several."""
    return chances.argmax(axis=1) if chances.ndim == 2 else (chances > 0.5).astype(np.int64)


def by_class(
    target: Array, chances: Array, classes: tuple[str, ...], weight: Array | None = None
) -> list[dict[str, Any]]:
    """Return precision, recall, F1, AUC and the number of rows of each class."""
    from sklearn.metrics import precision_recall_fscore_support

    codes = range(len(classes))
    how = {"labels": codes, "sample_weight": weight, "zero_division": 0}
    table = precision_recall_fscore_support(target, decided(chances), **how)
    return [
        {
            "class": name,
            "rows": int((target == code).sum()),
            "precision": float(table[0][code]),
            "recall": float(table[1][code]),
            "f1": float(table[2][code]),
            "auc": auc(target == code, chances[:, code], weight),
        }
        for code, name in enumerate(classes)
    ]


def _classes(target: Array) -> Iterator[Array]:
    """Yield which rows are of each class."""
    return (target == code for code in np.unique(target))


def _mean(values: Any) -> float:
    found = list(values)
    return float(np.mean(found)) if found else float("nan")
