"""Search spaces: what is swept, in Hydra's grammar, and the points that come out of it."""

from sweeps.space.axes import Axis, Interval, Point, name_of, parsed, values_of
from sweeps.space.expand import Expansion, expand
from sweeps.space.read import Part, Space, read_space

__all__ = [
    "Axis",
    "Expansion",
    "Interval",
    "Part",
    "Point",
    "Space",
    "expand",
    "name_of",
    "parsed",
    "read_space",
    "values_of",
]
