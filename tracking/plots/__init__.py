"""Pictures of runs, drawn without a display: curves, bands over seeds, scatter and parallel coordinates.

Plain data go in, a matplotlib figure comes out, and `write_figure` makes a file of it. matplotlib is loaded by the
first call.
"""

from tracking.objective import At, Direction, Objective
from tracking.plots.bands import draw_bands, seed_groups
from tracking.plots.curve import Along, Curve, curve_of
from tracking.plots.curves import draw_curves
from tracking.plots.parallel import draw_parallel
from tracking.plots.picture import PictureFormat, write_figure
from tracking.plots.scatter import draw_scatter

__all__ = [
    "Along",
    "At",
    "Curve",
    "Direction",
    "Objective",
    "PictureFormat",
    "curve_of",
    "draw_bands",
    "draw_curves",
    "draw_parallel",
    "draw_scatter",
    "seed_groups",
    "write_figure",
]
