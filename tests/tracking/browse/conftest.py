"""What the tests of pages' data share: a reader of the store of a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tracking.browse.reader import StoreReader


@pytest.fixture
def reader(base: Path) -> Iterator[StoreReader]:
    reader = StoreReader(base)
    yield reader
    reader.close()
