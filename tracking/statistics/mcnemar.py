"""The gain in accuracy of one model over another on the same rows, by the exact test of McNemar.

Only rows that one model predicts right and the other wrong tell them apart. Of d such rows the challenger is right on a
binomial number b, with a chance of 1/2 if both are equally good; the gain is the product of 2 b / d - 1 and of d / rows.
"""

import math
from functools import partial

from scipy.special import bdtrc, betaincinv


def lower(better: int, worse: int, rows: int, level: float) -> float:
    """Return the lower bound of the gain; it is above 0 exactly where the one-sided exact test rejects at this level.

    The bounds of both factors are those of Clopper and Pearson (1934). They are put together as Zou and Donner put bounds of
    products ("Construction of Confidence Limits about Effect Measures", 2008): distances from the estimates add in squares.
    The part of the share of discordant rows counts as at the bound of the other factor, so that it never turns its sign.
    """
    if level > 0.5:  # above the estimate
        return -lower(worse, better, rows, 1 - level)
    discordant = better + worse
    share = discordant / rows
    balance = (better - worse) / discordant if discordant else 0.0
    least = 2 * _least(better, discordant, level) - 1
    nearest = _least(discordant, rows, level) if least > 0 else _largest(discordant, rows, level)
    return balance * share - math.hypot(share * (balance - least), least * (nearest - share))


def p_value(better: int, worse: int, rows: int, margin: float) -> float:
    """Return the level whose bound is the margin: the exact one-sided p-value for a margin of 0."""
    discordant = better + worse
    if margin == 0:
        return float(bdtrc(better - 1, discordant, 0.5)) if better else 1.0
    return _crossing(partial(lower, better, worse, rows), margin)


def error(better: int, worse: int, rows: int) -> float:
    """Return the standard error of the gain."""
    return math.sqrt(max(0.0, better + worse - (better - worse) ** 2 / rows)) / rows


def _least(hits: int, of: int, level: float) -> float:
    return float(betaincinv(hits, of - hits + 1, level)) if hits else 0.0


def _largest(hits: int, of: int, level: float) -> float:
    return 1 - _least(of - hits, of, level)


def _crossing(bound: "partial[float]", margin: float) -> float:
    """Return the largest level at which a bound that grows with the level is not above the margin."""
    low, high = -700.0, 0.0  # the logarithm of the level
    if bound(math.exp(low)) > margin:
        return 0.0
    for _ in range(60):
        middle = (low + high) / 2
        if bound(math.exp(middle)) > margin:
            high = middle
        else:
            low = middle
    return math.exp(low)
