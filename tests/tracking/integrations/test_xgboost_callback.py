"""XGBoost logs here: its rounds, its settings, a stop and an end."""

import copy
import math
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trained import last, points

from tracking import ExperimentTracker
from tracking.integrations import xgboost as integration
from tracking.integrations.xgboost import parameters

xgboost = pytest.importorskip("xgboost")

ROOT = Path(__file__).resolve().parents[3]
ROWS = np.random.default_rng(0).normal(size=(200, 4))
LABELS = (ROWS[:, 0] > 0).astype(int)
SETTINGS = {"objective": "binary:logistic", "max_depth": 3, "eta": 0.3, "eval_metric": ["logloss", "auc"]}


def data() -> Any:
    return xgboost.DMatrix(ROWS, LABELS)


def train(callback: Any, rounds: int = 4, **named: Any) -> Any:
    named = {"evals": [(data(), "train"), (data(), "valid")], "verbose_eval": False, **named}
    callbacks = [*named.pop("before", []), callback]
    return xgboost.train(
        {**SETTINGS, **named.pop("settings", {})}, data(), rounds, callbacks=callbacks, **named
    )


def test_each_round_is_a_point_of_each_data_set_and_metric(tracker: ExperimentTracker, base: Path) -> None:
    kept: dict[str, Any] = {}
    train(integration.TrackingCallback("higgs", store=base), evals_result=kept)
    assert last(tracker).status.value == "completed"
    assert last(tracker).experiment_name == "higgs"
    assert set(last(tracker).summary) == {"train/logloss", "train/auc", "valid/logloss", "valid/auc"}
    assert points(tracker, "valid/logloss") == list(enumerate(kept["valid"]["logloss"]))


def test_the_settings_of_the_booster_are_parameters_as_they_were_meant(
    tracker: ExperimentTracker, base: Path
) -> None:
    train(integration.TrackingCallback("higgs", store=base), settings={"subsample": 0.7, "seed": 7})
    params = last(tracker).params
    wanted = {"eta": 0.3, "max_depth": 3, "subsample": 0.7, "seed": 7, "booster": "gbtree"}
    assert {name: params[f"xgboost.{name}"] for name in wanted} == wanted
    assert params["xgboost.objective"] == "binary:logistic"
    assert params["xgboost.scale_pos_weight"] == 1
    assert "xgboost.learning_rate" not in params


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        ({"booster": "dart", "rate_drop": 0.1}, "rate_drop", 0.1),
        ({"booster": "gblinear"}, "feature_selector", "cyclic"),
    ],
)
def test_other_boosters_have_settings_of_their_own(
    tracker: ExperimentTracker, base: Path, settings: dict[str, Any], name: str, value: Any
) -> None:
    settings = {"max_depth": None, **settings} if settings["booster"] == "dart" else settings
    used = {
        **{k: v for k, v in SETTINGS.items() if k != "max_depth"},
        **{k: v for k, v in settings.items() if v},
    }
    xgboost.train(used, data(), 1, callbacks=[integration.TrackingCallback("higgs", store=base)])
    assert last(tracker).params[f"xgboost.{name}"] == value


def test_a_run_that_is_asked_to_stop_ends_the_training_after_the_round(tracker: ExperimentTracker) -> None:
    with tracker.start_run("higgs") as run:
        (run.run_dir / "stop").touch()
        booster = train(integration.TrackingCallback(), 50)
    assert booster.num_boosted_rounds() == 1
    assert points(tracker, "valid/auc")[-1][0] == 0


def test_the_round_in_which_another_callback_stops_is_kept(tracker: ExperimentTracker, base: Path) -> None:
    early = xgboost.callback.EarlyStopping(rounds=2, data_name="valid", metric_name="auc")
    booster = train(
        integration.TrackingCallback("higgs", store=base),
        60,
        before=[early],
        settings={"eta": 1.0, "max_depth": 8},
    )
    assert booster.num_boosted_rounds() < 60
    assert [step for step, _ in points(tracker, "valid/auc")] == list(range(booster.num_boosted_rounds()))
    assert last(tracker).status.value == "completed"


