"""What a split can tell: the smallest gain that it shows, and how many rows show a given one."""

import math

from scipy.special import ndtri


def detectable(error: float, level: float, power: float = 0.8) -> float:
    """Return the smallest true gain above the margin that is promoted with that power; infinite where none is.

    It is the error times the sum of the normal quantiles of 1 - level and of the power: the bound of a gain so large lies
    above the margin in that share of splits.
    """
    if not 0 < level < 1 or not math.isfinite(error):
        return math.inf
    return max(0.0, float(ndtri(power) - ndtri(level))) * error


def rows_to_tell(
    gain: float, error: float, rows: int, level: float, power: float = 0.8, margin: float = 0.0
) -> int | None:
    """Return how many further rows promote a true gain of this size with that power, 0 if the rows suffice.

    `error` is the standard error with `rows` rows; it shrinks with the root of their number. None where no number of rows
    does: a gain that is not above the margin, an error that is not known, a level of 0.
    """
    needed = detectable(error, level, power)
    if not gain > margin or not math.isfinite(needed):
        return None
    return max(0, math.ceil(rows * (needed / (gain - margin)) ** 2) - rows)
