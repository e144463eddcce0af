"""What the tests of Lightning share."""

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture
def default_sigterm() -> Iterator[None]:
    """Take back the handlers that Lightning puts back when a training ends, also that of a run that has ended by then."""
    yield
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
