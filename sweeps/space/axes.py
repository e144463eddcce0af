"""The search space: which overrides are fixed, which are swept, and the grid they span.

Reads Hydra's override grammar with Hydra's own parser. A later override of a key replaces an earlier
one, so the command line wins over ``hydra.sweeper.params``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from sweeps.errors import SettingsError


@dataclass(frozen=True)
class Space:
    """Fixed overrides, and for each swept key the overrides it takes in turn."""

    fixed: tuple[str, ...]
    axes: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        return prod(len(values) for values in self.axes.values())

    def grid(self) -> Iterator[tuple[str, ...]]:
        """Yield each point of the grid as overrides; the last axis varies fastest, as in Hydra."""
        return product(*self.axes.values())


def parse_space(params: Mapping[str, str], arguments: Sequence[str], loader: ConfigLoader) -> Space:
    """Read a space from ``hydra.sweeper.params`` and the command line.

    Raises `SettingsError` for an axis that cannot be enumerated or is empty; errors of the grammar are Hydra's.
    """
    lines = [f"{key}={value}" for key, value in params.items()] + list(arguments)
    fixed: dict[str, str] = {}
    axes: dict[str, tuple[str, ...]] = {}
    for override in OverridesParser.create(config_loader=loader).parse_overrides(lines):
        name = override.key_or_group
        fixed.pop(name, None)
        axes.pop(name, None)
        if override.is_sweep_override():
            axes[name] = _values(override)
        else:
            fixed[name] = str(override.input_line)
    return Space(tuple(fixed.values()), axes)


def _values(override: Override) -> tuple[str, ...]:
    if not override.is_discrete_sweep():
        raise SettingsError(
            f"{override.input_line}: a continuous interval has no grid; allowed are a list (a,b,c), choice(...), range(...) and glob(...)"
        )
    key = override.get_key_element()
    values = tuple(f"{key}={value}" for value in override.sweep_string_iterator())
    if not values:
        raise SettingsError(f"{override.input_line}: matches nothing, so there is no job to run")
    return values
