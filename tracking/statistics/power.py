"""What a split can tell: the smallest gain that it shows, and how many rows or clusters show a given one.

Both follow the law of the bound. A gain G is promoted when its estimate lies w errors above the margin, with the width w of
`Difference.lower`. The estimate less the margin, divided by its error, follows a noncentral t distribution with the
degrees of freedom of the bound and the noncentrality (G - margin) / error; without degrees of freedom it is normal.
"""

import math
from dataclasses import dataclass, replace

from scipy.special import chdtri, nctdtrinc, ndtri

from tracking.statistics.difference import Difference
from tracking.statistics.tails import Tail

_WIDE = 300.0  # errors beyond which only how surely the error is known counts
_NORMAL = 1e4  # degrees of freedom beyond which t is as good as normal
_MOST = 2.0**40  # times as many rows: beyond, none is said to tell


@dataclass(frozen=True)
class _Law:
    """How many errors the bound of a level lies below the estimate, with `times` as many rows as were seen."""

    level: float
    power: float
    freedom: float | None = None
    skew: float = 0.0
    excess: float = 1.0  # how much wider than that of t and the skew the bound of the rows seen is

    def errors(self, times: float = 1.0) -> float:
        """Return how many errors above the margin a true gain must lie to be promoted with the power."""
        freedom = None if self.freedom is None else (self.freedom + 1) * times - 1
        width = self.width(freedom, times) * (1 + (self.excess - 1) / math.sqrt(times))
        if freedom is None or freedom > _NORMAL:
            return max(0.0, width + float(ndtri(self.power)))
        if width > _WIDE:
            return width * math.sqrt(float(chdtri(freedom, 1 - self.power)) / freedom)
        found = float(nctdtrinc(freedom, 1 - self.power, width))
        return max(0.0, found) if math.isfinite(found) else math.inf

    def width(self, freedom: float | None, times: float = 1.0) -> float:
        """Return how many errors below the estimate t and the skew alone put the bound."""
        tail = Tail(0.0, 1.0, freedom, self.skew / math.sqrt(times), None, 0)
        return -tail.lower(self.level)


def detectable(found: Difference, level: float, power: float = 0.8) -> float:
    """Return the smallest true gain above the margin that is promoted with that power; infinite where none is."""
    law = _law(found, level, power)
    return math.inf if law is None else law.errors() * found.error


def units_to_tell(
    found: Difference, level: float, power: float = 0.8, margin: float = 0.0, gain: float | None = None
) -> int | None:
    """Return how many further units promote a true gain of this size with that power, 0 if those seen suffice.

    The units are clusters where the difference has some, else rows. The default gain is the one that was seen. The error
    shrinks with the root of the units, and the degrees of freedom grow with them. None where no number of units does: a
    gain that is not above the margin, an error that is not known, a level of 0.
    """
    law, above = _law(found, level, power), (found.gain if gain is None else gain) - margin
    if law is None or not above > 0:
        return None

    def tells(times: float) -> bool:
        return law.errors(times) * found.error / math.sqrt(times) <= above

    low, high = 1.0, 1.0
    while not tells(high):
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if tells(middle) else (middle, high)
    units = found.clusters or found.rows
    return max(0, math.ceil(units * high * (1 - 1e-6)) - units) if high > 1 else 0


def _law(found: Difference, level: float, power: float) -> _Law | None:
    """Return the law of a difference's bound; None where no gain can be told."""
    if not 0 < level < 1 or not 0 < found.error < math.inf:
        return None
    nominal = _Law(level, power, found.freedom, found.skew)
    width, plain = found.width(level), nominal.width(found.freedom)
    return nominal if plain <= 0 else replace(nominal, excess=max(1.0, width / plain))
