"""Runs of a sweep are compared by its objective unless another metric is given."""

from pathlib import Path

import pytest

from tracking import ExperimentTracker, job_context
from tracking.cli.ranking import rank
from tracking.objective import Objective


def runs(tracker: ExperimentTracker, objective: dict[str, str] | None, *values: float) -> None:
    for number, value in enumerate(values):
        identity = {"sweep": "s", "job": number, "key": "k", "config_hash": "h"}
        with job_context(**identity, objective=objective), tracker.start_run("x") as run:
            run.log({"objective": value, "val_auc": 1 - value})


@pytest.mark.parametrize(("mode", "best"), [("min", "run_002"), ("max", "run_001")])
def test_the_metric_and_the_direction_are_the_sweeps(tmp_path: Path, mode: str, best: str) -> None:
    tracker = ExperimentTracker(tmp_path)
    runs(tracker, {"metric": "objective", "mode": mode}, 0.5, 0.25)
    ranking = rank(tracker.records(), None, None)
    assert ranking.objective.named == {"metric": "objective", "mode": mode}
    assert ranking.best is not None
    assert ranking.best.run_id == best


def test_an_explicit_metric_comes_first(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    runs(tracker, {"metric": "objective", "mode": "min"}, 0.5, 0.25)
    assert rank(tracker.records(), "val_auc", None).objective == Objective.of("val_auc", "max", "last")
    assert rank(tracker.records(), None, "max").objective == Objective.of("objective", "max", "last")


def test_sweeps_that_disagree_decide_nothing(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    runs(tracker, {"metric": "objective", "mode": "min"}, 0.5)
    runs(tracker, {"metric": "objective", "mode": "max"}, 0.5)
    runs(tracker, None, 0.5)
    assert rank(tracker.records(), None, None).objective.metric == "val_auc"
