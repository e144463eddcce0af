"""Numbers of runs: above those of all present and past runs, found without a listing, safe between processes."""

from pathlib import Path

import pytest

from tracking import ExperimentTracker
from tracking.store import numbering


def test_a_process_behind_another_reuses_no_number(base: Path) -> None:
    one, two = ExperimentTracker(base), ExperimentTracker(base)
    assert one.create_run("x") == "run_001"
    for _ in range(3):
        two.finish_run(two.create_run("x"))
    two.delete_run("run_004")
    assert one.create_run("x") == "run_005"


def test_a_process_far_behind_another_does_not_try_every_number(
    tracker: ExperimentTracker, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker.create_run("x")
    for number in range(2, 500):
        (base / "runs" / f"run_{number:03d}").mkdir()
    looks = 0
    real = numbering._exists

    def counted(*arguments: object) -> bool:
        nonlocal looks
        looks += 1
        return real(*arguments)

    monkeypatch.setattr(numbering, "_exists", counted)
    assert tracker.create_run("x") == "run_500"
    assert looks < 30
