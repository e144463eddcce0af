"""Pictures of runs, drawn without a display: curves, bands over seeds, scatter and parallel coordinates.

The functions return a matplotlib figure, and `write_figure` writes it to a file. The first call loads matplotlib.
"""

from tracking.plots.bands import draw_bands, seed_groups
from tracking.plots.curve import Along, Curve, curve_of
from tracking.plots.curves import draw_curves
from tracking.plots.parallel import draw_parallel
from tracking.plots.picture import PictureFormat, write_figure
from tracking.plots.scatter import draw_scatter
from tracking.plots.sheet import Look

__all__ = [
    "Along",
    "Curve",
    "Look",
    "PictureFormat",
    "curve_of",
    "draw_bands",
    "draw_curves",
    "draw_parallel",
    "draw_scatter",
    "seed_groups",
    "write_figure",
]
