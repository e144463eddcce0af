"""A store with a champion for the tests of the gate."""

from pathlib import Path

import pytest
from scored_versions import add_version

from tracking import ModelRegistry


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "experiments"


@pytest.fixture
def registry(store: Path) -> ModelRegistry:
    registry = ModelRegistry(store)
    champion = add_version(registry, store, skill=0.6, own=1)
    registry.promote("ctr", champion.version, reason="the first")
    return registry
