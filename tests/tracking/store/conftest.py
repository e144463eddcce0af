"""A store of which one run goes bad, and a file outside of it that nothing may touch."""

from pathlib import Path

import pytest
from bad_kinds import OUTSIDE

from tracking import ExperimentTracker


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside.txt"
    path.write_bytes(OUTSIDE)
    return path


@pytest.fixture
def three(tracker: ExperimentTracker, base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of three finished runs; the second is the one that goes bad. Returns its folder."""
    monkeypatch.setenv("PODIUM_STORE", str(base))
    for value in (0.1, 0.2, 0.3):
        with tracker.start_run("e", params={"lr": value}, capture_code=False, capture_output=False) as run:
            run.log({"a": value}, step=0)
    return base / "runs" / "run_002"
