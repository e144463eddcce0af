"""The probability from which on a row is labelled positive, chosen on the validation rows.

A model of a rare class hardly ever says one half, so labels at one half would leave the class out. Every cut between two
neighbouring probabilities is tried; of equally good ones the nearest to one half is taken.
"""

import numpy as np

from tracking.statistics import ranked
from trainer.data.encode import Array
from trainer.errors import ConfigError

HALF = 0.5
RULES = ("accuracy", "balanced_accuracy", "f1")


def choose(rule: str | float, target: Array, chance: Array, weight: Array | None = None) -> float:
    """Return the threshold that a rule picks by these rows; a number is the threshold itself.

    `target` holds zeros and ones, `weight` what the rows count for. Without both classes, or with NaN among the probabilities, it is one half.
    """
    if not isinstance(rule, str):
        return float(rule)
    if rule not in RULES:
        raise ConfigError(f"threshold={rule}: allowed are {', '.join(RULES)} and a number between 0 and 1")
    if target.min() == target.max() or np.isnan(chance).any():
        return HALF
    cuts, hits, false = _cuts(target > 0, chance, weight)
    positives, negatives = hits[-1], false[-1]
    if rule == "f1":
        scores = 2 * hits / (hits + false + positives)
    elif rule == "accuracy":
        scores = hits + negatives - false
    else:
        scores = hits / positives + (negatives - false) / negatives
    best = np.flatnonzero(scores >= scores.max() * (1 - 1e-12))
    return float(cuts[best[np.argmin(np.abs(cuts[best] - HALF))]])


def codes(chances: Array, threshold: float) -> Array:
    """Return the code of each row's class: of two, 1 from the threshold on; of several, [N, K], the likeliest."""
    if chances.ndim == 2:
        return np.asarray(chances.argmax(axis=1))
    return (chances >= threshold).astype(np.int64)


def _cuts(is_positive: Array, chance: Array, weight: Array | None) -> tuple[Array, Array, Array]:
    """Return cuts from the highest to the lowest, and how many positive and negative rows reach each."""
    levels, hits, false = ranked.levels(is_positive, chance, weight)
    # In the middle between two probabilities; below the lowest all are positive.
    middles = (levels[:-1] + levels[1:]) / 2
    cuts = np.append(np.where(middles > levels[1:], middles, levels[:-1]), levels[-1] / 2)
    return cuts, hits, false
