"""Lines over a common x axis, the best point of each marked; curves and bands are drawn by it.

Up to eight lines have a colour each and a name beside the axes. More are coloured by their best value, and only the
best few are strong and named, so that fifty lines stay legible.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracking.objective import Objective
from tracking.plots.colours import COLOURS, QUIET, ColourScale, colour_bar, density
from tracking.plots.curve import Curve
from tracking.plots.entrants import has_place
from tracking.plots.sheet import GREY, INK, Look, key, literal, log_axis, number, plain, sheet
from tracking.values.units import counted

if TYPE_CHECKING:  # matplotlib is only loaded to draw
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 5  # of many lines, how many of the best are strong and named
_MOST_NAMES = 24  # more do not fit beside the axes
_FAINT = 0.25  # lines of less opacity have no marks
_STYLES = ("-", "--", ":", "-.")  # for more lines than colours
_LABEL = 52  # characters of a line's name
_SAMPLE = 200  # values of a curve that count for the usual range
_FAR = 20  # widths of the usual range; values farther away are beyond the y axis


@dataclass(frozen=True)
class Line:
    """A named curve, with an optional raw curve behind it and an optional band around it.

    The best point is that of `history`, which also has the points that the axes cannot show.
    """

    curve: Curve
    history: Curve
    raw: Curve | None = None
    band: tuple[Sequence[float], Sequence[float]] | None = None
    note: str = ""


@dataclass(frozen=True)
class Ink:
    """The style of one line; `rank` is the number at its best point, 0 for none."""

    colour: str
    strong: bool
    layer: float
    alpha: float = 1.0
    named: bool = False
    rank: int = 0
    style: str = "-"


def draw_lines(
    objective: Objective,
    lines: Sequence[Line],
    look: Look,
    *,
    noun: str,
    notes: Sequence[str],
    x_label: str,
    unit: str = "",
) -> "Figure":
    """Draw lines.

    `noun` names what a line is, `notes` make the subtitle, `unit` is that of x. Values so far away that all others
    would be one flat line are beyond the y axis, and counted in the subtitle.
    """
    places = [line.history.best(objective) for line in lines]
    bests = [place[1] if place else None for place in places]
    order = sorted(range(len(lines)), key=lambda index: objective.key(bests[index]))
    marks = [place if _is_placed(place, look) else None for place in places]
    values = [mark[1] for mark in marks if mark]
    colours = None
    if look.best is None and len(lines) > len(COLOURS) and values:
        colours = ColourScale.of(values, high_is_good=objective.higher_is_better, log=look.log_y)
    inks = [Ink(QUIET, strong=False, layer=2)] * len(lines)
    for rank, index in enumerate(order, 1):
        inks[index] = _ink(rank, index, len(lines), bests[index], look.best, colours)
    names = [_name(*each, unit) for each in zip(lines, inks, places, strict=True)]
    curves = [line.curve for line in lines]
    limits = None if look.log_y else _limits(curves)
    if limits:
        beyond = sum(y < limits[0] or y > limits[1] for curve in curves for y in curve.y)
        notes = [*notes, f"{counted(beyond, 'value')} beyond the y axis"]
    longest = max(len(name) for name, ink in zip(names, inks, strict=True) if ink.named)
    width = max(10.5, 8 + 0.075 * longest)  # so that the legend does not make the axes smaller
    figure = sheet(look.title, " · ".join(notes), width=width)
    axes = figure.add_subplot()
    plain(axes, x_label, objective.label)
    for line, ink, mark in zip(lines, inks, marks, strict=True):
        _draw(axes, line, ink, mark, log_x=look.log_x)
    _scale(axes, curves, look)
    if limits:
        axes.set_ylim(limits)
    _explain(axes, names, inks, order, noun)
    if colours:
        colour_bar(axes, colours, f"best {objective.label}", height=0.55)
    return figure


def _is_placed(place: tuple[float, float] | None, look: Look) -> bool:
    return place is not None and has_place(place[0], log=look.log_x) and has_place(place[1], log=look.log_y)


def _ink(
    rank: int, index: int, count: int, value: float | None, best: int | None, colours: ColourScale | None
) -> Ink:
    """Return the style of the line that is the `index`-th given and the `rank`-th best of `count`."""
    layer = 3 + 1 / rank
    strong = best if best is not None else count if count <= len(COLOURS) else NAMED
    colour = COLOURS[(index if best is None else rank - 1) % len(COLOURS)]
    by_value = False
    if colours is not None and value is not None:
        colour, by_value = colours.colour(value), True
    if rank <= strong:
        numbered = rank if count > len(COLOURS) and rank <= 9 else 0
        style = "-" if by_value else _STYLES[(rank - 1) // len(COLOURS) % len(_STYLES)]
        named = rank <= _MOST_NAMES
        return Ink(colour, strong=True, layer=layer + 1, named=named, rank=numbered, style=style)
    if by_value:
        return Ink(colour, strong=False, layer=layer, alpha=0.45 * density(count))
    return Ink(QUIET, strong=False, layer=2, alpha=0.8 * density(count))


def _draw(axes: "Axes", line: Line, ink: Ink, place: tuple[float, float] | None, *, log_x: bool) -> None:
    curve = line.curve.thinned(log=log_x)
    if line.band and ink.strong:
        axes.fill_between(
            line.curve.x, *line.band, color=ink.colour, alpha=0.18, linewidth=0, zorder=ink.layer - 1
        )
    if line.raw and ink.strong:
        raw = line.raw.thinned(log=log_x)
        axes.plot(raw.x, raw.y, color=ink.colour, linewidth=0.8, alpha=0.28, zorder=ink.layer - 1)
    axes.plot(
        curve.x,
        curve.y,
        color=ink.colour,
        linestyle=ink.style,
        linewidth=1.9 if ink.strong else 0.9,
        alpha=ink.alpha,
        zorder=ink.layer,
        solid_capstyle="round",
        marker="o" if ink.strong and len(curve.x) <= 30 else None,
        markersize=3,
        gid=f"line {curve.label}",
    )
    # a mark needs its raw line, and hundreds of marks would hide the lines
    if place and (ink.strong or not (line.raw or ink.alpha < _FAINT)):
        _mark(axes, line, ink, place)


def _mark(axes: "Axes", line: Line, ink: Ink, place: tuple[float, float]) -> None:
    axes.plot(
        [place[0]],
        [place[1]],
        linestyle="",
        marker="o",
        markersize=9.5 if ink.rank else 7.5 if ink.strong else 3,
        markerfacecolor="white",
        markeredgecolor=ink.colour,
        markeredgewidth=1.8 if ink.strong else 0.8,
        alpha=ink.alpha,
        zorder=ink.layer + 2,
        gid=f"best {line.curve.label}",
    )
    if ink.rank:
        middle: Any = {"ha": "center", "va": "center_baseline"}
        axes.text(
            *place,
            str(ink.rank),
            **middle,
            clip_on=True,  # one beyond the y axis would shrink the axes
            fontsize=6.5,
            fontweight="bold",
            color=INK,
            zorder=ink.layer + 2.1,
        )


def _limits(curves: Sequence[Curve]) -> tuple[float, float] | None:
    """Return the range of y without values far outside of the usual range; None if there are none.

    The usual range is the middle half of all values and the median start of the curves, as a loss that falls fast is
    no outlier at its start. All curves count the same, whatever their length.
    """
    import numpy as np

    arrays = [np.array([value for value in curve.y if not math.isnan(value)]) for curve in curves]
    arrays = [values for values in arrays if values.size]
    if not arrays:
        return None
    start = float(np.median([values[0] for values in arrays]))
    sample = np.sort(np.concatenate([values[:: max(len(values) // _SAMPLE, 1)] for values in arrays]))
    quarter = len(sample) // 4
    low, high = min(sample[quarter], start), max(sample[-1 - quarter], start)
    reach = _FAR * (high - low)
    every = np.concatenate(arrays)
    kept = every[(low - reach <= every) & (every <= high + reach)]
    if not reach or len(kept) == len(every):
        return None
    margin = np.ptp(kept) / 20
    return float(kept.min() - margin), float(kept.max() + margin)


def _name(line: Line, ink: Ink, place: tuple[float, float] | None, unit: str) -> str:
    best = f"best {number(place[1])} at {number(place[0])}{unit}" if place else "no finite value"
    return f"{f'{ink.rank}  ' if ink.rank else ''}{literal(line.curve.label, _LABEL)}  ({best}{line.note})"


def _explain(
    axes: "Axes", names: Sequence[str], inks: Sequence[Ink], order: Sequence[int], noun: str
) -> None:
    """Draw the legend: the named lines, in their given order if all are named, else best first."""
    rest = sum(not ink.named for ink in inks)
    for index in order if rest else range(len(inks)):
        if inks[index].named:
            ink = inks[index]
            axes.plot([], [], color=ink.colour, linestyle=ink.style, linewidth=1.9, label=names[index])
    if rest and all(ink.colour == QUIET for ink in inks if not ink.named):
        axes.plot([], [], color=QUIET, linewidth=0.9, label=counted(rest, f"other {noun}"))
    key(axes, f"best of {counted(len(inks), noun)}" if rest else None)


def _scale(axes: "Axes", curves: Sequence[Curve], look: Look) -> None:
    """Set scales and ticks: whole steps for whole x values, and no ticks without any finite value."""
    from matplotlib.ticker import MaxNLocator, ScalarFormatter

    places = {x for curve in curves for x, y in zip(curve.x, curve.y, strict=True) if not math.isnan(y)}
    axes.margins(x=0.02)
    if not places:
        middle: Any = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.5, "no finite value", **middle, fontsize=13, color=GREY)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    whole = all(x == int(x) for x in places)
    axes.xaxis.set_major_locator(MaxNLocator(integer=whole, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(short_count)
    axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    if len(places) == 1:
        axes.set_xticks(sorted(places))
    elif look.log_x:
        log_axis(axes, "x")
    if look.log_y:
        log_axis(axes, "y")


def short_count(value: float, _place: float = 0.0) -> str:
    """Return a step as it is written at a tick: 500, 20k, 1.5M."""
    for least, size, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= least:
            return f"{number(value / size)}{letter}"
    return number(value)