def test_a_training_that_goes_on_counts_its_rounds_on(tracker: ExperimentTracker, base: Path) -> None:
    first = train(integration.TrackingCallback("higgs", store=base), 2)
    train(integration.TrackingCallback("higgs", store=base), 2, xgb_model=first)
    assert [step for step, _ in points(tracker, "valid/auc")] == [2, 3]


def test_cross_validation_gives_means_and_their_spread(tracker: ExperimentTracker, base: Path) -> None:
    table = xgboost.cv(
        SETTINGS, data(), 3, nfold=3, callbacks=[integration.TrackingCallback("higgs", store=base)]
    )
    assert [value for _, value in points(tracker, "test/auc")] == list(table["test-auc-mean"])
    assert [value for _, value in points(tracker, "test/auc_std")] == list(table["test-auc-std"])
    assert last(tracker).params["xgboost.max_depth"] == 3


def test_a_metric_that_is_not_a_number_is_kept_as_such(tracker: ExperimentTracker, base: Path) -> None:
    train(
        integration.TrackingCallback("higgs", store=base), 2,
        custom_metric=lambda _predicted, _rows: ("odd", math.nan),
    )  # fmt: skip
    assert all(math.isnan(value) for _, value in points(tracker, "valid/odd"))
    assert last(tracker).status.value == "completed"


def test_estimators_and_their_copies_have_a_run_each(tracker: ExperimentTracker, base: Path) -> None:
    callback = integration.TrackingCallback("higgs", store=base)
    for each in (callback, copy.deepcopy(callback), pickle.loads(pickle.dumps(callback))):
        model = xgboost.XGBClassifier(n_estimators=2, callbacks=[each])
        model.fit(ROWS, LABELS, eval_set=[(ROWS, LABELS)], verbose=False)
    assert [set(each.summary) for each in tracker.records()] == [{"validation_0/logloss"}] * 3
    assert [each.status.value for each in tracker.records()] == ["completed"] * 3


def test_a_training_that_raises_in_a_block_fails_the_run(tracker: ExperimentTracker, base: Path) -> None:
    def broken(_predicted: Any, _rows: Any) -> Any:
        raise ZeroDivisionError("no")

    with (
        pytest.raises(ZeroDivisionError),
        integration.TrackingCallback("higgs", store=base) as callback,
    ):
        train(callback, custom_metric=broken)
    assert (last(tracker).status.value, last(tracker).error) == ("failed", "ZeroDivisionError: no")


def test_a_config_without_the_known_sections_gives_no_parameters() -> None:
    assert parameters({"learner": {}}) == {}


WORKER = """
import sys, numpy as np, xgboost
from tracking import active_run
from tracking.integrations.xgboost import TrackingCallback
from xgboost import collective

class Asks(xgboost.callback.TrainingCallback):
    def before_iteration(self, model, epoch, evals_log):
        if collective.get_rank() == 0 and epoch == 3:
            (active_run().run_dir / "stop").touch()
        return False

rows = np.random.default_rng(int(sys.argv[2])).normal(size=(100, 3))
with collective.CommunicatorContext(dmlc_tracker_uri="127.0.0.1", dmlc_tracker_port=int(sys.argv[1])):
    data = xgboost.DMatrix(rows, (rows[:, 0] > 0).astype(int))
    with TrackingCallback("higgs") as callback:
        model = xgboost.train(
            {"nthread": 1}, data, 20, evals=[(data, "train")], callbacks=[callback, Asks()], verbose_eval=False
        )
print(model.num_boosted_rounds())
"""


def test_of_a_distributed_training_the_first_worker_logs_and_all_stop_in_the_same_round(
    tracker: ExperimentTracker, tmp_path: Path
) -> None:
    from xgboost.tracker import RabitTracker

    rendezvous = RabitTracker(n_workers=2, host_ip="127.0.0.1")
    rendezvous.start()
    port = str(rendezvous.worker_args()["dmlc_tracker_port"])
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, port, str(rank)],
            cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    answers = [worker.communicate(timeout=120) for worker in workers]
    rendezvous.wait_for(timeout=60)
    assert [out.split()[-1:] for out, _ in answers] == [["4"], ["4"]], answers
    (record,) = tracker.records()
    assert (record.status.value, record.summary["train/rmse"].count) == ("completed", 4)
