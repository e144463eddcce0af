"""Colours of a few lines, and of many lines by their values; colour-blind readers can tell them apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracking.plots.sheet import INK, families, literal, number

if TYPE_CHECKING:  # matplotlib is only loaded to draw
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap, Normalize

# Okabe and Ito's palette, with a brown for its yellow, which is too pale for a line
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C564B", "#000000")
QUIET = "#c9c9c9"
_MAP = "viridis"  # perceptually uniform, also in grey
_SHADES = 256
_LIGHTEST = 0.95  # of the map, whose end is too pale a yellow
_EXTEND = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}


@dataclass(frozen=True)
class ColourScale:
    """Colours for values; a value beyond the scale has the colour of its nearer end."""

    norm: "Normalize"
    colour_map: "ListedColormap"
    extend: str  # the ends that have values beyond, as matplotlib names them

    @classmethod
    def of(cls, values: Sequence[float], *, high_is_good: bool, log: bool = False) -> "ColourScale":
        """Return the scale for some values, dark where they are good.

        It ends at four times the distance from the best value to the median, so that a run that exploded does not
        use up the colours of all others. With `log` the colours are even by logarithm, and no value is beyond.
        """
        import matplotlib
        from matplotlib.colors import ListedColormap, LogNorm, Normalize

        ordered = sorted(values, reverse=high_is_good)
        best, middle, worst = ordered[0], ordered[len(ordered) // 2], ordered[-1]
        reach = 4 * abs(middle - best)
        if 0 < reach < abs(worst - best) and not log:
            worst = best - reach if high_is_good else best + reach
        low, high = min(best, worst), max(best, worst)
        if low == high:
            low, high = (
                low - (abs(low) or 1) / 10,
                high + (abs(high) or 1) / 10,
            )  # the only value is in the middle
        shades = matplotlib.colormaps[_MAP]([_LIGHTEST * index / (_SHADES - 1) for index in range(_SHADES)])
        norm = (LogNorm if log else Normalize)(low, high, clip=True)
        extend = _EXTEND[min(values) < low, max(values) > high]
        return cls(norm, ListedColormap(shades[::-1] if high_is_good else shades), extend)

    def colour(self, value: float) -> str:
        """Return the colour of a value."""
        from matplotlib.colors import to_hex

        return to_hex(self.colour_map(self.norm(value)))


def density(count: int) -> float:
    """Return the opacity at which so many lines or dots do not cover the axes: 1 up to a hundred."""
    return min(1.0, max(0.12, math.pow(100 / count, 0.6)))


def colour_bar(axes: "Axes", scale: ColourScale, label: str, *, height: float) -> None:
    """Draw the colours and their values beside the axes, below the legend, with an arrow where values are beyond."""
    from matplotlib.cm import ScalarMappable

    bar = axes.figure.colorbar(
        ScalarMappable(scale.norm, scale.colour_map),
        cax=axes.inset_axes((1.03, 0.0, 0.022, height)),
        extend=scale.extend,
    )
    bar.ax.yaxis.set_major_formatter(number)
    bar.ax.tick_params(labelsize=8.5, colors=INK, color="#9a9a9a")
    bar.outline.set_visible(False)
    bar.set_label(literal(label, 40), fontsize=9, color=INK, fontfamily=families())
