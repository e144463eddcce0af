"""How well the error of a gain is known: by how many rows it hangs on, and by the skewness of what they add."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tracking.statistics import formulas
from tracking.statistics.compared import Rows, differing
from tracking.statistics.measures import Measure, Reads

Array = np.ndarray[Any, Any]


class Spread(NamedTuple):
    """What is known of the error of an estimate: its size, the degrees of freedom of it, the skewness of the estimate."""

    error: float
    freedom: float
    skew: float


def mean_spread(parts: Array) -> Spread:
    """Return the spread of a sum of independent parts that are equally distributed, as of a mean.

    The degrees of freedom are one less than the parts that it hangs on: a few that are large among many that are small say
    little about how large the next ones are.
    """
    error, telling, skew = moments(parts)
    return Spread(error, max(1.0, telling - 1), skew)


def moments(parts: Array) -> tuple[float, float, float]:
    """Return of such a sum its standard error, the number of parts that it hangs on, and its skewness.

    That number is (sum of d^2)^2 / (sum of d^4) for the parts' deviations d: their number over their kurtosis.
    """
    off = parts - parts.mean()
    squares = off**2
    total = float(squares.sum())
    if np.ptp(parts) <= 1e-12 * np.abs(parts).max():  # equal but for rounding
        return 0.0, 0.0, 0.0
    rows = len(parts)
    telling = total**2 / float((squares**2).sum())
    return math.sqrt(total * rows / (rows - 1)), telling, float((off**3).sum()) / total**1.5


def spread_of(measure: Measure, rows: Rows, units: int) -> Spread:
    """Return what is known of a gain without draws of the rows.

    Of a mean this is its spread. Of any other measure the error is left to the draws, and the degrees of freedom count the
    rows that it hangs on, at most `units`: those that the models label differently, those of the smaller class, or all. Rows
    of unequal weight, and clusters of unequal size, count as (sum of w)^2 / (sum of w^2) (Kish, "Survey Sampling", 1965).
    """
    if measure.per_row is not None:
        return mean_spread(_influences(measure, measure.per_row, rows))
    if measure.reads is Reads.LABELS:
        telling = _effective(rows, differing(rows))
    elif measure.reads is Reads.ORDER:
        telling = min(_effective(rows, rows.target > 0), _effective(rows, rows.target == 0))
    else:
        telling = _effective(rows, np.ones(len(rows.target), dtype=bool))
    return Spread(0.0, max(1.0, min(units, telling) - 1), 0.0)


def _effective(rows: Rows, which: Array) -> float:
    """Return how many rows, or clusters, of equal weight these are worth."""
    weight = (np.ones(len(which)) if rows.weight is None else rows.weight) * which
    if rows.cluster is not None:
        weight = np.bincount(rows.cluster, weights=weight)
    return float(weight.sum() ** 2 / max((weight**2).sum(), np.finfo(float).tiny))


def _influences(measure: Measure, per_row: Callable[[Array, Array], Array], rows: Rows) -> Array:
    """Return what each row, or cluster of rows, adds to the gain, to first order."""
    shares = np.full(len(rows.target), 1.0) if rows.weight is None else rows.weight
    shares = shares / shares.sum()
    found = np.zeros(len(rows.target))
    for sign, predictions in ((1, rows.challenger), (-1, rows.champion)):
        each = per_row(rows.target, predictions)
        mean = float(shares @ each)
        slope = 1.0 if measure.value is not formulas.rmse else 0.5 / max(np.sqrt(mean), np.finfo(float).tiny)
        found += sign * slope * shares * (each - mean)
    found *= 1 if measure.mode.higher_is_better else -1
    return found if rows.cluster is None else np.bincount(rows.cluster, weights=found)
