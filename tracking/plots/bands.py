"""Bands: the mean of runs that differ only in the seed as one line, in a band of one standard deviation.

Runs may be logged at different steps: at each step of any run of a group, the value of a run is interpolated linearly
between its own points, not beyond its ends and not across a gap. A step is drawn if at least half of the group's runs
have a value, so a run that stopped early does not end the line, and one remaining run does not continue it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tracking.errors import TrackingError
from tracking.objective import Objective
from tracking.plots.curve import COLUMNS, Curve
from tracking.plots.curves import marked, smoothing, step_label, unplaced
from tracking.plots.lines import Line, draw_lines
from tracking.plots.scales import text_of
from tracking.plots.sheet import Look
from tracking.records import RunRecord
from tracking.repeats import Spread, group_by, key_of, without_seeds
from tracking.values.units import counted

if TYPE_CHECKING:  # matplotlib is only loaded to draw
    from matplotlib.figure import Figure


def draw_bands(objective: Objective, groups: Mapping[str, Sequence[Curve]], look: Look) -> "Figure":
    """Draw a line per group of curves: their mean, in a band of one sample standard deviation if there are two or more.

    Runs are smoothed before the mean is taken.
    """
    lines = []
    for label, members in groups.items():
        curves = [curve.smoothed(look.smooth).placed() for curve in members]
        mean, low, high = mean_and_deviation(label, curves)
        if look.log_y:  # a band that reaches 0 ends at the lowest value above
            floor = min((y for curve in curves for y in curve.y if y > 0), default=1.0)
            low = [max(value, floor) if not math.isnan(value) else value for value in low]
        placed = mean.placed(log_x=look.log_x, log_y=look.log_y)
        lines.append(Line(placed, history=mean, band=(low, high), note=f", n={len(members)}"))
    every = [curve for members in groups.values() for curve in members]
    if all(math.isnan(value) for curve in every for value in curve.y):
        raise TrackingError(f"no run to draw has a finite value of {objective.label!r}")
    differ = " that differ in more than the seed" if len(groups) > 1 else ""
    notes = [
        f"{counted(len(every), 'run')} in {counted(len(groups), 'group')}{differ}",
        "mean ± standard deviation",
        marked(objective),
        *smoothing(look, "each run"),
        *unplaced(objective, every, [curve.placed(log_x=look.log_x, log_y=look.log_y) for curve in every]),
    ]
    return draw_lines(objective, lines, look, noun="group", notes=notes, x_label=step_label(every))


def seed_groups(runs: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    """Return runs grouped by their parameters without seeds, in the order of their first runs.

    A group is named by the parameters in which the groups differ, or "all runs" if there is only one.
    """
    groups = group_by(
        runs,
        lambda run: tuple(sorted((name, key_of(value)) for name, value in without_seeds(run.params).items())),
    )
    params = [without_seeds(members[0].params) for members in groups]
    names = list(dict.fromkeys(name for each in params for name in each))
    differ = [name for name in names if len({key_of(each.get(name)) for each in params}) > 1]
    named: dict[str, list[RunRecord]] = {}
    for each, members in zip(params, groups, strict=True):
        label = ", ".join(f"{name}={text_of(each.get(name))}" for name in differ) or "all runs"
        while label in named:  # two values may read the same: 1 and "1"
            label += "'"
        named[label] = members
    return named


def mean_and_deviation(label: str, curves: Sequence[Curve]) -> tuple[Curve, list[float], list[float]]:
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
