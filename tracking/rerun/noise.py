"""Between which values a further run lies, by runs that differ in their seed.

For k values of a normal distribution with mean m and standard deviation s, a further value lies within
m ± t(k-1) * s * sqrt(1 + 1/k) with the probability that the quantile t of Student's distribution is taken for: a prediction
interval (Hahn and Meeker, Statistical Intervals, 1991, section 4.7).
"""

import math
from collections.abc import Sequence

from tracking.errors import RerunError

SHARE = 0.95


def prediction_interval(values: Sequence[float], share: float = SHARE) -> tuple[float, float]:
    """Return the bounds for one further value; raise RerunError for fewer than two values, or one that is not finite."""
    count = len(values)
    if count < 2:
        raise RerunError("noise takes at least 2 runs with other seeds; 5 tell more")
    if not all(map(math.isfinite, values)):
        raise RerunError("a run with another seed has no finite value of the objective")
    mean = math.fsum(values) / count
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    half = student_quantile(count - 1, share) * spread * math.sqrt(1 + 1 / count)
    return mean - half, mean + half


def student_quantile(freedom: int, share: float) -> float:
    """Return t such that a value of Student's distribution lies within -t and t with the probability `share`."""
    low, high = 0.0, 1.0
    while student_share(high, freedom) < share:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if student_share(middle, freedom) < share else (low, middle)
    return high


def student_share(value: float, freedom: int) -> float:
    """Return the probability of lying within -value and value (Abramowitz and Stegun, 1964, 26.7.3 and 26.7.4)."""
    angle = math.atan2(value, math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    if freedom == 1:
        return 2 * angle / math.pi
    term = total = cosine if freedom % 2 else 1.0
    for step in range(2 + freedom % 2, freedom - 1, 2):
        term *= cosine * cosine * (step - 1) / step
        total += term
    return 2 / math.pi * (angle + sine * total) if freedom % 2 else sine * total
