"""How sure it is that one model predicts the same rows better than another: in loss, and in the order of two classes.

Each answer is the share of James and Stein for one number: the positive part of 1 - (e / g)^2, for a mean gain g and its
standard error e (Efron and Morris, "Stein's Estimation Rule and Its Competitors", 1973). The error of a gain in AUC is that
of DeLong, DeLong and Clarke-Pearson, "Comparing the Areas under Two or More Correlated ROC Curves" (1988).
"""

import numpy as np

from tracking.statistics import ranked
from tracking.statistics.formulas import log_losses
from trainer.data.encode import Array
from trainer.data.target import TaskKind


def in_loss(kind: TaskKind, target: Array, ours: Array, theirs: Array, weight: Array | None = None) -> float:
    """Return from 0 to 1 how sure our predictions have the smaller mean loss."""
    gains = _losses(kind, target, theirs) - _losses(kind, target, ours)
    return _share(*_mean(gains, _shares(len(gains), weight)))


def in_ranks(target: Array, ours: Array, theirs: Array, weight: Array | None = None) -> float:
    """Return from 0 to 1 how sure our predictions have the larger area under the ROC curve."""
    positive = target > 0.5
    if positive.all() or not positive.any():
        return 0.0
    counts = np.ones(len(target)) if weight is None else weight
    gains = ranked.placements(positive, ours, counts) - ranked.placements(positive, theirs, counts)
    parts = [_mean(gains[rows], _shares(len(gains[rows]), counts[rows])) for rows in (positive, ~positive)]
    # Both parts have the same mean, the gain in AUC; their errors are of different rows.
    return _share(parts[0][0], sum(variance for _, variance in parts))


def _share(gain: float, variance: float) -> float:
    return max(0.0, 1 - variance / gain**2) if gain > 0 else 0.0


def _shares(rows: int, weight: Array | None) -> Array:
    """Return what each row counts for, 1 in all."""
    return np.full(rows, 1 / rows) if weight is None else weight / weight.sum()


def _mean(gains: Array, shares: Array) -> tuple[float, float]:
    """Return a weighted mean and the square of its standard error."""
    gain = float((shares * gains).sum())
    return gain, float((shares**2 * (gains - gain) ** 2).sum())


def _losses(kind: TaskKind, target: Array, predictions: Array) -> Array:
    """Return a loss per row: the squared error, or the logarithm of the chance of the class that it has."""
    if kind is TaskKind.REGRESSION:
        return np.asarray((predictions - target) ** 2)
    return log_losses(target, predictions)
