"""Scatter: the objective by each parameter, a panel per parameter, with the best runs marked in all of them."""

import itertools
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracking.errors import TrackingError
from tracking.objective import Objective
from tracking.plots.colours import COLOURS, QUIET, density
from tracking.plots.entrants import Entrants, axis_label, entrants
from tracking.plots.scales import FEW, Scale, ScaleKind, jitter, param_names, rank_correlation, scale_of
from tracking.plots.sheet import GREY, INK, Look, log_axis, number, plain, sheet, told_apart
from tracking.records import RunRecord

if TYPE_CHECKING:  # matplotlib is only loaded to draw
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 12  # more are too small to read
_LABELS, _ROW = 8, 36  # categories named below a panel, and characters that fit there side by side
_DOT, _BEST = COLOURS[0], COLOURS[1]


def draw_scatter(
    objective: Objective, runs: Sequence[RunRecord], look: Look, params: Sequence[str] = ()
) -> "Figure":
    """Draw a panel for each of `params`, by default those that differ between the runs; all share the objective's axis.

    The best run has a ring, or the `best` many. Categories are jittered the same way every time, with their median.
    A panel of numbers has Spearman's rank correlation. Runs that failed or have no finite value are left out.
    """
    best = look.best or 1
    field = entrants(runs, objective)
    names, note = chosen_params(field, params, PANELS)
    columns = {1: 1, 2: 2, 4: 2}.get(len(names), 3 if len(names) <= 9 else 4)
    rows = -(-len(names) // columns)
    figure = sheet(
        look.title,
        f"{note} · ring: best" if look.best is None else f"{note} · rings: best {best}",
        width=7.5 if columns == 1 else 3.4 * columns + 0.8,
        height=5.2 if columns == 1 else 2.75 * rows + 1.1,
    )
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).flat
    outcome = scale_of(field.values, log=look.log_y)
    labels = told_apart(names, 60 if columns == 1 else 28)
    for index, axes in enumerate(panels):
        if index >= len(names):
            axes.set_axis_off()
            continue
        plain(axes, labels[index], axis_label(objective) if index % columns == 0 else "")
        _draw(axes, names[index], field, rings=best, log=look.log_x)
        if outcome.kind is ScaleKind.LOG:
            log_axis(axes, "y")
        axes.tick_params(labelleft=index % columns == 0)
    return figure


def chosen_params(field: Entrants, asked: Sequence[str], most: int) -> tuple[list[str], str]:
    """Return the parameters to draw and a note on what is not drawn; raise TrackingError for an unknown one or none."""
    known = list(dict.fromkeys(name for run in field.runs for name in run.params))
    unknown = [name for name in asked if name not in known]
    if unknown or not known:
        what = (
            f"no run to draw has the parameter {unknown[0]!r}" if unknown else "the runs have no parameters"
        )
        raise TrackingError(f"{what}; parameters: {', '.join(known) or 'none'}")
    names = list(dict.fromkeys(asked)) or param_names(field.runs)
    if len(names) <= most:
        return names, field.note
    return names[:most], f"{field.note}; the first {most} of {len(names)} parameters, --param chooses others"


def _draw(axes: "Axes", name: str, field: Entrants, *, rings: int, log: bool) -> None:
    given = [run.params.get(name) for run in field.runs]
    scale = scale_of(given, log=log)
    drawn = [
        (place, value, rank)
        for rank, (param, value) in enumerate(zip(given, field.values, strict=True))
        if (place := scale.place(param)) is not None
    ]
    if scale.kind is ScaleKind.CATEGORY:
        _mark_medians(axes, drawn)
        drawn = _jittered(drawn)
    ringed = [(x, y) for x, y, rank in drawn if rank < rings]
    opacity = density(len(drawn))
    x, y = [x for x, _, _ in drawn], [y for _, y, _ in drawn]
    axes.scatter(
        x, y, s=26 * opacity**0.5, color=_DOT, alpha=0.75 * opacity**0.6, linewidths=0, gid=f"runs by {name}"
    )
    axes.scatter(
        [x for x, _ in ringed],
        [y for _, y in ringed],
        s=95,
        facecolors="none",
        edgecolors=_BEST,
        linewidths=2,
        zorder=4,
        gid=f"best by {name}",
    )
    _scale(axes, scale)
    notes = []
    if scale.kind is not ScaleKind.CATEGORY:
        correlation = rank_correlation([(x, y) for x, y, _ in drawn]) if len(drawn) >= 5 else None
        notes += [] if correlation is None else [f"rank correlation {correlation:+.2f}"]
    if len(drawn) < len(given):
        notes.append(f"{len(given) - len(drawn)} not shown")
    axes.set_title(" · ".join(notes), loc="right", fontsize=8.5, color=GREY, pad=3)


def _jittered(drawn: Sequence[tuple[float, float, int]]) -> list[tuple[float, float, int]]:
    """Return the dots side by side within their category, the first in its middle."""
    met: Counter[float] = Counter()
    moved = []
    for place, value, rank in drawn:
        moved.append((place + 0.44 * jitter(met[place]), value, rank))
        met[place] += 1
    return moved


def _mark_medians(axes: "Axes", drawn: Sequence[tuple[float, float, int]]) -> None:
    for place in sorted({place for place, _, _ in drawn}):
        values = [value for where, value, _ in drawn if where == place]
        if len(values) > 2:
            middle = statistics.median(values)
            axes.plot([place - 0.3, place + 0.3], [middle, middle], color=QUIET, linewidth=2.5, zorder=1.5)


def _scale(axes: "Axes", scale: Scale) -> None:
    from matplotlib.ticker import MaxNLocator

    ticks = scale.ticks()
    if scale.kind is ScaleKind.LOG:
        log_axis(axes, "x")
    if scale.kind is ScaleKind.CATEGORY:
        shown = ticks[:: -(-len(ticks) // _LABELS)]
        room = _ROW // len(shown)
        texts = told_apart([text for _, text in shown], max(room, 14))
        axes.set_xticks([place for place, _ in shown], texts, color=INK)
        if len(texts) > 1 and max(map(len, texts)) >= room:
            axes.tick_params(axis="x", labelrotation=28)
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
        margin = 0.6 + len(ticks) / 50
        axes.set_xlim(-margin, len(ticks) - 1 + margin)
        axes.grid(visible=False, axis="x")
    elif len(scale.values) <= FEW and _are_apart(scale):
        axes.set_xticks([place for place, _ in ticks], [text for _, text in ticks])
        axes.margins(x=0.1)
        axes.minorticks_off()
    else:
        if scale.kind is ScaleKind.LINEAR:
            axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(number)


def _are_apart(scale: Scale) -> bool:
    """Return whether the texts of the ticks do not overlap."""
    fractions = [scale.fraction(place) for place, _ in scale.ticks()]
    return all(after - before > 0.12 for before, after in itertools.pairwise(fractions))
