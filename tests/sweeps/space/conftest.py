"""A search space by its settings and a command line, expanded into points."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra

from hydra_plugins.podium.versions import current_defaults
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space import Expansion, Point, expand, read_space

CONFIGS = Path(__file__).parents[1] / "apps" / "quadratic"


@pytest.fixture(scope="module")
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(str(CONFIGS), **current_defaults()):
        yield GlobalHydra.instance().config_loader()


Points = Callable[..., list[Point]]


@pytest.fixture(scope="module")
def points(loader: ConfigLoader) -> Points:
    """The points of a space given by its settings and a command line."""

    def points(*arguments: str, params: dict[str, str] | None = None, **settings: Any) -> list[Point]:
        space = SpaceSettings(params or {}, **settings)
        return expand(read_space(space, arguments, loader), space).points

    return points


CONFIG = {"shape": {"kind": "round", "sides": None}, "a": 1, "b": 7}


@pytest.fixture(scope="module")
def expanded(loader: ConfigLoader) -> Callable[..., Expansion]:
    """The expansion of a space whose points all have CONFIG beside their overrides."""

    def expanded(*arguments: str, **settings: Any) -> Expansion:
        space = SpaceSettings({}, **settings)
        return expand(read_space(space, arguments, loader), space, lambda _point: CONFIG)

    return expanded
