"""What the pictures of a report share: the sheet, its text and colours, and the address that holds a picture."""

import base64
import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.dashboard.report.winner_pictures import small_png
from sweeps.dashboard.report.words import higher_is_better, label_of

if TYPE_CHECKING:  # loaded to draw
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Facts = Mapping[str, Any]
WIDTH = 9.0  # inches
LARGEST_SVG = 16_000  # bytes; a larger picture is a PNG, if that is smaller
DPI = 110
INK, GREY, LINE = "#1b1f24", "#5c6570", "#d8dce1"
ACCENT = "#0b62c4"


def sheet(
    height: float,
    rows: int = 1,
    columns: int = 1,
    *,
    left: float = 0.78,
    right: float = 0.15,
    top: float = 0.12,
) -> "tuple[Figure, list[Axes]]":
    """Return a figure of so many inches with axes in rows; margins in inches leave room for their labels.

    Fixed margins take a third of the time of those that matplotlib finds.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    wide, high, below = WIDTH / columns, height / rows, 0.48
    return figure, [
        _axes(
            figure,
            (column * wide + left) / WIDTH,
            (height - (row + 1) * high + below) / height,
            (wide - left - right) / WIDTH,
            (high - below - top) / height,
        )
        for row in range(rows)
        for column in range(columns)
    ]


def _axes(figure: "Figure", left: float, bottom: float, width: float, height: float) -> "Axes":
    axes = figure.add_axes((left, bottom, width, height))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LINE)
    axes.tick_params(colors=GREY, labelsize=8, length=3)
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def named(axes: "Axes", x: str, y: str) -> None:
    """Name both axes; an empty text names none."""
    axes.set_xlabel(literal(x), fontsize=8.5, color=INK)
    axes.set_ylabel(literal(y), fontsize=8.5, color=INK)


def literal(text: str) -> str:
    """Return text that matplotlib writes as it is: a dollar sign begins a formula."""
    cut = text if len(text) <= 60 else f"{text[:59]}…"
    return "".join(sign if sign.isprintable() else " " for sign in cut).replace("$", r"\$")


def written(figure: "Figure") -> str:
    """Return the address of a picture that holds all of it."""
    import matplotlib as mpl

    data = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "podium"}):
        figure.savefig(data, format="svg", metadata={"Date": None, "Creator": None})
    drawing, kind = data.getvalue(), "svg+xml"
    if len(drawing) > LARGEST_SVG:
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=DPI)
        small = small_png(data.getvalue()) or data.getvalue()
        if len(small) < len(drawing):
            drawing, kind = small, "png"
    return f"data:image/{kind};base64,{base64.b64encode(drawing).decode()}"


def varied_keys(facts: Facts) -> list[str]:
    """Return the swept keys that differ, the most important ones first."""
    share = (facts.get("importance") or {}).get("share") or {}
    points = facts["jobs"]["point"]
    own = [key for key in facts["swept"] if key not in facts["repeats"]]
    varied = [key for key in own if len({label_of(value) for value in points[key]}) > 1]
    return sorted(varied, key=lambda key: -share.get(key, 0.0))


def usual_bounds(values: Sequence[Any], facts: Facts, times: float = 5.0) -> tuple[float, float] | None:
    """Return the ends of an axis for values: one that is `times` as far from the best as the middle is beyond."""
    numbers = sorted(
        (value for value in values if is_finite(value)), reverse=higher_is_better(facts["objectives"][0])
    )
    if not numbers:
        return None
    best, middle, worst = numbers[0], numbers[len(numbers) // 2], numbers[-1]
    reach = times * abs(middle - best)
    if 0 < reach < abs(worst - best):
        worst = best + math.copysign(reach, worst - best)
    return min(best, worst), max(best, worst)


def within(axes: "Axes", values: Sequence[Any], facts: Facts, times: float = 5.0) -> None:
    """End the axis of results where `usual_bounds` says."""
    bounds = usual_bounds(values, facts, times)
    if bounds is not None and bounds[0] < bounds[1]:
        room = (bounds[1] - bounds[0]) * 0.06
        axes.set_ylim(bounds[0] - room, bounds[1] + room)


def result_colours(facts: Facts) -> Callable[[Any], Any]:
    """Return a function that gives a result its colour, dark where it is good."""
    import matplotlib as mpl

    bounds = usual_bounds(facts["jobs"]["values"][0], facts)
    colours = mpl.colormaps["viridis_r" if higher_is_better(facts["objectives"][0]) else "viridis"]

    def colour(value: Any) -> Any:
        if bounds is None or not is_finite(value):
            return LINE
        span = bounds[1] - bounds[0]
        share = 0.5 if not span else (value - bounds[0]) / span
        return colours(0.06 + 0.94 * min(1.0, max(0.0, share)))

    return colour


def is_finite(value: Any) -> bool:
    """Return whether a value is a number that an axis can show."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
