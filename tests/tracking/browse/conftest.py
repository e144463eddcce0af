"""What the tests of pages' data share: a reader of the store of a test; runs that a test leaves open end with it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, Run, TrackingError
from tracking.browse.reader import StoreReader


@pytest.fixture
def reader(base: Path) -> Iterator[StoreReader]:
    reader = StoreReader(base)
    yield reader
    reader.close()


@pytest.fixture(autouse=True)
def _no_run_stays_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Finish the runs of a test that follows them as they log: an open run handles SIGTERM, and processes join it."""
    start, started = ExperimentTracker.start_run, []

    def kept(tracker: ExperimentTracker, *arguments: Any, **named: Any) -> Run:
        started.append(start(tracker, *arguments, **named))
        return started[-1]

    monkeypatch.setattr(ExperimentTracker, "start_run", kept)
    yield
    for run in started:
        with contextlib.suppress(TrackingError):  # it has finished, or its folder is gone
            run.finish()
