"""Parallel coordinates for paper: an axis per setting and one for the result, a line per job."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sweeps.dashboard.report.drawing import (
    GREY,
    INK,
    LINE,
    WIDTH,
    Facts,
    is_finite,
    literal,
    result_colours,
    usual_bounds,
    varied_keys,
)
from sweeps.dashboard.report.words import higher_is_better, short_name
from tracking.plots.scales import FEW, Scale, ScaleKind, jitter, scale_of, text_of

if TYPE_CHECKING:  # loaded to draw
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AXES = 7  # settings; the names of more do not fit beside each other
HEIGHT = 3.4  # inches
MISSING = -0.11  # the height of lines without a value
TICK = 0.055  # the height of a tick's text
BEST, OTHERS = 100, 100  # jobs; more lines hide each other, and make a picture large
FINE = 80  # jobs, above which each line is as thin as a pixel
LETTERS = 90  # of all names and of all ticks beside each other


def parallel_picture(facts: Facts) -> "Figure | None":
    """Draw the settings of each job and its result, the most important settings first, the best job on top.

    Jobs without a result end below the axis of results, and so does a setting that a job does not have.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    keys = varied_keys(facts)[:AXES]
    results = facts["jobs"]["values"][0]
    is_high = higher_is_better(facts["objectives"][0])
    bounds = usual_bounds(results, facts)
    if not keys or bounds is None or len(results) < 2:
        return None
    columns = [facts["jobs"]["point"][key] for key in keys]
    scales = [_scale(column, facts["scales"][key]) for key, column in zip(keys, columns, strict=True)]
    scales.append(_result_scale(results, bounds))
    figure = Figure(figsize=(WIDTH, HEIGHT), facecolor="white")
    axes = figure.add_axes((0.02, 0.02, 0.93, 0.88))
    axes.set_axis_off()
    axes.set(xlim=(-0.6, len(keys) + 0.25), ylim=(MISSING - 0.05, 1.05))
    order = _drawn(sorted(range(len(results)), key=lambda job: _goodness(results[job], is_high)))
    colour = result_colours(facts)
    paths = [
        [
            (place, _height(scale, column[job], job, len(results)))
            for place, (scale, column) in enumerate(zip(scales, [*columns, results], strict=True))
        ]
        for job in order
    ]
    thin = len(order) > FINE
    axes.add_collection(
        LineCollection(
            paths,
            colors=[colour(results[job]) for job in order],
            linewidths=[0.5 if thin else 1.0] * (len(paths) - 1) + [2.6],  # the best comes last
            antialiaseds=not thin,  # soft edges of so many lines double the size of a picture
            zorder=3,
        )
    )
    better = "↑ better" if is_high else "↓ better"
    names = [*(short_name(facts, key) for key in keys), facts["objectives"][0]["label"]]
    for place, (name, scale, column) in enumerate(zip(names, scales, [*columns, results], strict=True)):
        lacks = any(scale.place(value) is None for value in column)
        _draw_axis(axes, place, _cut(name, len(names)), scale, lacks=lacks, most=len(names))
    axes.text(len(keys) + 0.04, 1.0, better, ha="left", va="center", fontsize=7.5, color=GREY)
    if len(order) < len(results):
        words = f"the best {BEST} of {len(results)} jobs, and {OTHERS} of the others"
        axes.text(len(keys) + 0.2, MISSING - 0.04, words, ha="right", va="bottom", fontsize=7.5, color=GREY)
    return figure


def _drawn(jobs: list[int]) -> list[int]:
    """Return the jobs whose lines are drawn, from the worst to the best: of very many the best, and some of all others."""
    if len(jobs) <= BEST + OTHERS:
        return jobs
    others = jobs[:-BEST]
    return [*(others[place * len(others) // OTHERS] for place in range(OTHERS)), *jobs[-BEST:]]


def _scale(values: Sequence[Any], kind: str) -> Scale:
    """Return a scale of the kind that the other charts have for the setting."""
    if kind == ScaleKind.CATEGORY:
        names = tuple(sorted({text_of(value) for value in values}))
        return Scale(ScaleKind.CATEGORY, 0.0, float(len(names) - 1), (), names)
    found = scale_of(values, log=kind == ScaleKind.LOG)
    return replace(found, kind=ScaleKind.LINEAR) if kind != found.kind == ScaleKind.LOG else found


def _result_scale(values: Sequence[Any], bounds: tuple[float, float]) -> Scale:
    numbers = tuple(
        sorted({float(value) for value in values if is_finite(value) and bounds[0] <= value <= bounds[1]})
    )
    return Scale(ScaleKind.LINEAR, *bounds, numbers)


def _goodness(value: Any, is_high: bool) -> float:
    if not is_finite(value):
        return float("-inf")
    return float(value) if is_high else -float(value)


def _height(scale: Scale, value: Any, job: int, jobs: int) -> float:
    """Return the height of a line at an axis; one far beyond passes at its end, many through one value are spread."""
    place = scale.place(value)
    if place is None:
        return MISSING
    height = min(1.0, max(0.0, scale.fraction(place)))
    return height + (0.04 * jitter(job) if scale.kind is ScaleKind.CATEGORY and jobs > FEW else 0.0)


def _draw_axis(axes: "Axes", place: int, name: str, scale: Scale, *, lacks: bool, most: int) -> None:
    axes.plot([place, place], [0, 1], color=LINE, linewidth=1.2, zorder=2)
    words = f"{name} (log)" if scale.kind is ScaleKind.LOG else name
    axes.text(place, 1.06, literal(words), ha="center", va="bottom", fontsize=8.5, color=INK)
    shown = _apart([(scale.fraction(at), text) for at, text in scale.ticks()])
    for height, text in [*shown, *([(MISSING, "none")] if lacks else [])]:
        axes.text(
            place - 0.04,
            height,
            literal(_cut(text, most)),
            ha="right",
            va="center",
            fontsize=7.5,
            color=GREY,
            zorder=6,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.8, "linewidth": 0},
        )


def _apart(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Return the ticks whose texts do not overlap, from the top."""
    kept: list[tuple[float, str]] = []
    for height, text in sorted(ticks, reverse=True):
        if not kept or kept[-1][0] - height >= TICK:
            kept.append((height, text))
    return kept


def _cut(text: str, most: int) -> str:
    letters = max(8, LETTERS // most)
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
