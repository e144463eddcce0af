"""By how much the best of several candidates is overestimated by the value that it was chosen for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from tracking.errors import InvalidValueError
from tracking.objective import Direction, Objective


@dataclass(frozen=True)
class Overestimate:
    """What choosing the best of `jobs` candidates adds to its value on the rows that it was chosen on.

    All figures are in the unit of the metric, positive where the value is too good.
    """

    jobs: int
    drop: float  # from the winner's value on the rows that chose it to that on others
    usual: float  # the mean drop of the other candidates: one set of rows may be easier than the other
    by_choosing: float  # what is left: the drop beyond the usual one
    error: float | None  # standard error of `by_choosing`; None for fewer than three candidates
    expected: float | None  # what choosing adds on average if all candidates are equally good


def overestimate(
    val: Sequence[float], test: Sequence[float], winner: int, mode: Direction | str
) -> Overestimate | None:
    """Compare the values that a winner was chosen by with those on other rows; `winner` is its index.

    Candidates without two finite values don't count. Return None where the winner has none. If all candidates are equally
    good, their values spread by noise alone, and the best of K lies E(K) spreads above the mean; E(K) is the expected
    largest of K standard normal numbers.
    """
    if len(val) != len(test) or not 0 <= winner < len(val):
        raise InvalidValueError(
            f"{len(val)} values, {len(test)} others and the winner {winner} do not belong together"
        )
    objective = Objective.of(None, str(mode))
    pairs = [
        (one, other)
        for one, other in zip(val, test, strict=True)
        if math.isfinite(one) and math.isfinite(other)
    ]
    if not (math.isfinite(val[winner]) and math.isfinite(test[winner])):
        return None
    drops = [objective.gain(one, other) for one, other in pairs]
    drop, jobs = objective.gain(val[winner], test[winner]), len(pairs)
    rest = sum(drops) - drop
    usual = rest / (jobs - 1) if jobs > 1 else 0.0
    if jobs < 3:
        return Overestimate(jobs, drop, usual, drop - usual, None, None)
    others = [*drops]
    others.remove(drop)
    error = float(np.std(others, ddof=1)) * math.sqrt(1 + 1 / (jobs - 1))
    spread = float(np.std([one for one, _ in pairs], ddof=1))
    return Overestimate(jobs, drop, usual, drop - usual, error, expected_largest(jobs) * spread)


def expected_largest(count: int) -> float:
    """Return the expected largest of so many independent standard normal numbers."""
    x = np.linspace(0.0, 9.0, 2_001)
    # The mean of a number with distribution F is the integral of 1 - F above 0 less that of F below.
    heights = 1 - ndtr(x) ** count - ndtr(-x) ** count
    return float((heights.sum() - (heights[0] + heights[-1]) / 2) * x[1])  # trapezia
