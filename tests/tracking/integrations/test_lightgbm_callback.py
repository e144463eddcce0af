"""LightGBM logs here: its rounds, its settings, a stop and an end."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trained import last, points

from tracking import ExperimentTracker, active_run
from tracking.integrations.lightgbm import TrackingCallback

lightgbm = pytest.importorskip("lightgbm")

ROWS = np.random.default_rng(0).normal(size=(300, 4))
LABELS = (ROWS[:, 0] + ROWS[:, 1] ** 2 > 1).astype(int)
SETTINGS = {"objective": "binary", "num_leaves": 7, "metric": ["auc", "binary_logloss"], "verbose": -1}


def train(*callbacks: Any, rounds: int = 4, **named: Any) -> Any:
    rows = lightgbm.Dataset(ROWS[:200], LABELS[:200])
    settings = {**SETTINGS, **named.pop("settings", {})}
    named = {"valid_sets": [rows, rows.create_valid(ROWS[200:], LABELS[200:])], **named}
    named = {"valid_names": ["seen", "valid"], **named}
    return lightgbm.train(settings, rows, rounds, callbacks=list(callbacks), **named)


class AskedAfter:
    """Asks the open run to stop after so many rounds."""

    def __init__(self, rounds: int) -> None:
        self.rounds, self.order = rounds, 5

    def __call__(self, env: Any) -> None:
        run = active_run()
        if run is not None and env.iteration == self.rounds - 1:
            (run.run_dir / "stop").touch()


def test_each_round_is_a_point_of_each_data_set_and_metric(tracker: ExperimentTracker, base: Path) -> None:
    kept: dict[str, Any] = {}
    train(TrackingCallback("higgs", store=base), lightgbm.record_evaluation(kept))
    assert (last(tracker).status.value, last(tracker).experiment_name) == ("completed", "higgs")
    assert set(last(tracker).summary) == {
        "seen/auc", "seen/binary_logloss", "valid/auc", "valid/binary_logloss"
    }  # fmt: skip
    assert points(tracker, "valid/auc") == list(enumerate(kept["valid"]["auc"]))


def test_the_settings_of_the_call_are_parameters(tracker: ExperimentTracker, base: Path) -> None:
    train(TrackingCallback("higgs", store=base))
    params = last(tracker).params
    assert (params["lightgbm.num_leaves"], params["lightgbm.num_iterations"]) == (7, 4)
    assert params["lightgbm.metric"] == ["auc", "binary_logloss"]


@pytest.mark.parametrize("with_early_stopping", [False, True])
def test_a_run_that_is_asked_to_stop_leaves_the_best_round_as_early_stopping_does(
    tracker: ExperimentTracker, with_early_stopping: bool
) -> None:
    settings = {"learning_rate": 1.0, "metric": ["binary_logloss"]}  # which soon overfits
    others = [lightgbm.early_stopping(100, verbose=False)] if with_early_stopping else []
    with tracker.start_run("higgs"):
        booster = train(AskedAfter(20), TrackingCallback(), *others, rounds=60, settings=settings)
    losses = [value for _, value in points(tracker, "valid/binary_logloss")]
    best = losses.index(min(losses))
    assert len(losses) == 20
    assert best < 19
    assert booster.best_iteration == best + 1
    assert booster.best_score["valid"]["binary_logloss"] == losses[best]
    reference = train(lightgbm.early_stopping(100, verbose=False), rounds=20, settings=settings)
    assert booster.best_iteration == reference.best_iteration
    assert booster.best_score == reference.best_score


@pytest.mark.parametrize("named", [{"settings": {"boosting": "dart"}}, {"valid_sets": [], "valid_names": []}])
def test_where_no_round_can_be_the_best_the_last_one_counts(
    tracker: ExperimentTracker, named: dict[str, Any]
) -> None:
    with tracker.start_run("higgs"):
        booster = train(AskedAfter(5), TrackingCallback(), rounds=60, **named)
    assert (booster.best_iteration, booster.current_iteration()) == (5, 5)


def test_the_round_of_early_stopping_is_kept_and_a_block_completes_the_run(
    tracker: ExperimentTracker, base: Path
) -> None:
    with TrackingCallback("higgs", store=base) as callback:
        booster = train(
            lightgbm.early_stopping(3, first_metric_only=True, verbose=False), callback, rounds=200,
            settings={"learning_rate": 1.0},
        )  # fmt: skip
        callback.run.log({"test_auc": 0.5})
    steps = [step for step, _ in points(tracker, "valid/auc")]
    assert steps == list(range(booster.best_iteration + 3))
    assert len(steps) < 200
    assert last(tracker).status.value == "completed"


def test_without_a_block_a_training_that_stops_early_ends_when_the_next_begins(
    tracker: ExperimentTracker, base: Path
) -> None:
    callback = TrackingCallback("higgs", store=base)
    train(lightgbm.early_stopping(3, verbose=False), callback, rounds=200, settings={"learning_rate": 1.0})
    train(callback)
    assert [each.status.value for each in tracker.records()] == ["ended", "completed"]


def test_cross_validation_gives_means_and_their_spread(tracker: ExperimentTracker, base: Path) -> None:
    table = lightgbm.cv(
        SETTINGS,
        lightgbm.Dataset(ROWS, LABELS),
        3,
        nfold=3,
        callbacks=[TrackingCallback("higgs", store=base)],
    )
    assert [value for _, value in points(tracker, "valid/auc")] == table["valid auc-mean"]
    assert [value for _, value in points(tracker, "valid/auc_std")] == table["valid auc-stdv"]


def test_a_metric_that_is_not_a_number_is_kept_as_such(tracker: ExperimentTracker, base: Path) -> None:
    train(
        TrackingCallback("higgs", store=base),
        feval=lambda _predicted, _rows: ("odd", np.float32("nan"), True),
    )
    assert all(math.isnan(value) for _, value in points(tracker, "valid/odd"))


def test_an_estimator_logs_too(tracker: ExperimentTracker, base: Path) -> None:
    model = lightgbm.LGBMClassifier(n_estimators=3, num_leaves=5, verbose=-1)
    model.fit(
        ROWS, LABELS, eval_X=(ROWS,), eval_y=(LABELS,), callbacks=[TrackingCallback("higgs", store=base)]
    )
    assert [step for step, _ in points(tracker, "valid_0/binary_logloss")] == [0, 1, 2]
    assert last(tracker).params["lightgbm.num_leaves"] == 5
    assert last(tracker).status.value == "completed"
