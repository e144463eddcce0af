"""The error of a gain in AUC, by DeLong, DeLong and Clarke-Pearson (1988), in the time of a few sorts."""

import math
from typing import Any

import numpy as np

from tracking.statistics import ranked
from tracking.statistics.spreads import Spread, moments

Array = np.ndarray[Any, Any]


def gain_spread(is_positive: Array, challenger: Array, champion: Array) -> Spread:
    """Return the spread of the gain in AUC of one score over another.

    The gain is the mean of differences of structural components over the rows of either class, and its variance the sum of
    the variances of both means. The error is infinite where a class has fewer than two rows, and 0 where all components of
    each class are alike.

    The degrees of freedom are those of Welch and Satterthwaite, as Brunner and Munzel use them for ranks ("The Nonparametric
    Behrens-Fisher Problem", 2000). Those of a class follow from the variance of its variance: 2 n / (kurtosis - 1), at most
    n - 1. So a gain that comes from k rows alone has about 2 k.
    """
    ones = np.ones(len(is_positive))
    gains = ranked.placements(is_positive, challenger, ones) - ranked.placements(is_positive, champion, ones)
    parts = [gains[is_positive], gains[~is_positive]]
    if min(map(len, parts)) < 2:
        return Spread(math.inf, 1.0, 0.0)
    variance = cube = unsure = 0.0
    for part in parts:
        rows = len(part)
        error, telling, skew = moments(part / rows)
        if error > 0:
            freedom = min(rows - 1, 2 * rows / max(rows / telling - 1, 1e-9))
            variance, cube, unsure = variance + error**2, cube + skew * error**3, unsure + error**4 / freedom
    if variance == 0:
        return Spread(0.0, 1.0, 0.0)
    return Spread(math.sqrt(variance), variance**2 / unsure, cube / variance**1.5)
