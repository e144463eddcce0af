"""The read index of a store as tests look at it."""

from pathlib import Path

import pytest

from tracking.objective import Objective
from tracking.search.catalog import Catalog
from tracking.store.store import Store


def file_of(base: Path) -> Path:
    return Catalog(Store(base)).index.path


def best(base: Path) -> str | None:
    """Return the best run by auc; fail where reading says anything of damage."""
    catalog = Catalog(Store(base))
    try:
        return catalog.best(Objective.of("auc", "max", "last"), None, pytest.fail)
    finally:
        catalog.index.close()
