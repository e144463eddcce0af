"""The charts of a report as pictures, for readers whose browser runs no scripts; drawn by matplotlib from the facts.

They have the same content as the charts of the page, and no more than fits on paper. A picture is an SVG with text as text,
and a PNG with few colours where that is smaller.
"""

import base64
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweeps.dashboard.report.winner_pictures import BROKEN, small_png
from sweeps.dashboard.report.words import higher_is_better, label_of, number, status_name
from tracking.extras import missing

if TYPE_CHECKING:  # loaded to draw
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Facts = Mapping[str, Any]
WIDTH = 9.0  # inches
LARGEST_SVG = 45_000  # bytes; a larger picture is a PNG
DPI = 110
MOST_SLICES = 6
FEW = 6  # values that are all named on an axis
INK, GREY, LINE = "#1b1f24", "#5c6570", "#d8dce1"
ACCENT = "#0b62c4"
STATUS = {
    "completed": "#2f8f4e",
    "pruned": "#8a949e",
    "failed": "#c8322b",
    "killed": "#7d1d18",
    "cancelled": "#8a949e",
    "running": "#0b62c4",
    "interrupted": "#b7791f",
}


@dataclass(frozen=True)
class Picture:
    """A picture of one section: its name, what it shows in words, and an address that holds all of it."""

    section: str
    words: str
    source: str


def why_no_pictures() -> str | None:
    """Return why no picture can be drawn, None if one can."""
    why = missing("plots")
    if why is None:
        try:
            import matplotlib.figure  # noqa: F401 - what draws asks for it again
        except BROKEN as error:
            return f"matplotlib cannot be loaded: {' '.join(str(error).split())}"
    return why


def load_matplotlib() -> None:
    """Load what drawing needs, so that the first picture takes no longer than the others."""
    if why_no_pictures() is None:
        figure, (axes,) = _sheet(1.0)
        axes.plot([1.0, 2.0])
        axes.scatter(_places(axes, [1.0, 100.0], "log"), [1.0, 2.0])
        _written(figure)


def draw_pictures(facts: Facts) -> list[Picture]:
    """Return the pictures that the facts have something for, in the order of the sections; none without matplotlib."""
    if why_no_pictures() is not None or not facts["objectives"]:
        return []
    made = []
    for section, words, draw in PICTURES:
        figure = draw(facts)
        if figure is not None:
            made.append(Picture(section, words, _written(figure)))
    return made


def _sheet(
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


def _named(axes: "Axes", x: str, y: str) -> None:
    axes.set_xlabel(_literal(x), fontsize=8.5, color=INK)
    axes.set_ylabel(_literal(y), fontsize=8.5, color=INK)


def _literal(text: str) -> str:
    """Return text that matplotlib writes as it is: a dollar sign begins a formula."""
    cut = text if len(text) <= 60 else f"{text[:59]}…"
    return "".join(sign if sign.isprintable() else " " for sign in cut).replace("$", r"\$")


def _written(figure: "Figure") -> str:
    """Return the address of a picture that holds all of it."""
    import matplotlib as mpl

    data = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "podium"}):
        figure.savefig(data, format="svg", metadata={"Date": None, "Creator": None})
    if data.tell() <= LARGEST_SVG:
        return f"data:image/svg+xml;base64,{base64.b64encode(data.getvalue()).decode()}"
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DPI)
    return f"data:image/png;base64,{base64.b64encode(small_png(data.getvalue()) or data.getvalue()).decode()}"


def _best(facts: Facts) -> "Figure | None":
    """Draw the best value over jobs, and over epochs where they are known."""
    from matplotlib.ticker import MaxNLocator

    known = facts["best_so_far"]
    points = [index for index, value in enumerate(known["value"]) if _is_finite(value)]
    if not points:
        return None
    ways = [("jobs", "jobs that had ended"), ("epochs", "epochs of all jobs")]
    ways = [way for way in ways if known[way[0]][points[-1]]]
    figure, panels = _sheet(2.6, 1, len(ways))
    for axes, (name, words) in zip(panels, ways, strict=True):
        xs, ys = [known[name][index] for index in points], [known["value"][index] for index in points]
        axes.step(xs, ys, where="post", color=ACCENT, linewidth=1.8, marker="o", markersize=3.5)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        _named(axes, words, f"best {facts['objectives'][0]['label']}")
    return figure


