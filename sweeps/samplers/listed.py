"""The sampler whose points are known before the first job starts: grid, zip, list and random."""

from collections.abc import Sequence

from sweeps.jobs import Outcome
from sweeps.samplers.sampler import Sampler
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space import Point, Space, expand
from sweeps.space.conditions import ConfigOf


class ListedSampler:
    """A `Sampler` that returns given points in their order; outcomes change nothing."""

    def __init__(self, points: Sequence[Point], notes: tuple[str, ...] = ()) -> None:
        self.total = len(points)
        self.notes = notes
        self._left = iter(points)

    def ask(self) -> Point | None:
        """Return the next point; None after the last one."""
        return next(self._left, None)

    def tell(self, number: int, outcome: Outcome, value: float | None) -> None:
        """Do nothing: the points are fixed."""


def make_sampler(space: Space, settings: SpaceSettings, config_of: ConfigOf) -> Sampler:
    """Return the sampler of a space: every combination, aligned values, given points or drawn ones, by its mode.

    Raise `SettingsError` if the axes do not fit the mode or a condition makes no sense. Expands the whole space;
    random points come from the seed of the settings.
    """
    expansion = expand(space, settings, config_of)
    return ListedSampler(expansion.points, expansion.notes)
