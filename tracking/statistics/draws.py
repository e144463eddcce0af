"""Values of a measure for many weightings of the same rows, each about as cheap as one pass over them.

A bootstrap draws rows again and again; how often each is drawn are its weights. Each function here takes the target and the
predictions once, does what all draws share, and returns a function from weights [draws, rows] to values [draws]. A draw for
which the measure is not defined, or not finite, is NaN.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from tracking.statistics import formulas, ranked

Array = np.ndarray[Any, Any]
Weighed = Callable[[Array], Array]
Drawn = Callable[[Array, Array], Weighed]
_MANY_CLASSES = 16  # up to which the counts of all draws are one product of matrices


def of_value(value: Callable[[Array, Array, Array], float], target: Array, predictions: Array) -> Weighed:
    """Call a function that takes weights once for each draw, with the rows that it has."""

    def weighed(weights: Array) -> Array:
        found = np.full(len(weights), np.nan)
        for draw, weight in enumerate(weights):
            rows = weight > 0
            if rows.any():
                found[draw] = value(target[rows], predictions[rows], weight[rows])
        return np.where(np.isfinite(found), found, np.nan)

    return weighed


def of_repeated_rows(
    value: Callable[[Array, Array, None], float], target: Array, predictions: Array
) -> Weighed:
    """Call a function that takes no weights once for each draw, with rows as often as they are drawn."""

    def weighed(weights: Array) -> Array:
        found = np.full(len(weights), np.nan)
        for draw, counts in enumerate(weights):
            rows = np.repeat(np.arange(len(target)), counts.astype(np.int64))
            if len(rows):
                found[draw] = value(target[rows], predictions[rows], None)
        return np.where(np.isfinite(found), found, np.nan)

    return weighed


def of_mean(
    per_row: Callable[[Array, Array], Array], target: Array, predictions: Array, *, root: bool = False
) -> Weighed:
    """Return means of what each row adds, or their roots."""
    each = per_row(target, predictions)

    def weighed(weights: Array) -> Array:
        means = _shares(weights @ each, weights.sum(axis=1))
        return np.sqrt(means) if root else means

    return weighed


def of_r2(target: Array, predictions: Array) -> Weighed:
    """Return the shares of the target's variance that the predictions explain."""
    centred = target - target.mean()  # sums of large squares would lose digits
    parts = np.stack([centred, centred**2, (target - predictions) ** 2, np.ones(len(target))], axis=1)

    def weighed(weights: Array) -> Array:
        total, squares, missed, rows = (weights @ parts).T
        spread = squares - _shares(total, rows) * total
        return np.asarray(1 - _shares(missed, np.where(spread > 1e-12 * squares, spread, 0.0)))

    return weighed


def of_bins(target: Array, chances: Array, *, largest: bool = False) -> Weighed:
    """Return expected calibration errors, or the largest of a bin."""
    bins = np.eye(formulas.CALIBRATION_BINS)[formulas.width_bins(chances)]
    gaps = (target - chances)[:, None] * bins

    def weighed(weights: Array) -> Array:
        rows, missed = weights @ bins, np.abs(weights @ gaps)
        if largest:
            return np.asarray(np.divide(missed, rows, out=np.zeros(rows.shape), where=rows > 0).max(axis=1))
        return _shares(missed.sum(axis=1), rows.sum(axis=1))

    return weighed


def of_f1(target: Array, predictions: Array) -> Weighed:
    """Return F1 of the positive class of two, or the mean over the classes of several that a draw has."""

    def value(counts: formulas.Confused) -> Array:
        if predictions.ndim == 1:
            return counts.f1[:, 1]
        return _mean_of(counts.f1, counts.actual > 0)

    return _of_counts(value, target, predictions)


def of_recall(target: Array, predictions: Array) -> Weighed:
    """Return the mean share of a class that is predicted right, over the classes that a draw has."""
    return _of_counts(lambda counts: _mean_of(counts.recall, counts.actual > 0), target, predictions)


def _of_counts(value: Callable[[formulas.Confused], Array], target: Array, predictions: Array) -> Weighed:
    classes = predictions.shape[1] if predictions.ndim == 2 else 2
    labels, actual = formulas.decided(predictions), target.astype(np.int64)
    if classes <= _MANY_CLASSES:
        one_hot = np.eye(classes)
        right = (labels == actual)[:, None] * one_hot[actual]
        parts = np.concatenate([right, one_hot[labels], one_hot[actual]], axis=1)
        return lambda weights: value(formulas.Confused(*np.split(weights @ parts, 3, axis=1)))

    def weighed(weights: Array) -> Array:
        counts = [formulas.confused(actual, labels, classes, weight) for weight in weights]
        return value(formulas.Confused(*(np.stack(each) for each in zip(*counts, strict=True))))

    return weighed


def of_area(target: Array, scores: Array) -> Weighed:
    """Return areas under the ROC curve."""
    return _of_order(ranked.area_of, target > 0, scores)


def of_precision(target: Array, scores: Array) -> Weighed:
    """Return average precisions."""
    return _of_order(ranked.precision_of, target > 0, scores)


def of_areas(target: Array, chances: Array) -> Weighed:
    """Return the means, over the classes that a draw has, of the area of a class against the rest."""
    areas = [of_area(target == code, chances[:, code]) for code in np.unique(target)]

    def weighed(weights: Array) -> Array:
        found = np.stack([area(weights) for area in areas], axis=1)
        return _mean_of(found, ~np.isnan(found))

    return weighed


def _of_order(value: Callable[[Array, Array], float], is_positive: Array, scores: Array) -> Weighed:
    order = ranked.ordered(is_positive, scores)
    return lambda weights: np.array([value(*order.levels(weight)) for weight in weights])


def _mean_of(values: Array, there: Array) -> Array:
    """Return the mean along the last axis of the values that are there."""
    return _shares(np.where(there, values, 0.0).sum(axis=1), there.sum(axis=1))


def _shares(part: Array, whole: Array) -> Array:
    """Return shares; NaN of nothing."""
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0))
