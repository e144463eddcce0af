"""What the tests of the read index share: runs, a cache of their own, a store that is too large to be looked at whole."""

from pathlib import Path

import pytest

from tracking import ExperimentTracker
from tracking.search.index import refresh


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "podium"


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is too large for all of it to be looked at."""
    monkeypatch.setattr(refresh, "SMALL", 0)
    monkeypatch.setattr(refresh, "SLICE", 0)


@pytest.fixture
def runs(tracker: ExperimentTracker) -> list[str]:
    ids = []
    for value in (0.5, 0.7, 0.6):
        with tracker.start_run("x", params={"lr": value}, capture_output=False) as run:
            run.log({"auc": value})
        ids.append(run.run_id)
    return ids
