"""What the pictures of a verdict are drawn from: curves of both versions, thinned, and the distribution of the gain."""

from statistics import NormalDist
from typing import Any

import numpy as np

from tracking.gate.scores import Array, Scores
from tracking.statistics.difference import Difference
from tracking.statistics.measures import Task

POINTS = 200  # of a curve
BINS = 40


def pictures(
    challenger: Scores, champion: Scores | None, numbers: tuple[int, int | None], gain: Difference | None
) -> dict[str, Any]:
    """Return the curves of both versions and the histogram of the gain, as plain data."""
    both = [(numbers[0], challenger)]
    if champion is not None and numbers[1] is not None:
        both.append((numbers[1], champion))
    made = {Task.BINARY: ("curves", _roc), Task.REGRESSION: ("residuals", _residuals)}
    name, draw = made.get(challenger.task, ("reliability", _reliability))
    found: dict[str, Any] = {name: [{"version": number, **draw(scores)} for number, scores in both]}
    histogram = None if gain is None else _histogram(gain)
    return found | ({} if histogram is None else {"gains": histogram})


def _roc(scores: Scores) -> dict[str, Any]:
    """Return a ROC curve of at most 200 points, its corners where it bends most."""
    order = np.argsort(-scores.prediction, kind="stable")
    prediction, target = scores.prediction[order], scores.target[order]
    weight = np.ones(len(target)) if scores.weight is None else scores.weight[order]
    last = np.append(np.diff(prediction) != 0, True)  # equal scores are one step
    true = np.append(0.0, np.cumsum(weight * target)[last])
    false = np.append(0.0, np.cumsum(weight * (1 - target))[last])
    if not (true[-1] > 0 and false[-1] > 0):
        return {"fpr": [], "tpr": []}
    fpr, tpr = false / false[-1], true / true[-1]
    if len(fpr) > POINTS:
        # evenly along the curve, which is 2 long: steep parts keep their points
        wanted = np.linspace(0.0, 2.0, POINTS)
        kept = np.unique(np.searchsorted(fpr + tpr, wanted).clip(0, len(fpr) - 1))
        kept = np.unique(np.concatenate([[0], kept, [len(fpr) - 1]]))[:POINTS]
        kept[-1] = len(fpr) - 1
        fpr, tpr = fpr[kept], tpr[kept]
    return {"fpr": _short(fpr), "tpr": _short(tpr)}


def _residuals(scores: Scores) -> dict[str, Any]:
    """Return the share of rows by the size of their error, in bins that both versions share by quantiles of their own."""
    errors = scores.prediction - scores.target
    low, high = np.quantile(errors, [0.005, 0.995])
    counts, edges = np.histogram(errors, bins=BINS, range=(low, high) if high > low else None)
    return {"edges": _short(edges), "counts": counts.tolist()}


def _reliability(scores: Scores) -> dict[str, Any]:
    """Return how often the predicted class was right, by the confidence in it, in ten bins."""
    confidence = scores.prediction.max(axis=1)
    hit = scores.prediction.argmax(axis=1) == scores.target
    place = np.minimum((confidence.clip(0, 1) * 10).astype(int), 9)
    rows = np.bincount(place, minlength=10)
    filled = rows > 0
    means = [
        np.bincount(place, weights=each, minlength=10)[filled] / rows[filled] for each in (confidence, hit)
    ]
    return {"confidence": _short(means[0]), "accuracy": _short(means[1]), "rows": rows[filled].tolist()}


def _histogram(gain: Difference) -> dict[str, Any] | None:
    """Return the distribution of the gain: of the draws of the bootstrap, else of the normal that its error means."""
    if not (np.isfinite(gain.error) and gain.error > 0):
        return None
    edges = np.linspace(gain.gain - 4 * gain.error, gain.gain + 4 * gain.error, BINS + 1)
    if gain.quantiles is not None:
        below = np.interp(edges, gain.quantiles, np.linspace(0, 1, len(gain.quantiles)))
    else:
        below = np.array([NormalDist(gain.gain, gain.error).cdf(edge) for edge in edges.tolist()])
    return {"edges": _short(edges), "counts": _short(1000 * np.diff(below))}


def _short(values: Array) -> list[float]:
    return [float(f"{value:.5g}") for value in np.asarray(values, dtype=float).tolist()]
