"""What a calendar says of a time: year, month, weekday, hour, each a feature where it varies in the training rows.

Months, weekdays and hours come round again, so each is a sine and a cosine; the year rises from -1 to 1 over those of the
training rows. How much time has passed is a numeric column of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainer.data.reading.columns import Array

_DAY = 86400
_CYCLES = {"month": 12, "weekday": 7, "hour": 24}


@dataclass(frozen=True)
class Calendar:
    """The features of one time column beside the time that has passed; a missing time is `fill`."""

    name: str
    fill: float
    years: tuple[int, int] | None  # the first and the last; None where it is the same
    cycles: tuple[str, ...]

    @property
    def width(self) -> int:
        """The number of features."""
        return 2 * len(self.cycles) + (self.years is not None)

    @classmethod
    def fit(cls, name: str, blocks: Iterable[Array], *, fill: float) -> "Calendar":
        """Find which parts of the times vary; the times come a block at a time."""
        low: dict[str, float] = {}
        high: dict[str, float] = {}
        for block in blocks:
            for part, values in _parts(block[~np.isnan(block)]).items():
                if len(values):
                    low[part] = min(low.get(part, np.inf), float(values.min()))
                    high[part] = max(high.get(part, -np.inf), float(values.max()))
        varies = [part for part in low if low[part] < high[part]]
        years = (int(low["year"]), int(high["year"])) if "year" in varies else None
        return cls(name, fill, years, tuple(part for part in _CYCLES if part in varies))

    def transform(self, seconds: Array) -> Array:
        """Return the features of times, float32 [N, width]."""
        parts = _parts(np.where(np.isnan(seconds), self.fill, seconds))
        features = []
        if self.years is not None:
            first, last = self.years
            features.append(np.clip((parts["year"] - first) / (last - first) * 2 - 1, -1, 1))
        for part in self.cycles:
            angle = 2 * np.pi * parts[part] / _CYCLES[part]
            features += [np.sin(angle), np.cos(angle)]
        return np.stack(features, axis=1).astype(np.float32) if features else np.empty((len(seconds), 0), np.float32)  # fmt: skip


def _parts(seconds: Array) -> dict[str, Array]:
    """Return year, month, weekday (from Monday) and hour of times, all from 0 but the year."""
    days = np.floor(seconds / _DAY)
    months = days.astype(np.int64).astype("M8[D]").astype("M8[M]").astype(np.int64)
    return {
        "year": months // 12 + 1970,
        "month": months % 12,
        "weekday": (days.astype(np.int64) + 3) % 7,  # 1970 began on a Thursday
        "hour": (seconds - days * _DAY) / 3600,
    }