def _curves(facts: Facts) -> "Figure | None":
    """Draw learning curves in the colours of their results."""
    known = facts.get("curves")
    if not known or not known["curves"]:
        return None
    figure, (axes,) = _sheet(3.6)
    for band in known["bands"] or ():
        axes.fill_between(band["x"], band["low"], band["high"], color=GREY, alpha=0.16, linewidth=0)
        axes.plot(band["x"], band["mid"], color=GREY, linestyle="--", linewidth=1)
    colour = _colours(facts)
    results = dict(zip(facts["jobs"]["job"], facts["jobs"]["values"][0], strict=True))
    for curve in reversed(known["curves"]):  # the best on top
        ys = [y if _is_finite(y) else math.nan for y in curve["y"]]
        is_best = curve is known["curves"][0]
        axes.plot(
            curve["x"],
            ys,
            color=colour(results.get(curve["job"])),
            linewidth=2.4 if is_best else 1.0,
            alpha=1.0 if is_best else 0.75,
            marker="o" if len(ys) == 1 else None,
        )
    drawn = [y for curve in known["curves"] for y in curve["y"]]
    _within(
        axes, [*drawn, *(y for band in known["bands"] or () for y in band["low"] + band["high"])], facts, 12.0
    )
    _named(axes, known["x"], known["metric"])
    return figure


def _slices(facts: Facts) -> "Figure | None":
    """Draw the result against each setting, the most important ones first."""
    keys = _keys(facts)[:MOST_SLICES]
    values = facts["jobs"]["values"][0]
    if not keys or not any(map(_is_finite, values)):
        return None
    columns = min(3, len(keys))
    rows = math.ceil(len(keys) / columns)
    figure, panels = _sheet(2.5 * rows, rows, columns)
    colour = _colours(facts)
    for axes in panels[len(keys) :]:
        axes.remove()
    for place, (key, axes) in enumerate(zip(keys, panels, strict=False)):
        scale = facts["scales"][key]
        pairs = [
            (x, y)
            for x, y in zip(facts["jobs"]["point"][key], values, strict=True)
            if _is_finite(y) and (x is not None if scale == "category" else _is_finite(x))
        ]
        xs = _places(axes, [x for x, _ in pairs], scale)
        axes.scatter(
            xs, [y for _, y in pairs], s=16, c=[colour(y) for _, y in pairs], alpha=0.85, linewidths=0
        )
        _within(axes, [y for _, y in pairs], facts)
        _named(
            axes,
            facts["names"].get(key, key),
            facts["objectives"][0]["label"] if place % columns == 0 else "",
        )
    return figure


def _places(axes: "Axes", values: Sequence[Any], scale: str) -> list[float]:
    """Return where values lie on an axis, which is scaled for them."""
    if scale == "category":
        names = sorted({label_of(value) for value in values})[:12]
        axes.set_xticks(
            range(len(names)), [_literal(name) for name in names], rotation=20 if len(names) > 4 else 0
        )
        return [
            float(names.index(label_of(value))) if label_of(value) in names else math.nan for value in values
        ]
    if scale == "log" and all(value > 0 for value in values):
        axes.set_xscale("log")
        axes.minorticks_off()
        axes.xaxis.set_major_formatter(lambda value, _place: f"{value:g}")  # a formula takes long to draw
    places = [float(value) for value in values]
    few = sorted(set(places))
    if len(few) <= FEW:
        axes.set_xticks(few)
    return places


def _importance(facts: Facts) -> "Figure | None":
    known = facts.get("importance") or {}
    share = list((known.get("share") or {}).items())[:12]
    if not share:
        return None
    names = [_literal(facts["names"].get(key, key)) for key, _ in reversed(share)]
    room = 0.4 + 0.075 * max(map(len, names))
    figure, (axes,) = _sheet(0.7 + 0.3 * len(share), left=room, right=0.6)
    bars = axes.barh(names, [100 * part for _, part in reversed(share)], color=ACCENT, height=0.65)
    axes.bar_label(bars, fmt="%.0f %%", padding=3, fontsize=8, color=INK)
    axes.grid(visible=False)
    _named(axes, f"share of what the settings decide, in % (R2 {number(known['r2'])})", "")
    return figure


