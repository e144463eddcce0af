"""Curves of one metric over several runs as a PNG. Drawn without a display and without global state."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking import files
from tracking.compare import mode_of

if TYPE_CHECKING:  # matplotlib is only loaded by those who draw
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = Sequence[Mapping[str, Any]]

MAX_LEGEND = 28  # more names than this do not fit beside the curves
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C564B", "#000000")


def plot_metric(path: Path, metric: str, histories: Mapping[str, Points], *, title: str) -> Path:
    """Draw each run's history of `metric` into `path`, the best point of each marked; the path.

    Points are placed by step, or by their order when they were logged without one. Non-finite values are gaps.
    """
    picture = io.BytesIO()
    draw(metric, histories, title=title).savefig(picture, format="png")
    files.write_bytes(path, picture.getvalue(), durable=False)
    return path


def draw(metric: str, histories: Mapping[str, Points], *, title: str) -> "Figure":
    """The figure that `plot_metric` writes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 5.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, (run_id, points) in enumerate(histories.items()):
        _draw(axes, run_id, points, number, best=max if mode_of(metric) == "max" else min)
    by_step = any(point["step"] is not None for points in histories.values() for point in points)
    axes.set_title(title, loc="left", fontsize=13, fontweight="bold", pad=12, parse_math=False)
    axes.set_xlabel("step" if by_step else "point")
    axes.set_ylabel(metric, parse_math=False)
    axes.grid(visible=True, color="#dddddd", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.02)
    _scale(axes, histories)
    if len(histories) <= MAX_LEGEND:
        legend = figure.legend(frameon=False, loc="outside right upper", fontsize=9)
        for text in legend.get_texts():
            text.set_parse_math(False)
    return figure


def _scale(axes: "Axes", histories: Mapping[str, Points]) -> None:
    import math

    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    places = {
        step
        for points in histories.values()
        for step, point in zip(_steps(points), points, strict=True)
        if math.isfinite(point["value"])
    }
    if not places:
        axes.text(
            0.5, 0.5, "no finite value", transform=axes.transAxes, ha="center", va="center", fontsize=13
        )
        axes.set_xticks([])
        axes.set_yticks([])
    elif len(places) == 1:
        axes.set_xticks(list(places))  # a single point: no scale between numbers that nobody logged


def _steps(points: Points) -> list[int]:
    return [order if point["step"] is None else point["step"] for order, point in enumerate(points)]


def _draw(axes: "Axes", run_id: str, points: Points, number: int, *, best: Any) -> None:
    import math

    steps = _steps(points)
    values = [float(point["value"]) if math.isfinite(point["value"]) else math.nan for point in points]
    colour = COLOURS[number % len(COLOURS)]
    style = ("-", "--", ":", "-.")[number // len(COLOURS) % 4]
    finite = [(value, step) for value, step in zip(values, steps, strict=True) if not math.isnan(value)]
    if not finite:
        axes.plot([], [], color=colour, linestyle=style, label=f"{run_id}  (no finite value)")
        return
    value = best(value for value, _ in finite)
    step = next(step for candidate, step in finite if candidate == value)
    marker = "o" if len(points) <= 30 else None
    label = f"{run_id}  (best {value:.4g} at {step})"
    axes.plot(
        steps,
        values,
        color=colour,
        linestyle=style,
        linewidth=1.8,
        marker=marker,
        markersize=3.5,
        label=label,
    )
    axes.plot(
        [step],
        [value],
        marker="o",
        markersize=8,
        markerfacecolor="white",
        markeredgecolor=colour,
        markeredgewidth=2,
    )
