"""Pictures of runs, drawn without a display: curves, bands over seeds, scatter and parallel coordinates.

The functions return a matplotlib figure, and `write_figure` writes it to a file. The first call loads matplotlib.
"""

from tracking.plots.curve import Along, Curve, curve_of
from tracking.plots.curves import draw_bands, draw_curves, seed_groups
from tracking.plots.parallel import draw_parallel
from tracking.plots.picture import Kind, draw, heading, misfit, with_metric
from tracking.plots.scatter import draw_scatter
from tracking.plots.sheet import Look, PictureFormat, write_figure

__all__ = [
    "Along",
    "Curve",
    "Kind",
    "Look",
    "PictureFormat",
    "curve_of",
    "draw",
    "draw_bands",
    "draw_curves",
    "draw_parallel",
    "draw_scatter",
    "heading",
    "misfit",
    "seed_groups",
    "with_metric",
    "write_figure",
]
