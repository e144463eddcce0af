"""The sheet a picture is drawn on: its size, title and legend, and how numbers and users' text are shown.

Figures are made without pyplot: no display, no global state. Text of users goes through `literal`, which keeps it
from being read as mathematics and replaces what no font here can show.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # matplotlib is only loaded by those who draw
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY, INK = "#6b6b6b", "#222222"
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Microsoft YaHei", "PingFang SC", "Arial Unicode MS")  # fmt: skip
_HEADER_INCHES = 0.72


def sheet(title: str, subtitle: str, *, width: float = 10.5, height: float = 5.6) -> "Figure":
    """An empty figure with its title and a quiet line below it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    layout: Any = figure.get_layout_engine()
    layout.set(rect=(0, 0, 1, 1 - _HEADER_INCHES / height), w_pad=0.08, h_pad=0.06)
    left = 0.12 / width
    room = int(width * 9)  # characters of the title's size on one line
    top: Any = {"ha": "left", "va": "top", "fontfamily": families()}
    figure.text(
        left, 1 - 0.13 / height, literal(title, room), fontsize=13, fontweight="bold", color=INK, **top
    )
    figure.text(left, 1 - 0.43 / height, literal(subtitle, int(room * 1.4)), fontsize=9.5, color=GREY, **top)
    return figure


def plain(axes: "Axes", x_label: str, y_label: str) -> None:
    """The common look of axes, and their names; that of the x axis is drawn as it is given."""
    axes.set_xlabel(x_label, fontsize=10.5, color=INK, fontfamily=families())
    axes.set_ylabel(literal(y_label, 44), fontsize=10.5, color=INK, fontfamily=families())
    axes.grid(visible=True, color="#e3e3e3", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#9a9a9a")
    axes.tick_params(colors=INK, labelsize=9.5, color="#9a9a9a", labelfontfamily=families())


def key(axes: "Axes", heading: str | None = None, *, backwards: bool = False, top: float = 1.0) -> None:
    """The legend, beside the axes so that it covers no line, from `top` of their height on; `backwards` names what was drawn last first."""
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    legend = axes.legend(
        handles[::-1] if backwards else handles,
        labels[::-1] if backwards else labels,
        loc="upper left",
        bbox_to_anchor=(1.015, top),
        borderaxespad=0,
        frameon=False,
        handlelength=1.6,
        labelspacing=0.55,
        prop={"size": 9, "family": families()},
    )
    if heading:
        legend.set_title(heading)
        legend.get_title().set(fontsize=9, fontweight="bold")
        legend.set_alignment("left")


def literal(text: str, limit: int = 40) -> str:
    """Users' text, ready to be drawn as it is: one line, shortened in the middle, never mathematics."""
    known = _glyphs()
    shown = "".join(
        char if ord(char) in known else "\N{REPLACEMENT CHARACTER}" for char in " ".join(text.split())
    )
    return shortened(shown, limit).replace("$", r"\$")


def told_apart(texts: Sequence[str], limit: int) -> list[str]:
    """Texts as `literal` shows them; where they are too long, what all have in common goes first."""
    if len(texts) > 1 and max(map(len, texts)) > limit:
        head = _shared(texts)
        tail = _shared([text[len(head) :][::-1] for text in texts])
        cores = [text[len(head) : len(text) - len(tail)] for text in texts]
        if all(cores):
            texts = [f"{'…' * bool(head)}{core}{'…' * bool(tail)}" for core in cores]
    return [literal(text, limit) for text in texts]


def _shared(texts: Sequence[str]) -> str:
    """What all texts begin with, up to and with its last character that is no letter or digit."""
    first, last = min(texts), max(texts)
    same = sum(
        1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    )
    return first[: max((at + 1 for at in range(same) if not first[at].isalnum()), default=0)]


def shortened(text: str, limit: int) -> str:
    """Text of at most `limit` characters; what is left out is in the middle, where names differ least."""
    if len(text) <= limit:
        return text
    head = limit // 2
    return f"{text[:head]}…{text[len(text) - (limit - head - 1) :]}"


def number(value: float) -> str:
    """A number with four digits; whole ones below a million in full."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e6:
        return str(int(value))
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def log_axis(axes: "Axes", which: Literal["x", "y"]) -> None:
    """Make the x or y axis, with what is drawn, logarithmic; plain numbers at the ticks, some whatever its span."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axes.tick_params(axis=which, which="minor", color="#c4c4c4")
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = sorted(axes.get_xlim() if which == "x" else axes.get_ylim())
    if high < 8 * low:
        axis.set_major_locator(MaxNLocator(5))
    elif high < 200 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(lambda value, _: number(value))
    axis.set_minor_formatter("")


def families() -> list[str]:
    """The fonts to draw users' text in, those after the first for letters that it lacks."""
    return list(_families())


@functools.cache
def _families() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return tuple(name for name in FONTS if name in installed)


@functools.cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = (findfont(FontProperties(family=[name])) for name in _families())
    return frozenset(char for font in fonts for char in get_font(font).get_charmap())
