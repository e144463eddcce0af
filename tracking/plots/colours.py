"""Colours: of a few lines, and of many by their value. All are told apart by colour-blind readers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracking.plots.sheet import INK, families, literal, number

if TYPE_CHECKING:  # matplotlib is only loaded by those who draw
    from matplotlib.axes import Axes

# Okabe and Ito's palette; instead of its yellow, which is too pale for a line, a brown
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C564B", "#000000")
QUIET = "#c9c9c9"
_MAP = "viridis"  # evenly spaced to the eye, in grey too
_SHADES = 256
_LIGHTEST = 0.95  # of the map; what is beyond is too pale a yellow


@dataclass(frozen=True)
class ColourScale:
    """Colours for values from `low` to `high`; a value beyond has the colour of the end."""

    low: float
    high: float
    shades: tuple[str, ...]
    beyond_low: bool
    beyond_high: bool
    log: bool = False

    @classmethod
    def of(cls, values: Sequence[float], *, high_is_good: bool, log: bool = False) -> "ColourScale":
        """The scale for values, dark where they are good.

        It ends where a value is four times as far from the best as the middle one, so that a run that exploded does
        not use up the colours of all others. With `log` the colours are even by logarithm, and nothing is cut.
        """
        import matplotlib
        from matplotlib.colors import to_hex

        ordered = sorted(values, reverse=high_is_good)
        best, middle, worst = ordered[0], ordered[len(ordered) // 2], ordered[-1]
        reach = 4 * abs(middle - best)
        if 0 < reach < abs(worst - best) and not log:
            worst = best - reach if high_is_good else best + reach
        low, high = min(best, worst), max(best, worst)
        if low == high:
            low, high = low - (abs(low) or 1) / 10, high + (abs(high) or 1) / 10  # of one colour, the middle
        colour_map = matplotlib.colormaps[_MAP]
        shades = [to_hex(colour_map(_LIGHTEST * index / (_SHADES - 1))) for index in range(_SHADES)]
        beyond = min(values) < low, max(values) > high
        return cls(low, high, tuple(reversed(shades) if high_is_good else shades), *beyond, log)

    def colour(self, value: float) -> str:
        """The colour of a value."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.shades[round(min(max(share, 0.0), 1.0) * (_SHADES - 1))]


def density(count: int) -> float:
    """How opaque each of so many lines or dots may be, so that all together are no solid area: 1 up to a hundred."""
    return min(1.0, max(0.12, math.pow(100 / count, 0.6)))


def colour_bar(axes: "Axes", scale: ColourScale, label: str, *, height: float) -> None:
    """The colours and their values beside the axes, below the legend; an arrow where values go on beyond."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    norm = (LogNorm if scale.log else Normalize)(scale.low, scale.high)
    colours = ScalarMappable(norm, ListedColormap(scale.shades))
    bar = axes.figure.colorbar(
        colours,
        cax=axes.inset_axes((1.03, 0.0, 0.022, height)),
        extend=extend[scale.beyond_low, scale.beyond_high],
    )
    bar.ax.yaxis.set_major_formatter(lambda value, _: number(value))
    bar.ax.tick_params(labelsize=8.5, colors=INK, color="#9a9a9a")
    bar.outline.set_visible(False)
    bar.set_label(literal(label, 40), fontsize=9, color=INK, fontfamily=families())