def _timeline(facts: Facts) -> "Figure | None":
    known = facts["timeline"]
    if not known["job"]:
        return None
    figure, (axes,) = _sheet(min(5.0, 0.9 + 0.28 * known["rows"]), top=0.3)
    for status in dict.fromkeys(known["status"]):
        chosen = [index for index, each in enumerate(known["status"]) if each == status]
        axes.barh(
            [known["row"][index] for index in chosen],
            [known["to_s"][index] - known["from_s"][index] for index in chosen],
            left=[known["from_s"][index] for index in chosen],
            height=0.8,
            color=STATUS.get(status, GREY),
            edgecolor="white",
            linewidth=0.4,
            label=status_name(status),
        )
    for _, end in known["sessions"][:-1]:
        axes.axvline(end, color=INK, linewidth=0.8, linestyle=":")
    slots = [slot for _, slot in sorted(dict(zip(known["row"], known["slot"], strict=True)).items())]
    if len(slots) <= 20:
        axes.set_yticks(range(len(slots)), ["" if slot is None else f"slot {slot}" for slot in slots])
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.legend(fontsize=7.5, frameon=False, ncols=6, loc="lower left", bbox_to_anchor=(0, 1))
    _named(axes, "seconds of the sweep", "")
    return figure


def _keys(facts: Facts) -> list[str]:
    """Return the swept keys that differ, the most important ones first."""
    share = (facts.get("importance") or {}).get("share") or {}
    points = facts["jobs"]["point"]
    own = [key for key in facts["swept"] if key not in facts["repeats"]]
    varied = [key for key in own if len({label_of(value) for value in points[key]}) > 1]
    return sorted(varied, key=lambda key: -share.get(key, 0.0))


def _usual(values: Sequence[Any], facts: Facts, times: float = 5.0) -> tuple[float, float] | None:
    """Return the ends of an axis for values: one that is `times` as far from the best as the middle is beyond."""
    numbers = sorted(
        (value for value in values if _is_finite(value)), reverse=higher_is_better(facts["objectives"][0])
    )
    if not numbers:
        return None
    best, middle, worst = numbers[0], numbers[len(numbers) // 2], numbers[-1]
    reach = times * abs(middle - best)
    if 0 < reach < abs(worst - best):
        worst = best + math.copysign(reach, worst - best)
    return min(best, worst), max(best, worst)


def _within(axes: "Axes", values: Sequence[Any], facts: Facts, times: float = 5.0) -> None:
    bounds = _usual(values, facts, times)
    if bounds is not None and bounds[0] < bounds[1]:
        room = (bounds[1] - bounds[0]) * 0.06
        axes.set_ylim(bounds[0] - room, bounds[1] + room)


def _colours(facts: Facts) -> Callable[[Any], Any]:
    """Return a function that gives a result its colour, dark where it is good."""
    import matplotlib as mpl

    bounds = _usual(facts["jobs"]["values"][0], facts)
    colours = mpl.colormaps["viridis_r" if higher_is_better(facts["objectives"][0]) else "viridis"]

    def colour(value: Any) -> Any:
        if bounds is None or not _is_finite(value):
            return LINE
        span = bounds[1] - bounds[0]
        share = 0.5 if not span else (value - bounds[0]) / span
        return colours(0.06 + 0.94 * min(1.0, max(0.0, share)))

    return colour


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


PICTURES: tuple[tuple[str, str, Callable[[Facts], "Figure | None"]], ...] = (
    ("best", "The best value as the sweep went on", _best),
    ("curves", "Learning curves, dark where the result is good", _curves),
    ("importance", "How much each setting decides", _importance),
    ("slices", "The result by setting", _slices),
    ("timeline", "What ran when in which slot", _timeline),
)
