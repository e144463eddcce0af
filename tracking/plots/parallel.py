"""Parallel coordinates: an axis per parameter and one for the objective, a line per run.

The axes stand side by side, each with its own scale from 0 (bottom) to 1; the strip beside the last one is the key of
the colours.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tracking.objective import Objective
from tracking.plots.colours import COLOURS, QUIET, ColourScale, density
from tracking.plots.entrants import axis_label, entrants
from tracking.plots.scales import FEW, Scale, ScaleKind, jitter, scale_of, text_of
from tracking.plots.scatter import chosen_params
from tracking.plots.sheet import GREY, INK, Look, families, key, literal, number, sheet, told_apart
from tracking.records import RunRecord

if TYPE_CHECKING:  # matplotlib is only loaded to draw
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AXES = 16  # more do not fit on a page
_MISSING = -0.1  # the height of lines of runs without a number, below the axis
_NAME, _SLANTED, _TICK = (
    16,
    36,
    14,
)  # characters of a name, a slanted name and a tick that fit between two axes
_TEXT = 0.045  # the height of a tick's text
_NAMED = 20  # more names do not fit beside the axes
_LINE = "#8a8a8a"


def draw_parallel(
    objective: Objective, runs: Sequence[RunRecord], look: Look, params: Sequence[str] = ()
) -> "Figure":
    """Draw a line per run through `params`, by default those that differ between the runs, to its objective.

    Lines are coloured by the objective, and the best is thick and on top. Runs that failed or have no finite value
    are left out.
    """
    field = entrants(runs, objective)
    names, note = chosen_params(field, params, AXES)
    columns = [[run.params.get(name) for run in field.runs] for name in names]
    columns.append(list(field.values))
    scales = [scale_of(column) for column in columns[:-1]] + [scale_of(field.values, log=look.log_y)]
    missing = [
        list(dict.fromkeys(text_of(value) for value in column if scale.place(value) is None))
        for scale, column in zip(scales, columns, strict=True)
    ]
    good = "highest" if objective.higher_is_better else "lowest"
    figure = sheet(look.title, f"{note} · {good} is best", width=max(7.5, 1.4 * len(names) + 3.6), height=5.8)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set(xlim=(-0.45, len(names) + 0.2), ylim=(_MISSING - 0.06 if any(missing) else -0.06, 1.04))
    labels = [*told_apart(names, _SLANTED), literal(axis_label(objective), _SLANTED)]
    for where, (label, scale, names_missing) in enumerate(zip(labels, scales, missing, strict=True)):
        _draw_axis(axes, where, label, scale, ", ".join(names_missing))
    by_log = scales[-1].kind is ScaleKind.LOG
    colours = ColourScale.of(field.values, high_is_good=objective.higher_is_better, log=by_log)
    if look.best is None:
        _strip(axes, len(names), scales[-1], colours)
    for rank in reversed(range(len(field.runs))):
        path = [
            _height(scale, column[rank], rank, alone=len(field.runs) <= FEW)
            for scale, column in zip(scales, columns, strict=True)
        ]
        style = _style(rank, field.values[rank], colours, look.best, len(field.runs))
        run_id = field.runs[rank].run_id
        if rank < (1 if look.best is None else min(look.best, _NAMED)):
            style["label"] = f"{literal(run_id, 24)}  ({number(field.values[rank])})"
        axes.plot(range(len(path)), path, solid_joinstyle="round", gid=f"run {run_id}", **style)
    key(axes, "best" if len(field.runs) > 1 else None, backwards=True, top=0.93)
    return figure


def _style(rank: int, value: float, colours: ColourScale, best: int | None, count: int) -> dict[str, Any]:
    """Return how the line of a rank is drawn."""
    layer = 1 / (rank + 1)
    if best is None and rank == 0:
        return {"color": colours.colour(value), "linewidth": 3.2, "zorder": 5}
    if best is None:
        alpha = 0.9 if count <= 10 else 0.6 * density(count)
        return {"color": colours.colour(value), "linewidth": 1.4, "alpha": alpha, "zorder": 3 + layer}
    if rank < best:
        return {"color": COLOURS[rank % len(COLOURS)], "linewidth": 2.2, "zorder": 4 + layer}
    return {"color": QUIET, "linewidth": 0.9, "alpha": 0.8 * density(count), "zorder": 2}


def _height(scale: Scale, value: Any, rank: int, *, alone: bool) -> float:
    """Return the height of a line at an axis; lines through one of few values are spread a little."""
    place = scale.place(value)
    if place is None:
        return _MISSING
    is_shared = scale.kind is ScaleKind.CATEGORY or len(scale.values) <= FEW
    apart = 0.04 * jitter(rank) if is_shared and not alone else 0
    return scale.fraction(place) + apart


def _draw_axis(axes: "Axes", where: int, name: str, scale: Scale, below: str) -> None:
    """Draw an axis with its ticks; `below` is the value of the lines that pass below it."""
    axes.plot([where, where], [0, 1], color=_LINE, linewidth=1.1, zorder=2.5, gid=f"axis {name}")
    slanted = len(name) > _NAME
    axes.annotate(
        name,
        (where, 1),
        xytext=(0, 9),
        textcoords="offset points",
        ha="left" if slanted else "center",
        va="bottom",
        rotation=18 if slanted else 0,
        rotation_mode="anchor",
        fontsize=10,
        fontweight="bold",
        fontfamily=families(),
        color=INK,
        annotation_clip=False,
    )
    ticks = _apart([(scale.fraction(place), text) for place, text in scale.ticks()])
    heights = [height for height, _ in ticks]
    texts = told_apart([text for _, text in ticks], _TICK)
    if below:
        heights, texts = [_MISSING, *heights], [literal(below, _TICK), *texts]
    axes.hlines(heights, where - 0.02, where, color=_LINE, linewidth=1, zorder=2.5)
    for height, text in zip(heights, texts, strict=True):
        axes.annotate(
            text,
            (where, height),
            xytext=(-5, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=8.5,
            fontfamily=families(),
            color=GREY if height == _MISSING else INK,
            zorder=6,
            bbox={"boxstyle": "square,pad=0.12", "facecolor": "white", "alpha": 0.75, "linewidth": 0},
        )


def _apart(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Return the ticks whose texts do not overlap; the lowest and the highest always stay."""
    kept = list(ticks[:1])
    for height, text in ticks[1:-1]:
        if height - kept[-1][0] >= _TEXT and ticks[-1][0] - height >= _TEXT:
            kept.append((height, text))
    return [*kept, *ticks[1:][-1:]]


def _strip(axes: "Axes", where: int, scale: Scale, colours: ColourScale) -> None:
    """Draw the colours of the values beside the axis of the objective."""
    import numpy as np

    space = np.geomspace if scale.kind is ScaleKind.LOG else np.linspace
    values = space(scale.low, scale.high, 100)[:, np.newaxis]
    heights = np.linspace(0, 1, 101)
    # the edges, in the colours of the cells, hide the seams that viewers of SVG and PDF draw
    axes.pcolormesh(
        [where + 0.04, where + 0.1],
        heights,
        values,
        norm=colours.norm,
        cmap=colours.colour_map,
        edgecolor="face",
        linewidth=0.2,
        zorder=2,
    )
