"""Curves: one metric over several runs, by step or by time, smoothed if asked for."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracking.errors import TrackingError
from tracking.objective import Objective
from tracking.plots.curve import Curve
from tracking.plots.entrants import FARTHEST, count_of
from tracking.plots.lines import Line, draw_lines
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
    only so many of the best runs are coloured. Values that an axis cannot show are gaps, and counted in the subtitle;
    TrackingError when it can show none.
    """
    empty = sum(all(map(math.isnan, curve.y)) for curve in curves)
    x_label, unit = step_label(curves), ""
    if by_time:
        curves, name = _in_unit(curves)
        x_label, unit = f"time since the run's start ({name})", f" {name}"
    placed = [curve.placed(log_x=log_x, log_y=log_y) for curve in curves]
    lines = [
        Line(raw.smoothed(smooth) if smooth else raw, history=curve, raw=raw if smooth else None)
        for curve, raw in zip(curves, placed, strict=True)
    ]
    notes = [count_of(len(curves), "run"), marked(objective), *smoothing(smooth, "raw pale")]
    if empty:
        notes.append(f"{empty} without a finite value")
    notes += unplaced(objective, curves, placed)
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
    return f"{'highest' if objective.higher_is_better else 'lowest'} point marked"


def smoothing(weight: float, note: str) -> list[str]:
    """The words for a smoothing, none without."""
    return [f"smoothed {number(weight)}, {note}"] if weight else []


def unplaced(objective: Objective, curves: Sequence[Curve], placed: Sequence[Curve]) -> list[str]:
    """The words for points that have no place on the axes, none without; TrackingError where that is all of them."""
    finite, shown = (
        sum(not math.isnan(value) for curve in some for value in curve.y) for some in (curves, placed)
    )
    if finite and not shown:
        raise TrackingError(
            f"no point of {objective.label!r} has a place on the axes: above 0 on a logarithmic one, "
            f"below {number(FARTHEST)} on any"
        )
    return [f"{count_of(finite - shown, 'point')} without a place on the axes"] if finite > shown else []


def _in_unit(curves: Sequence[Curve]) -> tuple[list[Curve], str]:
    longest = max((curve.x[-1] for curve in curves if curve.x), default=0.0)
    size, name = next((size, name) for least, size, name in TIME_UNITS if longest >= least or not least)
    scaled = [Curve(curve.label, [x / size for x in curve.x], curve.y) for curve in curves]
    return scaled, name
