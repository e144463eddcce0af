"""The pictures of docs/promotion.md, drawn from the figures that `python -m benchmarks promotion --write` keeps."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from benchmarks.promotion.simulations import WEEKS
from benchmarks.promotion.tables import Results, kept, percent
from tracking.plots.colours import COLOURS
from tracking.plots.sheet import GREY, INK, plain, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, RED, GREEN = COLOURS[:3]
AMBER = "#B87700"
FEW = 64  # colours of a file
DPI = 110


def draw(to: Path) -> None:
    """Write the pictures into a folder."""
    results = kept()
    for name, picture in PICTURES.items():
        held = io.BytesIO()
        picture(results).savefig(held, format="png", dpi=DPI)
        image = Image.open(held).convert("RGB").quantize(FEW)
        image.save(to / f"promotion-{name}.png", optimize=True)


def chance(results: Results) -> "Figure":
    """Draw how often the best of 16 models that are no better is promoted, by each way to decide."""
    best = results["best"]
    shares = best["shares"]
    bars = (
        ("the larger of two numbers,\non the rows that chose the winner", shares["numbers_chosen"], RED),
        ("the larger of two numbers,\non fresh rows", shares["numbers_fresh"], RED),
        ("the bound of the gain at 5 %,\non the rows that chose the winner", shares["bound_chosen"], RED),
        ("the bound of the gain at 5 %,\non fresh rows", shares["bound_fresh"], GREEN),
    )
    said = (
        f"The best of 16 models that are exactly as good as the champion; {best['times']:,} simulated sweeps"
    )
    figure = sheet("How often a model that is no better is promoted", said, width=8.6, height=3.9)
    axes = figure.add_subplot()
    plain(axes, "", "")
    places = range(len(bars), 0, -1)
    axes.barh(places, [100 * share for _, share, _ in bars], color=[each for *_, each in bars], height=0.6)
    axes.set_yticks(places, [name for name, *_ in bars], fontsize=9.5, color=INK)
    axes.set_xlim(0, 108)
    axes.set_xticks([])
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    for place, (_, share, _) in zip(places, bars, strict=True):
        axes.text(100 * share + 1, place, percent(share), va="center", fontsize=11, color=INK)
    return figure


INTERVALS = (  # the verdicts that the page shows: name, low, gain, high, colour, what is said
    ("promote", 0.00685, 0.00977, 0.01268, GREEN, "all that chance leaves\nlies above 0"),
    ("refuse", -0.00321, -0.00154, 0.00008, RED, "no gain is seen, and no\nlarge one can be there"),
    (
        "cannot tell",
        -0.00755,
        0.00944,
        0.02936,
        AMBER,
        "a gain is seen, but it may be\nchance: more rows would tell",
    ),
)


def bounds(_results: Results) -> "Figure":
    """Draw three gains with their bounds: one that promotes, one that refuses, and one that cannot tell."""
    said = "Dot: the gain that was measured. Line: where the true gain may lie. Its left end decides."
    figure = sheet("The bound of the gain decides, not the gain", said, width=8.6, height=3.5)
    axes = figure.add_subplot()
    plain(axes, "gain of the challenger in AUC", "")
    axes.axvspan(0, 0.05, color="#eef6f2", zorder=0)
    axes.axvline(0, color=INK, linewidth=1.2)
    for place, (_, low, gain, high, colour, text) in zip((3, 2, 1), INTERVALS, strict=True):
        axes.plot([low, high], [place, place], color=colour, linewidth=3.2, solid_capstyle="butt")
        axes.plot([low], [place], marker="|", markersize=17, markeredgewidth=3.2, color=colour)
        axes.plot([gain], [place], marker="o", markersize=9, color=colour)
        axes.text(0.032, place, text, va="center", fontsize=9, color=INK)
    axes.set_yticks((3, 2, 1), [name for name, *_ in INTERVALS], fontsize=11, color=INK)
    axes.set_ylim(0.4, 3.6)
    axes.set_xlim(-0.012, 0.05)
    axes.set_xticks([-0.01, 0, 0.01, 0.02, 0.03])
    axes.grid(visible=False, axis="y")
    return figure


def looks(results: Results) -> "Figure":
    """Draw in which share of years a model that is no better was promoted, week by week."""
    found = results["looks"]
    said = f"A sweep a week on the same {found['rows']} rows, no challenger is better; {found['years']:,} simulated years"
    figure = sheet("Years in which chance has promoted something", said, width=8.6, height=4.2)
    axes = figure.add_subplot()
    plain(axes, "looks at the rows", "")
    weeks = range(1, WEEKS + 1)
    axes.plot([1, WEEKS], [5, 5], color=GREY, linewidth=1, linestyle="--")
    lines = (
        ("each", RED, "each look judged at 5 %", 0),
        ("counted", GREEN, "looks are counted", 2),
        ("planned", BLUE, f"{WEEKS} looks are planned", -1.6),
    )
    for name, colour, text, rise in lines:
        shares = [100 * share for share in found["shares"][name]]
        axes.plot(weeks, shares, color=colour, linewidth=2.4)
        end = f"{percent(shares[-1] / 100)}  {text}"
        axes.text(WEEKS + 0.8, shares[-1] + rise, end, color=colour, fontsize=9.5, va="center")
    axes.set_xlim(0, 77)
    axes.set_xticks([1, 10, 20, 30, 40, 52])
    axes.set_ylim(-2, 50)
    axes.set_yticks([0, 5, 10, 20, 30, 40, 50], ["0", "5 %", "10 %", "20 %", "30 %", "40 %", "50 %"])
    return figure


def rows(results: Results) -> "Figure":
    """Draw the smallest gain that a split shows, by its rows."""
    found = results["rows"]
    said = "A true gain on its line is promoted 8 times in 10, a larger one more often"
    figure = sheet("The smallest gain in AUC that a split shows", said, width=8.6, height=3.9)
    axes = figure.add_subplot()
    plain(axes, "rows of the split", "")
    many = [line["rows"] for line in found["lines"]]
    for kind, style in (("unlike", "--"), ("alike", "-")):
        for place, (look, colour) in enumerate(zip(found["looks"], (GREEN, BLUE, AMBER), strict=True)):
            gains = [line["gains"][kind][place] for line in found["lines"]]
            label = f"{kind} models, look {look}"
            axes.plot(many, gains, style, marker="o", markersize=4, color=colour, linewidth=2, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(many, [f"{each:,}" for each in many], fontsize=9)
    ticks = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05]
    axes.set_yticks(ticks, [f"{each:g}" for each in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=9.5)
    return figure


PICTURES: dict[str, Callable[[Results], "Figure"]] = {
    "chance": chance,
    "bounds": bounds,
    "looks": looks,
    "rows": rows,
}
