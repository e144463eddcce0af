"""Which run is best, which metric decides, what the columns are called."""

import math

import pytest

from tracking import ExperimentTracker, InvalidValueError
from tracking.compare import best_available_metric, mode_of


def test_the_best_run_has_the_best_last_finite_value(tracker: ExperimentTracker) -> None:
    for history in ([0.9, 0.5], [0.6, 0.7], [0.7], [math.nan], [math.inf], []):
        run_id = tracker.create_run("x")
        for value in history:
            tracker.log_metrics(run_id, {"auc": value})
    tracker.log_metrics(tracker.create_run("other"), {"auc": 0.99})
    assert tracker.get_best_run("auc", "x")["run_id"] == "run_002"  # of equal runs the oldest
    assert tracker.get_best_run("auc", "x", mode="min")["run_id"] == "run_001"
    assert tracker.get_best_run("auc")["run_id"] == "run_007"
    assert tracker.get_best_run("f1") is None
    assert tracker.get_best_run("auc", "unknown") is None
    with pytest.raises(InvalidValueError, match="mode 'maximum' is none of 'max', 'min'"):
        tracker.get_best_run("auc", mode="maximum")


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["val_loss", "val_auc", "test_auc", "a"], "test_auc"),
        (["train_auc", "val_auc", "a"], "val_auc"),
        (["train_auc", "roc_auc", "test_accuracy"], "roc_auc"),
        (["train_loss", "val_acc"], "val_acc"),
        (["train_loss", "val_loss"], "val_loss"),
        (["ndcg", "mrr"], "mrr"),
        ([], None),
    ],
)
def test_the_best_available_metric_follows_one_order(
    tracker: ExperimentTracker, names: list[str], chosen: str | None
) -> None:
    tracker.log_metrics(
        tracker.create_run("x"), dict.fromkeys(names, 0.5) | {"test_auc_of_nothing": math.nan}
    )
    assert best_available_metric(tracker.records()) == chosen


@pytest.mark.parametrize(
    ("metric", "mode"),
    [
        ("val_loss", "min"),
        ("rmse", "min"),
        ("val/Error", "min"),
        ("val_auc", "max"),
        ("lossless", "max"),
        ("_", "max"),
    ],
)
def test_the_direction_follows_the_last_word_of_the_name(metric: str, mode: str) -> None:
    assert mode_of(metric) == mode


def test_a_name_of_two_columns_is_told_apart(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x")
    tracker.log_params(run_id, {"threshold": 0.5, "status": "draft", "lr": 1, "dims": [1, 2]})
    tracker.log_metrics(run_id, {"threshold": 0.7, "created_at": 3, "auc": 1})
    frame = tracker.compare_runs([run_id, tracker.create_run("x")])
    assert list(frame.columns) == [
        "run_id",
        "experiment_name",
        "status",
        "created_at",
        "params.threshold",
        "params.status",
        "lr",
        "dims",
        "metrics.threshold",
        "metrics.created_at",
        "auc",
    ]
    assert frame.iloc[0]["params.threshold"] == 0.5
    assert frame.iloc[0]["metrics.threshold"] == 0.7
    assert frame.iloc[0]["dims"] == [1, 2]
    assert math.isnan(frame.iloc[1]["auc"])


def test_comparing_a_text_is_refused_with_the_list_that_was_meant(tracker: ExperimentTracker) -> None:
    with pytest.raises(InvalidValueError, match=r"is the text 'run_001'; pass a list, such as \['run_001'\]"):
        tracker.compare_runs("run_001")


def test_comparing_nothing_gives_an_empty_frame_with_its_columns(tracker: ExperimentTracker) -> None:
    assert list(tracker.compare_runs([]).columns) == ["run_id", "experiment_name", "status", "created_at"]
