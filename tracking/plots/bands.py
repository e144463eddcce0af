"""Bands: runs that are equal in everything but the seed as one line, their mean, within a standard deviation.

Seeds need not be logged at the same steps: at every step that any run of a group has, a run's value is interpolated
linearly between its own points, never beyond its ends nor across a gap. A step is drawn where at least half of the
group's runs have a value, so a run that was stopped early neither ends the line nor leaves it to one survivor.
"""

import bisect
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tracking.errors import TrackingError
from tracking.objective import Objective
from tracking.plots.curve import COLUMNS, Curve
from tracking.plots.curves import marked, smoothing, step_label, unplaced
from tracking.plots.entrants import count_of
from tracking.plots.lines import Line, draw_lines
from tracking.plots.scales import text_of
from tracking.records import RunRecord
from tracking.repeats import Spread, group_by, key_of, without_seeds

if TYPE_CHECKING:  # matplotlib is only loaded by those who draw
    from matplotlib.figure import Figure


def draw_bands(
    objective: Objective,
    groups: Mapping[str, Sequence[Curve]],
    *,
    title: str,
    smooth: float = 0.0,
    best: int | None = None,
    log_x: bool = False,
    log_y: bool = False,
) -> "Figure":
    """A line per group of curves: their mean, with a band of one sample standard deviation where there are two or more.

    With `smooth` each run is smoothed before. With `best` only so many of the best groups are coloured.
    """
    lines = []
    for label, members in groups.items():
        curves = [curve.smoothed(smooth).placed() for curve in members]
        mean, low, high = mean_and_deviation(label, curves)
        if log_y:  # a deviation that reaches 0 or below ends at the lowest value there is
            floor = min((y for curve in curves for y in curve.y if y > 0), default=1.0)
            low = [max(value, floor) if not math.isnan(value) else value for value in low]
        placed = mean.placed(log_x=log_x, log_y=log_y)
        lines.append(Line(placed, history=mean, band=(low, high), note=f", n={len(members)}"))
    every = [curve for members in groups.values() for curve in members]
    if all(math.isnan(value) for curve in every for value in curve.y):
        raise TrackingError(f"no run to draw has a finite value of {objective.label!r}")
    differ = " that differ in more than the seed" if len(groups) > 1 else ""
    notes = [
        f"{count_of(len(every), 'run')} in {count_of(len(groups), 'group')}{differ}",
        "mean ± standard deviation",
        marked(objective),
        *smoothing(smooth, "each run"),
        *unplaced(objective, every, [curve.placed(log_x=log_x, log_y=log_y) for curve in every]),
    ]
    return draw_lines(
        objective,
        lines,
        noun="group",
        title=title,
        notes=notes,
        x_label=step_label(every),
        best=best,
        log_x=log_x,
        log_y=log_y,
    )


def seed_groups(runs: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    """Runs by what they share, in the order they were met: all parameters but the seeds.

    The name of a group tells the parameters in which the groups differ; "all runs" when there is only one.
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
    """The mean of curves, and the lower and upper edge of a standard deviation around it (NaN for one curve).

    At most a thousand steps, evenly chosen of all that any curve has.
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
    points = dict(zip(curve.x, curve.y, strict=True))  # of a step that was logged again the last value counts
    places = sorted(points)
    values = []
    for step in steps:
        after = bisect.bisect_left(places, step)
        if step in points:
            values.append(points[step])
        elif 0 < after < len(places):
            left, right = places[after - 1], places[after]
            share = (step - left) / (right - left)
            values.append((1 - share) * points[left] + share * points[right])
        else:
            values.append(math.nan)
    return values
