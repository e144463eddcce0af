"""Scales for values of parameters: numbers are linear or logarithmic, anything else is categories."""

import itertools
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tracking.plots.entrants import has_place
from tracking.plots.sheet import number
from tracking.records import RunRecord
from tracking.values.names import natural_key

NONE = "none"  # an absent value
FEW = 6  # up to so many different values are the ticks
_DECADES = 100.0  # positive numbers that span more than this have a logarithmic scale
_GOLDEN = 0.6180339887498949  # its multiples are evenly spread, however many there are


class ScaleKind(StrEnum):
    """How a scale places values."""

    LINEAR = "linear"
    LOG = "log"
    CATEGORY = "category"


@dataclass(frozen=True)
class Scale:
    """The places of values on an axis: numbers are their own places, `categories` are at 0, 1, 2 ..."""

    kind: ScaleKind
    low: float
    high: float
    values: tuple[float, ...]
    categories: tuple[str, ...] = ()

    def place(self, value: Any) -> float | None:
        """Return the place of a value; None for one that an axis of numbers cannot show."""
        if self.kind is ScaleKind.CATEGORY:
            return float(self.categories.index(text_of(value)))
        return float(value) if _is_number(value) else None

    def fraction(self, place: float) -> float:
        """Return the position of a place between the low end, 0, and the high end, 1; 0.5 if these are equal."""
        if self.low == self.high:
            return 0.5
        if self.kind is ScaleKind.LOG:
            return math.log(place / self.low) / math.log(self.high / self.low)
        return (place - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Return places and texts: all categories or all of few values, else round numbers and both ends."""
        if self.kind is ScaleKind.CATEGORY:
            return [(float(index), name) for index, name in enumerate(self.categories)]
        places = self.values if len(self.values) <= FEW else self._round()
        return [(place, number(place)) for place in places]

    def _round(self) -> list[float]:
        from matplotlib.ticker import MaxNLocator

        if self.kind is ScaleKind.LOG:
            decades = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            places = [10.0**decade for decade in decades]
        else:
            places = [float(place) for place in MaxNLocator(5).tick_values(self.low, self.high)]
        return [self.low, *(place for place in places if self.low < place < self.high), self.high]


def scale_of(values: Sequence[Any], *, log: bool = False) -> Scale:
    """Return the scale for values: logarithmic with `log`, or if they span decades or grow by one factor.

    Booleans, text, lists and mixtures are categories. None, NaN, infinities and numbers beyond every axis have no
    place among numbers.
    """
    given = [value for value in values if not _is_missing(value)]
    if not given or not all(_is_number(value) for value in given):
        kinds = {text_of(value): value for value in values}
        names = tuple(sorted(kinds, key=lambda name: _category_key(name, kinds[name])))
        return Scale(ScaleKind.CATEGORY, 0.0, float(len(names) - 1), (), names)
    numbers = tuple(sorted({float(value) for value in given}))
    low, high = numbers[0], numbers[-1]
    by_log = low > 0 and (log or _spans_decades(numbers) or _are_multiples(numbers))
    return Scale(ScaleKind.LOG if by_log else ScaleKind.LINEAR, low, high, numbers)


def text_of(value: Any) -> str:
    """Return a value as the name of a category."""
    if value is None:
        return NONE
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, int) and abs(value) > 1e308:  # too large for a float
        return ">1e308" if value > 0 else "<-1e308"
    return number(value)


def param_names(runs: Sequence[RunRecord]) -> list[str]:
    """Return the parameters that differ between runs, in the order of their first use; all if none differs."""
    names = list(dict.fromkeys(name for run in runs for name in run.params))
    return [name for name in names if len({repr(run.params.get(name)) for run in runs}) > 1] or names


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return Spearman's rank correlation, equals sharing their mean rank; None if either side is constant."""
    import numpy as np

    ranks = []
    for values in zip(*pairs, strict=True):
        _, kind, counts = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[kind].tolist())
    try:
        return statistics.correlation(*ranks) if len(pairs) >= 3 else None
    except statistics.StatisticsError:
        return None


def jitter(index: int) -> float:
    """Return an offset from -0.5 to 0.5 for the `index`-th of equals, the same every time; 0 for the first."""
    return (index * _GOLDEN + 0.5) % 1 - 0.5


def _spans_decades(numbers: Sequence[float]) -> bool:
    """Return whether all but the outermost 5 % span decades; of many uniform numbers a few are always tiny."""
    tail = len(numbers) // 20
    return numbers[-1 - tail] / numbers[tail] > _DECADES


def _are_multiples(numbers: Sequence[float]) -> bool:
    """Return whether three values or more grow by one factor of at least 2, such as 16, 32, 64."""
    factors = [after / before for before, after in itertools.pairwise(numbers)]
    return len(factors) > 1 and factors[0] >= 2 and max(factors) - min(factors) < 1e-6 * factors[0]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not _is_missing(value)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not has_place(value))


def _category_key(name: str, value: Any) -> tuple[int, float, Any]:
    if _is_missing(value):
        return -1, 0.0, ()
    return (0, float(value), ()) if _is_number(value) else (1, 0.0, natural_key(name))
