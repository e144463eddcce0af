"""The figure that a picture is drawn on: its title, axes and legend, how numbers and users' text are written, its file.

Figures are made without pyplot: no display, no global state. Text of users goes through `literal`, so that matplotlib
does not read it as mathematics, and characters that no font here has are replaced.
"""

import functools
import io
import math
import os.path
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tracking.errors import InvalidValueError, quoted
from tracking.extras import require
from tracking.files import atomic

if TYPE_CHECKING:  # matplotlib is only loaded to draw
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREY, INK = "#6b6b6b", "#222222"
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Microsoft YaHei", "PingFang SC", "Arial Unicode MS")  # fmt: skip
_HEADER_INCHES = 0.72


@dataclass(frozen=True)
class Look:
    """Options of all pictures: the title, how many of the best are coloured, smoothing, and logarithmic axes.

    `smooth` is the weight of a moving average on the past, from 0 to below 1.
    """

    title: str
    best: int | None = None
    smooth: float = 0.0
    log_x: bool = False
    log_y: bool = False

    def __post_init__(self) -> None:
        require("plots")  # every picture has a look
        if self.best is not None and self.best < 1:
            raise InvalidValueError(
                f"the number of best runs to colour is {quoted(self.best)}; it must be 1 or more"
            )


class PictureFormat(StrEnum):
    """The formats of pictures."""

    PNG = "png"
    SVG = "svg"
    PDF = "pdf"

    @classmethod
    def of(cls, path: Path) -> "PictureFormat":
        """Return the format that a file's suffix names; raise InvalidValueError for any other suffix."""
        suffix = path.suffix.lower().removeprefix(".")
        if suffix not in list(cls):
            allowed = ", ".join(f".{each}" for each in cls)
            raise InvalidValueError(f"the picture {quoted(str(path))} ends in none of {allowed}")
        return cls(suffix)


def sheet(title: str, subtitle: str, *, width: float = 10.5, height: float = 5.6) -> "Figure":
    """Return an empty figure with a title and a subtitle."""
    from tracking.plots.inline import empty_figure

    figure = empty_figure(width, height)
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


def write_figure(path: Path, figure: "Figure") -> Path:
    """Write a figure, whole, in the format of the path's suffix, and return the path; write into a device or a pipe.

    The file has no date, and its reader needs no font: SVG has text as outlines, PDF embeds the font.
    """
    import matplotlib

    kind = PictureFormat.of(path)
    dates: dict[PictureFormat, dict[str, Any]] = {
        PictureFormat.SVG: {"Date": None},
        PictureFormat.PDF: {"CreationDate": None},
    }
    picture = io.BytesIO()
    # the salt makes the ids inside an SVG the same every time
    with matplotlib.rc_context({"svg.hashsalt": "podium", "svg.fonttype": "path", "pdf.fonttype": 42}):
        figure.savefig(picture, format=kind.value, metadata=dates.get(kind))
    with atomic.filling(path) as (_, handle):
        atomic.write_all(handle, picture.getvalue())
    return path


def plain(axes: "Axes", x_label: str, y_label: str) -> None:
    """Style axes and label them; the label of the x axis is not escaped."""
    axes.set_xlabel(x_label, fontsize=10.5, color=INK, fontfamily=families())
    axes.set_ylabel(literal(y_label, 44), fontsize=10.5, color=INK, fontfamily=families())
    axes.grid(visible=True, color="#e3e3e3", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#9a9a9a")
    axes.tick_params(colors=INK, labelsize=9.5, color="#9a9a9a", labelfontfamily=families())


def key(axes: "Axes", heading: str | None = None, *, backwards: bool = False, top: float = 1.0) -> None:
    """Draw the legend beside the axes, below `top` of their height; `backwards` starts with what was drawn last."""
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
    """Return users' text so that it is drawn as it is: one line, shortened in the middle, never mathematics."""
    known = _glyphs()
    shown = "".join(
        char if ord(char) in known else "\N{REPLACEMENT CHARACTER}" for char in " ".join(text.split())
    )
    return shortened(shown, limit).replace("$", r"\$")


def told_apart(texts: Sequence[str], limit: int) -> list[str]:
    """Return texts as `literal` does; too long ones first lose the parts that they all share."""
    if len(texts) > 1 and max(map(len, texts)) > limit:
        head = _shared(texts)
        tail = _shared([text[len(head) :][::-1] for text in texts])
        cores = [text[len(head) : len(text) - len(tail)] for text in texts]
        if all(cores):
            texts = [f"{'…' * bool(head)}{core}{'…' * bool(tail)}" for core in cores]
    return [literal(text, limit) for text in texts]


def _shared(texts: Sequence[str]) -> str:
    """Return the common prefix of all texts, up to its last character that is no letter or digit."""
    prefix = os.path.commonprefix(texts)  # noqa: RUF071 - of characters, not of parts of a path
    return prefix[: max((at + 1 for at, char in enumerate(prefix) if not char.isalnum()), default=0)]


def shortened(text: str, limit: int) -> str:
    """Return text of at most `limit` characters; the middle is left out, where names differ least."""
    if len(text) <= limit:
        return text
    head = limit // 2
    return f"{text[:head]}…{text[len(text) - (limit - head - 1) :]}"


def number(value: float, _place: float = 0.0) -> str:
    """Return a number with four digits, or all digits of a whole one below a million; it also formats ticks."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e6:
        return str(int(value))
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def log_axis(axes: "Axes", which: Literal["x", "y"]) -> None:
    """Make the x or y axis of a drawing logarithmic, with plain numbers at some ticks for any span."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axes.tick_params(axis=which, which="minor", color="#c4c4c4")
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = sorted(axes.get_xlim() if which == "x" else axes.get_ylim())
    if high < 8 * low:
        axis.set_major_locator(MaxNLocator(5))
    elif high < 200 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(number)
    axis.set_minor_formatter("")


@functools.cache
def families() -> list[str]:
    """Return the fonts for users' text; the ones after the first have letters that it lacks."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return [name for name in FONTS if name in installed]


@functools.cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = (findfont(FontProperties(family=[name])) for name in families())
    return frozenset(char for font in fonts for char in get_font(font).get_charmap())
