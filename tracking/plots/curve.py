"""One run's history of a metric as a line: placed by step or by time, smoothed, thinned for drawing.

A value that is not finite is NaN here, and a gap where it is drawn.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from tracking.errors import InvalidValueError, TrackingError, quoted
from tracking.objective import Objective
from tracking.plots.entrants import FARTHEST
from tracking.values import timestamps

Points = Sequence[Mapping[str, Any]]

COLUMNS = 1000  # about the pixels that the axes are wide


class Along(StrEnum):
    """What the points of a curve are placed by."""

    STEP = "step"
    TIME = "time"


@dataclass(frozen=True)
class Curve:
    """A line and its name. `stepped` is false when no point had a step, and x is the order of the points."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    stepped: bool = True

    def best(self, objective: Objective) -> tuple[float, float] | None:
        """Where the best finite value is, the first of equals; None without any."""
        places = [(y, x) for x, y in zip(self.x, self.y, strict=True) if not math.isnan(y)]
        if not places:
            return None
        best = min((y for y, _ in places), key=objective.key)
        return next((x, y) for y, x in places if y == best)

    def smoothed(self, weight: float) -> "Curve":
        """The exponential moving average, `weight` on the past, corrected for the start at nothing.

        The bias correction is the one of Adam (Kingma and Ba, 2015, section 3), which TensorBoard's smoothing uses
        too: the first value stays what it is. Gaps stay gaps and count for nothing.
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
        """The curve with gaps where the axes have no place: a logarithmic one at 0 and below, any one beyond FARTHEST."""
        left, bottom = (0.0 if log else -FARTHEST for log in (log_x, log_y))
        y = [
            value if left < x < FARTHEST and bottom < value < FARTHEST else math.nan
            for x, value in zip(self.x, self.y, strict=True)
        ]
        return replace(self, y=y)

    def thinned(self, columns: int = COLUMNS, *, log: bool = False) -> "Curve":
        """A curve that looks the same on `columns` pixel columns: the first, lowest, highest and last of each.

        These four make the line exact to the pixel (M4: Jugel et al., 2014). A gap in a column stays one.
        """
        if len(self.x) <= 4 * columns:
            return self
        kept = sorted(set(_kept(self.x, self.y, columns, log=log)))
        return replace(self, x=[self.x[index] for index in kept], y=[self.y[index] for index in kept])


def curve_of(label: str, points: Points, along: Along = Along.STEP, start: datetime | None = None) -> Curve:
    """The curve of a history, by step or by seconds since `start`.

    Points without a step come after those that have one; when none has, all are placed by their order.
    """
    y = [float(point["value"]) if math.isfinite(point["value"]) else math.nan for point in points]
    if along is Along.TIME:
        if start is None:
            raise InvalidValueError("a curve by time needs the moment its run started")
        seconds = [_seconds(point, start, label) for point in points]
        order = sorted(range(len(y)), key=seconds.__getitem__)
        return Curve(label, [seconds[index] for index in order], [y[index] for index in order])
    after = max((point["step"] for point in points if point["step"] is not None), default=-1)
    x = []
    for point in points:
        if point["step"] is None:
            after += 1
        x.append(after if point["step"] is None else point["step"])
    return Curve(label, x, y, stepped=any(point["step"] is not None for point in points))


def _seconds(point: Mapping[str, Any], start: datetime, label: str) -> float:
    try:
        return (timestamps.parse(point["timestamp"]) - start).total_seconds()
    except ValueError:
        raise TrackingError(
            f"{label} has a point with the time {quoted(point['timestamp'])}, which is no time; draw it by step"
        ) from None


def _kept(x: Sequence[float], y: Sequence[float], columns: int, *, log: bool) -> Iterator[int]:
    place = (lambda value: math.log(value) if value > 0 else -math.inf) if log else float
    finite = [where for where in map(place, x) if where > -math.inf]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    scale = columns / ((high - low) or 1.0)
    column, lowest, highest, last = -1, -1, -1, -1
    for index, value in enumerate(y):
        where = max(place(x[index]), low)
        if int((where - low) * scale) != column:
            yield from (lowest, highest, last) if last >= 0 else ()
            column = int((where - low) * scale)
            lowest = highest = index
            yield index
        if math.isnan(value):
            if not math.isnan(y[last]) or last < 0:
                yield index  # the gap begins; what follows in this column is measured against itself
        elif math.isnan(y[lowest]) or value < y[lowest]:
            lowest = index
        if not math.isnan(value) and (math.isnan(y[highest]) or value > y[highest]):
            highest = index
        last = index
    if last >= 0:
        yield from (lowest, highest, last)
