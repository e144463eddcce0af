"""Lines over steps or time: the metric of several runs as curves, or as bands over the runs that differ in the seed.

A band is the mean of runs as one line, in a band of one standard deviation. Runs may be logged at different steps: at
each step of any run of a group, the value of a run is interpolated linearly between its own points, not beyond its
ends and not across a gap. A step is drawn if at least half of the group's runs have a value, so a run that stopped
early does not end the line, and one remaining run does not continue it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tracking.errors import TrackingError
from tracking.objective import Objective
from tracking.plots.curve import COLUMNS, Curve
from tracking.plots.entrants import FARTHEST
from tracking.plots.lines import Line, draw_lines
from tracking.plots.scales import text_of
from tracking.plots.sheet import Look, number
from tracking.records import RunRecord
from tracking.repeats import Spread, group_by, key_of, without_repeats
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
    x_label, unit = _step_label(curves), ""
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
    notes = [counted(len(curves), "run"), *([f"{empty} without a finite value"] if empty else [])]
    notes += _notes(objective, look, "raw pale", curves, placed)
    return draw_lines(objective, lines, look, noun="run", notes=notes, x_label=x_label, unit=unit)


def draw_bands(objective: Objective, groups: Mapping[str, Sequence[Curve]], look: Look) -> "Figure":
    """Draw a line per group of curves: their mean, in a band of one sample standard deviation if there are two or more.

    Runs are smoothed before the mean is taken.
    """
    lines = []
    for label, members in groups.items():
        curves = [curve.smoothed(look.smooth).placed() for curve in members]
        mean, low, high = _mean_and_deviation(label, curves)
        if look.log_y:  # a band that reaches 0 ends at the lowest value above
            floor = min((y for curve in curves for y in curve.y if y > 0), default=1.0)
            low = [max(value, floor) if not math.isnan(value) else value for value in low]
        placed = mean.placed(log_x=look.log_x, log_y=look.log_y)
        lines.append(Line(placed, history=mean, band=(low, high), note=f", n={len(members)}"))
    every = [curve for members in groups.values() for curve in members]
    if all(math.isnan(value) for curve in every for value in curve.y):
        raise TrackingError(f"no run to draw has a finite value of {objective.label!r}")
    placed_runs = [curve.placed(log_x=look.log_x, log_y=look.log_y) for curve in every]
    differ = " that differ in more than seed and fold" if len(groups) > 1 else ""
    notes = [
        f"{counted(len(every), 'run')} in {counted(len(groups), 'group')}{differ}",
        "mean ± standard deviation",
        *_notes(objective, look, "each run", every, placed_runs),
    ]
    return draw_lines(objective, lines, look, noun="group", notes=notes, x_label=_step_label(every))


def seed_groups(runs: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    """Return runs grouped by their parameters without seeds, in the order of their first runs.

    A group is named by the parameters in which the groups differ, or "all runs" if there is only one.
    """
    groups = group_by(
        runs,
        lambda run: tuple(
            sorted((name, key_of(value)) for name, value in without_repeats(run.params).items())
        ),
    )
    params = [without_repeats(members[0].params) for members in groups]
    names = list(dict.fromkeys(name for each in params for name in each))
    differ = [name for name in names if len({key_of(each.get(name)) for each in params}) > 1]
    named: dict[str, list[RunRecord]] = {}
    for each, members in zip(params, groups, strict=True):
        label = ", ".join(f"{name}={text_of(each.get(name))}" for name in differ) or "all runs"
        while label in named:  # two values may read the same: 1 and "1"
            label += "'"
        named[label] = members
    return named


def _mean_and_deviation(label: str, curves: Sequence[Curve]) -> tuple[Curve, list[float], list[float]]:
    """Return the mean of curves, and the edges of one standard deviation around it (NaN for one curve).

    The steps are those of all curves, at most a thousand of them at even distances.
    """
    steps = sorted({x for curve in curves for x in curve.x})
    if len(steps) > COLUMNS:
        steps = [steps[round(index * (len(steps) - 1) / (COLUMNS - 1))] for index in range(COLUMNS)]
    tracks = [_interpolated(curve, steps) for curve in curves]
    means, low, high = [], [], []
    for column in zip(*tracks, strict=True):
        values = [value for value in column if not math.isnan(value)]
        spread = Spread.of(values if 2 * len(values) >= len(curves) else [])
        means.append(spread.mean)
        low.append(spread.mean - spread.std)
        high.append(spread.mean + spread.std)
    return Curve(label, steps, means, any(curve.stepped for curve in curves)), low, high


def _interpolated(curve: Curve, steps: Sequence[float]) -> list[float]:
    import numpy as np

    points = dict(zip(curve.x, curve.y, strict=True))  # the last value of a step that was logged twice
    places = sorted(points) or [math.nan]
    values = [points.get(place, math.nan) for place in places]
    return list(map(float, np.interp(steps, places, values, left=math.nan, right=math.nan)))


def _step_label(curves: Sequence[Curve]) -> str:
    """Return the label of the x axis for curves by step."""
    return "step" if any(curve.stepped for curve in curves) else "point"


def _notes(
    objective: Objective, look: Look, raw: str, curves: Sequence[Curve], placed: Sequence[Curve]
) -> list[str]:
    """Return the notes on the marks, on smoothing, and on the points that the axes cannot show.

    `placed` are the curves as the axes show them. Raise TrackingError if they can show no point.
    """
    notes = [f"{'highest' if objective.higher_is_better else 'lowest'} point marked"]
    if look.smooth:
        notes.append(f"smoothed {number(look.smooth)}, {raw}")
    finite, shown = (
        sum(not math.isnan(value) for curve in some for value in curve.y) for some in (curves, placed)
    )
    if finite and not shown:
        raise TrackingError(
            f"no point of {objective.label!r} has a place on the axes: above 0 on a logarithmic one, "
            f"below {number(FARTHEST)} on any"
        )
    if finite > shown:
        notes.append(f"{counted(finite - shown, 'point')} without a place on the axes")
    return notes


def _in_unit(curves: Sequence[Curve]) -> tuple[list[Curve], str]:
    longest = max((curve.x[-1] for curve in curves if curve.x), default=0.0)
    size, name = next((size, name) for least, size, name in TIME_UNITS if longest >= least or not least)
    scaled = [Curve(curve.label, [x / size for x in curve.x], curve.y) for curve in curves]
    return scaled, name
