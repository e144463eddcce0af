"""Curves: one metric over several runs, by step or by time, smoothed if asked for."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracking.errors import TrackingError
from tracking.plots.curve import Curve
from tracking.plots.lines import Line, draw_lines
from tracking.plots.objective import Mode, Objective, count_of
from tracking.plots.sheet import number

if TYPE_CHECKING:  # matplotlib is only loaded by those who draw
    from matplotlib.figure import Figure

# how long the longest curve must be for a unit of time, the unit in seconds, its name
TIME_UNITS = ((172_800, 86_400, "days"), (7_200, 3_600, "h"), (120, 60, "min"), (0, 1, "s"))


def draw_curves(
    objective: Objective,
    curves: Sequence[Curve],
    *,
    title: str,
    smooth: float = 0.0,
    best: int | None = None,
    log_x: bool = False,
    log_y: bool = False,
    by_time: bool = False,
) -> "Figure":
    """The curves of a metric, each with its best point marked.

    With `smooth` the lines are moving averages and the raw ones are pale behind; marks are of raw values. With `best`
    only so many of the best runs are coloured. Values that a logarithmic axis cannot show are gaps; TrackingError
    when it can show none.
    """
    curves = [drawable(curve, log_x=log_x, log_y=log_y) for curve in curves]
    empty = sum(all(map(math.isnan, curve.y)) for curve in curves)
    if empty == len(curves) and (log_x or log_y):
        raise TrackingError(f"no point of {objective.metric!r} has a place on a logarithmic axis: above 0")
    x_label, unit = step_label(curves), ""
    if by_time:
        curves, name = _in_unit(curves)
        x_label, unit = f"time since the run's start ({name})", f" {name}"
    if smooth:
        lines = [Line(curve.smoothed(smooth), raw=curve) for curve in curves]
    else:
        lines = [Line(curve) for curve in curves]
    notes = [count_of(len(curves), "run"), marked(objective), *smoothing(smooth, "raw pale")]
    if empty:
        notes.append(f"{empty} without a finite value")
    return draw_lines(
        objective,
        lines,
        noun="run",
        title=title,
        notes=notes,
        x_label=x_label,
        unit=unit,
        best=best,
        log_x=log_x,
        log_y=log_y,
    )


def step_label(curves: Sequence[Curve]) -> str:
    """The name of the x axis when curves are placed by step."""
    return "step" if any(curve.stepped for curve in curves) else "point"


def marked(objective: Objective) -> str:
    """The words for what is marked."""
    return f"{'highest' if objective.mode is Mode.MAX else 'lowest'} point marked"


def smoothing(weight: float, note: str) -> list[str]:
    """The words for a smoothing, none without."""
    return [f"smoothed {number(weight)}, {note}"] if weight else []


def drawable(curve: Curve, *, log_x: bool, log_y: bool) -> Curve:
    """The curve with gaps where a logarithmic axis has no place."""
    if not (log_x or log_y):
        return curve
    y = [
        value if (x > 0 or not log_x) and (value > 0 or not log_y) else math.nan
        for x, value in zip(curve.x, curve.y, strict=True)
    ]
    return Curve(curve.label, curve.x, y, curve.stepped)


def _in_unit(curves: Sequence[Curve]) -> tuple[list[Curve], str]:
    longest = max((curve.x[-1] for curve in curves if curve.x), default=0.0)
    size, name = next((size, name) for least, size, name in TIME_UNITS if longest >= least or not least)
    scaled = [Curve(curve.label, [x / size for x in curve.x], curve.y) for curve in curves]
    return scaled, name
