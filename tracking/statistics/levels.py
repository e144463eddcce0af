"""Levels at which tests are made, so that a family of them errs no more often than one may.

Neither looks nor guards need to be independent: both rules follow from Bonferroni's inequality.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tracking.errors import InvalidValueError, quoted


def look_level(look: int, *, alpha: float = 0.05, planned: int | None = None) -> float:
    """Return the level of one look, the first being 1, of all looks at the same rows.

    Without a plan, look n has alpha * 6 / (pi * n)^2. These sum to alpha over any number of looks, so a false promotion by
    any of them is no likelier than alpha. With `planned` looks each has alpha / planned, and further ones have 0.
    """
    if look < 1:
        raise InvalidValueError(f"the look is {quoted(look)}; looks count from 1")
    if not 0 < alpha < 1:
        raise InvalidValueError(f"alpha is {quoted(alpha)}; it must lie between 0 and 1")
    if planned is None:
        return alpha * 6 / (math.pi * look) ** 2
    if planned < 1:
        raise InvalidValueError(f"the number of planned looks is {quoted(planned)}; it must be 1 or more")
    return alpha / planned if look <= planned else 0.0


@dataclass(frozen=True)
class Holm:
    """One p-value among several: as adjusted for their number, the level that it was compared with, the outcome."""

    p: float
    adjusted: float
    level: float
    rejected: bool


def holm(p_values: Sequence[float], alpha: float) -> list[Holm]:
    """Return the outcome of each test, in their order, so that any false rejection is no likelier than `alpha`.

    The smallest of m p-values is compared with alpha / m, the next with alpha / (m - 1), and so on; after one that is not
    rejected, none is (Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979). NaN counts as 1.
    """
    known = [1.0 if math.isnan(p) else p for p in p_values]
    found: dict[int, Holm] = {}
    largest = 0.0
    for place, index in enumerate(sorted(range(len(known)), key=known.__getitem__)):
        left = len(known) - place
        largest = max(largest, min(1.0, known[index] * left))
        found[index] = Holm(p_values[index], largest, alpha / left, largest <= alpha)
    return [found[index] for index in range(len(known))]
