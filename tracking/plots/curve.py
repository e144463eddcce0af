"""The history of a metric of one run as a line: placed by step or by time, smoothed, thinned for drawing.

A value that is not finite is NaN, and drawn as a gap.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from tracking.errors import InvalidValueError, TrackingError, quoted
from tracking.objective import Objective
from tracking.plots.entrants import FARTHEST
from tracking.values import timestamps

Points = Sequence[Mapping[str, Any]]

COLUMNS = 1000  # about the width of the axes in pixels


class Along(StrEnum):
    """The place of the points of a curve on the x axis."""

    STEP = "step"
    TIME = "time"


@dataclass(frozen=True)
class Curve:
    """A line and its name. `stepped` is false if no point had a step, and x is the order of the points."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    stepped: bool = True

    def best(self, objective: Objective) -> tuple[float, float] | None:
        """Return the point with the best finite value, the first of equals; None without any."""
        points = [(x, y) for x, y in zip(self.x, self.y, strict=True) if not math.isnan(y)]
        return min(points, key=lambda point: objective.key(point[1]), default=None)

    def smoothed(self, weight: float) -> "Curve":
        """Return the exponential moving average with `weight` on the past, corrected for its start at 0.

        The bias correction is that of Adam (Kingma and Ba, 2015, section 3), which TensorBoard uses too: the first
        value does not change. Gaps stay gaps and have no weight.
        """
        if not 0 <= weight < 1:
            raise InvalidValueError(f"a smoothing of {quoted(weight)} is not in 0 <= smoothing < 1")
        mean, remaining, smooth = 0.0, 1.0, []
        for value in self.y:
            if math.isnan(value):
                smooth.append(value)
                continue
            mean = weight * mean + (1 - weight) * value
            remaining *= weight
            smooth.append(mean / (1 - remaining))
        return replace(self, y=smooth)

    def placed(self, *, log_x: bool = False, log_y: bool = False) -> "Curve":
        """Return the curve with gaps where an axis shows no value: a logarithmic one up to 0, any one beyond FARTHEST."""
        left, bottom = (0.0 if log else -FARTHEST for log in (log_x, log_y))
        y = [
            value if left < x < FARTHEST and bottom < value < FARTHEST else math.nan
            for x, value in zip(self.x, self.y, strict=True)
        ]
        return replace(self, y=y)

    def thinned(self, columns: int = COLUMNS, *, log: bool = False) -> "Curve":
        """Return a curve that looks the same on `columns` pixel columns: the first, lowest, highest and last of each.

        These four points make the line exact to the pixel (M4: Jugel et al., 2014). A gap keeps a point of each column.
        """
        if len(self.x) <= 4 * columns:
            return self
        import numpy as np

        x, y = np.array(self.x, float), np.array(self.y)
        if log:  # a place that a logarithmic axis does not have is in the first column
            x = np.log(np.maximum(x, x[x > 0].min(initial=max(x.max(), 1.0))))
        column = np.floor((x - x.min()) * columns / (np.ptp(x) or 1.0))
        first = np.flatnonzero(np.diff(column, prepend=-1))
        last = np.append(first[1:], len(x)) - 1
        order = np.lexsort(
            (y, np.repeat(np.arange(len(first)), last - first + 1))
        )  # in a column NaN comes last
        highest = np.maximum(first, last - np.add.reduceat(np.isnan(y), first, dtype=int))
        kept = np.unique([first, last, order[first], order[highest], order[last]])
        return replace(self, x=[self.x[index] for index in kept], y=y[kept].tolist())


def curve_of(label: str, points: Points, along: Along = Along.STEP, start: datetime | None = None) -> Curve:
    """Return the curve of a history, by step or by seconds since `start`.

    Points without a step, or with one that is no number, come after those that have one; if none has, all are placed by
    their order.
    """
    y = [float(point["value"]) if math.isfinite(point["value"]) else math.nan for point in points]
    if along is Along.TIME:
        if start is None:
            raise InvalidValueError("a curve by time needs the start of its run")
        seconds = [_seconds(point, start, label) for point in points]
        order = sorted(range(len(y)), key=seconds.__getitem__)
        return Curve(label, [seconds[index] for index in order], [y[index] for index in order])
    steps = [point["step"] if isinstance(point["step"], int | float) else None for point in points]
    after = max((step for step in steps if step is not None), default=-1)
    x = []
    for step in steps:
        if step is None:
            after += 1
        x.append(after if step is None else step)
    return Curve(label, x, y, stepped=any(step is not None for step in steps))


def _seconds(point: Mapping[str, Any], start: datetime, label: str) -> float:
    try:
        return (timestamps.parse(point["timestamp"]) - start).total_seconds()
    except ValueError:
        raise TrackingError(
            f"{label} has a point whose timestamp {quoted(point['timestamp'])} is not a time; draw it by step"
        ) from None
