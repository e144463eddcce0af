"""Curves: one metric of several runs, by step or by time."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracking.errors import TrackingError
from tracking.objective import Objective
from tracking.plots.curve import Curve
from tracking.plots.entrants import FARTHEST
from tracking.plots.lines import Line, draw_lines
from tracking.plots.sheet import Look, number
from tracking.values.units import counted

if TYPE_CHECKING:  # matplotlib is only loaded to draw
    from matplotlib.figure import Figure

# the least length of the longest curve for a unit of time, the unit in seconds, its name
TIME_UNITS = ((172_800, 86_400, "days"), (7_200, 3_600, "h"), (120, 60, "min"), (0, 1, "s"))


def draw_curves(
    objective: Objective, curves: Sequence[Curve], look: Look, *, by_time: bool = False
) -> "Figure":
    """Draw the curves of a metric, each with its best point marked.

    Smoothed lines have the raw ones pale behind them, and marks at raw values. Values that an axis cannot show are
    gaps, and counted in the subtitle; raise TrackingError if it can show none.
    """
    empty = sum(all(map(math.isnan, curve.y)) for curve in curves)
    x_label, unit = step_label(curves), ""
    if by_time:
        curves, name = _in_unit(curves)
        x_label, unit = f"time since the run's start ({name})", f" {name}"
    placed = [curve.placed(log_x=look.log_x, log_y=look.log_y) for curve in curves]
    lines = [
        Line(
            raw.smoothed(look.smooth) if look.smooth else raw, history=curve, raw=raw if look.smooth else None
        )
        for curve, raw in zip(curves, placed, strict=True)
    ]
    notes = [counted(len(curves), "run"), marked(objective), *smoothing(look, "raw pale")]
    if empty:
        notes.append(f"{empty} without a finite value")
    notes += unplaced(objective, curves, placed)
    return draw_lines(objective, lines, look, noun="run", notes=notes, x_label=x_label, unit=unit)


def step_label(curves: Sequence[Curve]) -> str:
    """Return the label of the x axis for curves by step."""
    return "step" if any(curve.stepped for curve in curves) else "point"


def marked(objective: Objective) -> str:
    """Return the note about the marked points."""
    return f"{'highest' if objective.higher_is_better else 'lowest'} point marked"


def smoothing(look: Look, note: str) -> list[str]:
    """Return the note about smoothing, none without smoothing."""
    return [f"smoothed {number(look.smooth)}, {note}"] if look.smooth else []


def unplaced(objective: Objective, curves: Sequence[Curve], placed: Sequence[Curve]) -> list[str]:
    """Return the note about points that the axes cannot show, none without; raise TrackingError if that is all of them."""
    finite, shown = (
        sum(not math.isnan(value) for curve in some for value in curve.y) for some in (curves, placed)
    )
    if finite and not shown:
        raise TrackingError(
            f"no point of {objective.label!r} has a place on the axes: above 0 on a logarithmic one, "
            f"below {number(FARTHEST)} on any"
        )
    return [f"{counted(finite - shown, 'point')} without a place on the axes"] if finite > shown else []


def _in_unit(curves: Sequence[Curve]) -> tuple[list[Curve], str]:
    longest = max((curve.x[-1] for curve in curves if curve.x), default=0.0)
    size, name = next((size, name) for least, size, name in TIME_UNITS if longest >= least or not least)
    scaled = [Curve(curve.label, [x / size for x in curve.x], curve.y) for curve in curves]
    return scaled, name
