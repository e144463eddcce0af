"""The figure that all plots are: matplotlib's object interface on the Agg canvas, without a window and global state."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAIN, VAL, QUIET = "#8c8c8c", "#1f6fb4", "#bdbdbd"
# Of Okabe and Ito, which colour-blind readers can tell apart, without the palest.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31")
NAME = 24  # letters of a name
SQUARE = (-0.02, 1.02)  # the limits of an axis of shares


def figure_of(*, columns: int, width: float, height: float = 3.2) -> "tuple[Figure, Sequence[Axes | Any]]":
    """Return a figure and its panels, side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)  # pyplot would keep the figure in a global list
    panels = figure.subplots(1, columns, squeeze=False)[0]
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#eeeeee", linewidth=0.8)
        axes.set_axisbelow(True)
    return figure, panels


def name_of(label: str, letters: int = NAME) -> str:
    """Return a label of the user's as matplotlib draws it: on one line, cut in the middle, with no formula in it."""
    line = " ".join(label.split())
    if len(line) > letters:
        end = (letters - 3) // 2
        line = f"{line[: letters - 3 - end]}...{line[len(line) - end :]}"
    return line.replace("$", r"\$")
