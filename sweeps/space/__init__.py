"""Search spaces: what is swept, in Hydra's grammar, and the points that come out of it."""

from sweeps.space.axes import Axis, Interval, Point, parsed
from sweeps.space.expand import expand, values_of
from sweeps.space.read import Part, Space, read_space

__all__ = ["Axis", "Interval", "Part", "Point", "Space", "expand", "parsed", "read_space", "values_of"]
