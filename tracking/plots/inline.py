"""The figure that all pictures are: matplotlib's own, which a notebook shows although pyplot does not know it.

Agg draws it, which needs no display, and pyplot keeps no copy of it, so that many pictures need no closing.
Importing this loads matplotlib.
"""

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 150
SHOWN_DPI = 80  # of the picture on a page; its pixels are finer, so that it stays sharp


class InlineFigure(Figure):
    """A figure that IPython shows as the value of a cell, once; with `%matplotlib inline` matplotlib's formatter does."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        width, height = (round(inches * SHOWN_DPI) for inches in self.get_size_inches())
        return picture.getvalue(), {"width": width, "height": height}


def empty_figure(width: float, height: float) -> InlineFigure:
    """Return a figure of a size in inches, with a canvas that needs no display."""
    figure = InlineFigure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure
