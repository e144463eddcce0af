"""Search spaces: what is swept, in Hydra's grammar, and the points that come out of it."""

from sweeps.space.axes import Point, name_of, parsed, values_of
from sweeps.space.expand import Expansion, expand
from sweeps.space.read import Space, read_space

__all__ = ["Expansion", "Point", "Space", "expand", "name_of", "parsed", "read_space", "values_of"]
