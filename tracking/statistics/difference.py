"""Difference: how much better one model is than another, and how sure that is."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from tracking.statistics import mcnemar
from tracking.statistics.tails import Tail


class Method(StrEnum):
    """How the error of a gain is known."""

    DELONG = "delong"
    MCNEMAR = "mcnemar"
    BOOTSTRAP = "bootstrap"
    EXACT = "exact"  # both values are known without error, as sizes are
    IDENTICAL = "identical"  # both models predict the same


@dataclass(frozen=True)
class Difference:
    """How much better the challenger is than the champion on the same rows; a positive gain is better.

    The bounds answer for the rows that such a split is drawn from. Where the error cannot be computed it is infinite, and
    no bound is finite. Where no row tells the models apart although their predictions differ, the error is 0, and the bounds
    allow for rows that the split does not have: at most 1 - level^(1/units) of them, each with the largest loss that there is.
    """

    measure: str
    mode: str
    challenger: float
    champion: float
    gain: float
    error: float  # standard error of the gain
    method: str
    rows: int
    clusters: int | None = None
    draws: int | None = None
    seed: tuple[int, ...] | None = None
    units: int = 0  # independent ones: rows of the smaller class, or clusters
    freedom: float | None = None  # degrees of freedom of the t-quantile; None for the normal one
    skew: float = 0.0  # of the gain
    span: float | None = None  # the largest gain that there can be
    quantiles: tuple[float, ...] | None = (
        None  # of the drawn gains, evenly spaced from the least to the largest
    )
    undefined: int = 0  # draws for which the measure is not defined
    discordant: tuple[int, int] | None = (
        None  # rows that the challenger alone, and the champion alone, predicts right
    )
    note: str | None = None  # why the error cannot be computed

    def lower(self, level: float) -> float:
        """Return a bound that the true gain is below with no more than this probability; -inf where none is known."""
        if level <= 0:
            return -math.inf
        if level >= 1:
            return math.inf
        bound = self._lower(level)
        return bound if self.span is None else max(bound, -self.span)

    def width(self, level: float) -> float:
        """Return how many errors below the gain its bound of a level lies; the error must be positive and finite."""
        return (self.gain - self._lower(level)) / self.error

    def upper(self, level: float) -> float:
        """Return a bound that the true gain is above with no more than this probability."""
        return -self.turned.lower(level)

    def interval(self, level: float = 0.05) -> tuple[float, float]:
        """Return both bounds; the true gain lies outside with no more than this probability."""
        return self.lower(level / 2), self.upper(level / 2)

    def p_value(self, margin: float = 0.0) -> float:
        """Return how likely at most so large a gain is if the true one is `margin`.

        It is below a level exactly where `lower` of the level is above the margin. A negative margin asks whether the
        challenger is not worse by more than that.
        """
        if self.span is not None and margin < -self.span:
            return 0.0
        if self.method in {Method.IDENTICAL, Method.EXACT}:
            return 0.0 if self.gain > margin else 1.0
        if self.discordant is not None:
            return mcnemar.p_value(*self.discordant, self.rows, margin)
        if not math.isfinite(self.error):
            return 1.0
        if self.error == 0:
            return self._p_of_unseen(margin)
        return self._tail.p_value(margin)

    @cached_property
    def turned(self) -> "Difference":
        """The same difference with the models' parts exchanged."""
        return dataclasses.replace(
            self,
            challenger=self.champion,
            champion=self.challenger,
            gain=-self.gain,
            skew=-self.skew,
            quantiles=None if self.quantiles is None else tuple(-each for each in reversed(self.quantiles)),
            discordant=None if self.discordant is None else self.discordant[::-1],
        )

    def to_json(self) -> dict[str, Any]:
        """Return all fields as plain data; an infinite error is None."""
        found = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        return found | {"error": self.error if math.isfinite(self.error) else None}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "Difference":
        """Return what `to_json` was made of, with the same bounds; fields that are not known are left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in raw.items()
            if name in known
        }
        if given.get("error") is None:
            given["error"] = math.inf
        return cls(**given)

    def _lower(self, level: float) -> float:
        if self.method in {Method.IDENTICAL, Method.EXACT}:
            return self.gain
        if self.discordant is not None:
            return mcnemar.lower(*self.discordant, self.rows, level)
        if not math.isfinite(self.error):
            return -math.inf
        if self.error == 0:
            return self._lower_of_unseen(level)
        return self._tail.lower(level)

    @cached_property
    def _tail(self) -> Tail:
        return Tail(self.gain, self.error, self.freedom, self.skew, self.quantiles, self.draws or 0)

    def _lower_of_unseen(self, level: float) -> float:
        if self.span is None or self.units < 1:
            return -math.inf
        unseen = 1 - math.pow(level, 1 / self.units)
        return (1 - unseen) * self.gain - unseen * self.span

    def _p_of_unseen(self, margin: float) -> float:
        if self.span is None or self.units < 1 or not self.gain > margin:
            return 1.0
        unseen = (self.gain - margin) / (self.gain + self.span)
        return float((1 - unseen) ** self.units)
