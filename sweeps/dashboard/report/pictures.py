"""The charts of a report as pictures, for readers whose browser runs no scripts; drawn by matplotlib from the facts.

They have the same content as the charts of the page, and no more than fits on paper. A picture is an SVG with text as text,
and a PNG with few colours where that is smaller.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweeps.dashboard.report.drawing import (
    ACCENT,
    GREY,
    INK,
    Facts,
    is_finite,
    literal,
    named,
    result_colours,
    sheet,
    varied_keys,
    within,
    written,
)
from sweeps.dashboard.report.parallel_picture import parallel_picture
from sweeps.dashboard.report.verdict_pictures import rules_picture, versions_picture
from sweeps.dashboard.report.words import label_of, number, status_name
from tracking.extras import BROKEN, missing

if TYPE_CHECKING:  # loaded to draw
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_SLICES = 6
FEW = 6  # values that are all named on an axis
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
        figure, (axes,) = sheet(1.0)
        axes.plot([1.0, 2.0])
        axes.scatter(_places(axes, [1.0, 100.0], "log"), [1.0, 2.0])
        written(figure)


def draw_pictures(facts: Facts) -> list[Picture]:
    """Return the pictures that the facts have something for, in the order of the sections; none without matplotlib."""
    if why_no_pictures() is not None or not facts["objectives"]:
        return []
    made = []
    for section, words, draw in PICTURES:
        figure = draw(facts)
        if figure is not None:
            made.append(Picture(section, words, written(figure)))
    return made


def _best(facts: Facts) -> "Figure | None":
    """Draw the best value over jobs, and over epochs where they are known."""
    from matplotlib.ticker import MaxNLocator

    known = facts["best_so_far"]
    points = [index for index, value in enumerate(known["value"]) if is_finite(value)]
    if not points:
        return None
    ways = [("jobs", "jobs that had ended"), ("epochs", "epochs of all jobs")]
    ways = [way for way in ways if known[way[0]][points[-1]]]
    figure, panels = sheet(2.6, 1, len(ways))
    for axes, (name, words) in zip(panels, ways, strict=True):
        xs, ys = [known[name][index] for index in points], [known["value"][index] for index in points]
        axes.step(xs, ys, where="post", color=ACCENT, linewidth=1.8, marker="o", markersize=3.5)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        named(axes, words, f"best {facts['objectives'][0]['label']}")
    return figure


def _curves(facts: Facts) -> "Figure | None":
    """Draw learning curves in the colours of their results."""
    known = facts.get("curves")
    if not known or not known["curves"]:
        return None
    figure, (axes,) = sheet(3.6)
    for band in known["bands"] or ():
        axes.fill_between(band["x"], band["low"], band["high"], color=GREY, alpha=0.16, linewidth=0)
        axes.plot(band["x"], band["mid"], color=GREY, linestyle="--", linewidth=1)
    colour = result_colours(facts)
    results = dict(zip(facts["jobs"]["job"], facts["jobs"]["values"][0], strict=True))
    for curve in reversed(known["curves"]):  # the best on top
        ys = [y if is_finite(y) else math.nan for y in curve["y"]]
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
    within(
        axes, [*drawn, *(y for band in known["bands"] or () for y in band["low"] + band["high"])], facts, 12.0
    )
    named(axes, known["x"], known["metric"])
    return figure


def _slices(facts: Facts) -> "Figure | None":
    """Draw the result against each setting, the most important ones first."""
    keys = varied_keys(facts)[:MOST_SLICES]
    values = facts["jobs"]["values"][0]
    if not keys or not any(map(is_finite, values)):
        return None
    columns = min(3, len(keys))
    rows = math.ceil(len(keys) / columns)
    figure, panels = sheet(2.5 * rows, rows, columns)
    colour = result_colours(facts)
    for axes in panels[len(keys) :]:
        axes.remove()
    for place, (key, axes) in enumerate(zip(keys, panels, strict=False)):
        scale = facts["scales"][key]
        pairs = [
            (x, y)
            for x, y in zip(facts["jobs"]["point"][key], values, strict=True)
            if is_finite(y) and (x is not None if scale == "category" else is_finite(x))
        ]
        xs = _places(axes, [x for x, _ in pairs], scale)
        axes.scatter(
            xs, [y for _, y in pairs], s=16, c=[colour(y) for _, y in pairs], alpha=0.85, linewidths=0
        )
        within(axes, [y for _, y in pairs], facts)
        named(
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
            range(len(names)), [literal(name) for name in names], rotation=20 if len(names) > 4 else 0
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
    names = [literal(facts["names"].get(key, key)) for key, _ in reversed(share)]
    room = 0.4 + 0.075 * max(map(len, names))
    figure, (axes,) = sheet(0.7 + 0.3 * len(share), left=room, right=0.6)
    bars = axes.barh(names, [100 * part for _, part in reversed(share)], color=ACCENT, height=0.65)
    axes.bar_label(bars, fmt="%.0f %%", padding=3, fontsize=8, color=INK)
    axes.grid(visible=False)
    named(axes, f"share of what the settings decide, in % (R2 {number(known['r2'])})", "")
    return figure


def _timeline(facts: Facts) -> "Figure | None":
    known = facts["timeline"]
    if not known["job"]:
        return None
    figure, (axes,) = sheet(min(5.0, 0.9 + 0.28 * known["rows"]), top=0.3)
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
    named(axes, "seconds of the sweep", "")
    return figure


PICTURES: tuple[tuple[str, str, Callable[[Facts], "Figure | None"]], ...] = (
    ("best", "The best value as the sweep went on", _best),
    ("curves", "Learning curves, dark where the result is good", _curves),
    ("parallel", "The settings of each job and its result, dark where the result is good", parallel_picture),
    ("importance", "How much each setting decides", _importance),
    ("slices", "The result by setting", _slices),
    ("timeline", "What ran when in which slot", _timeline),
    ("versions", "The challenger and the champion, and how the gain is spread", versions_picture),
    ("rules", "The gain of each rule with its interval, against zero and what is asked", rules_picture),
)
