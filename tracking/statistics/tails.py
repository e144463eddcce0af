"""Bounds of a gain from its estimate, its standard error and, if there are any, draws of it.

A test at the 50th look has a level near 0.00001. Two thousand draws say nothing about so rare an event, and a normal quantile
says too much: it knows neither how few rows a gain hangs on nor that rare large losses are missing from most splits. So a
bound is the more careful one of two:

- The estimate less its error times a t-quantile, whose degrees of freedom follow from the rows that tell the models apart.
  If gains are skewed to the left, the quantile t grows by |skew| (2 t^2 + 1) / 6, the first term of the Edgeworth series of
  the studentised mean (Johnson, "Modified t Tests and Confidence Intervals for Asymmetrical Populations", 1978; Hall, "The
  Bootstrap and Edgeworth Expansion", 1992, chapter 2). It is t^2 / 3 + t / 6 here, which is as large or larger from t = 1 on,
  and never decreases.
- The percentile of the draws, as far as ten draws lie below it; beyond, the distance of the last such percentile from the
  estimate, in proportion to the first quantile.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

STEPS = 200  # quantiles of draws are kept at every 1 / STEPS
_DRAWS_BELOW = 10  # a percentile that fewer draws lie below is not read


@dataclass(frozen=True)
class Tail:
    """The lower tail of what is known of a gain; the error is positive and finite."""

    gain: float
    error: float
    freedom: float | None
    skew: float
    quantiles: tuple[float, ...] | None
    draws: int

    def lower(self, level: float) -> float:
        """Return the bound for a level above 0 and below 1."""
        width = self._width(level)
        bound = self.gain - width * self.error
        if self.quantiles is None:
            return bound
        reach = self._reach
        if level >= reach:
            return min(bound, self._quantile(level))
        return min(bound, self.gain - width * (self.gain - self._quantile(reach)) / self._width(reach))

    def p_value(self, margin: float) -> float:
        """Return the level whose bound is the margin."""
        found = self._level((self.gain - margin) / self.error)
        if self.quantiles is None:
            return found
        reach = self._reach
        last = self._quantile(reach)
        if margin >= last:
            return max(found, self._share_below(margin))
        if last >= self.gain:
            return found
        return max(found, self._level((self.gain - margin) / (self.gain - last) * self._width(reach)))

    @property
    def _reach(self) -> float:
        """The least level that the draws tell the bound of."""
        return min(0.25, max(1 / STEPS, _DRAWS_BELOW / max(self.draws, 1)))

    def _quantile(self, share: float) -> float:
        return float(np.interp(share * STEPS, np.arange(STEPS + 1), self.quantiles or ()))

    def _share_below(self, margin: float) -> float:
        """Return the largest share whose quantile is not above the margin."""
        known = self.quantiles or ()
        place = int(np.searchsorted(known, margin, side="right"))
        if place in {0, len(known)}:
            return place / len(known)
        step = known[place] - known[place - 1]
        return (place - 1 + (margin - known[place - 1]) / step) / STEPS

    def _width(self, level: float) -> float:
        """Return how many errors below the estimate the bound of a level lies."""
        t = -float(ndtri(level) if self.freedom is None else stdtrit(self.freedom, level))
        return t if t <= 0 else t + max(0.0, -self.skew) * (t**2 / 3 + t / 6)

    def _level(self, width: float) -> float:
        """Return the level whose bound lies so many errors below the estimate."""
        left = max(0.0, -self.skew)
        t = width
        if width > 0 and left > 0:
            slope = 1 + left / 6
            t = 2 * width / (slope + math.sqrt(slope**2 + 4 * left / 3 * width))
        return float(ndtr(-t) if self.freedom is None else stdtr(self.freedom, -t))
