"""Searches of scikit-learn become runs: parameters, scores, the best one, the ones that failed."""

import math
import pickle
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracking import ExperimentTracker, InvalidValueError, job_context
from tracking.files import read_json
from tracking.integrations.sklearn import log_search
from tracking.records import RunRecord

pytest.importorskip("sklearn")
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - as its users must
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

ROWS = np.random.default_rng(0).normal(size=(240, 4))
LABELS = (ROWS[:, 0] + ROWS[:, 1] ** 2 > 1).astype(int)
TREE = DecisionTreeClassifier(random_state=0)


def recorded(tracker: ExperimentTracker, run_ids: list[str]) -> list[RunRecord]:
    found = [tracker.record(run_id) for run_id in run_ids]
    assert None not in found
    return [each for each in found if each is not None]


def test_each_candidate_of_a_grid_is_a_run_with_its_scores(tracker: ExperimentTracker, base: Path) -> None:
    search = GridSearchCV(TREE, {"max_depth": [1, 3], "criterion": ["gini", "entropy"]}, cv=3)
    search.fit(ROWS, LABELS)
    runs = recorded(tracker, log_search(search, "trees", store=base))
    assert len(runs) == len(tracker.records()) == 4
    for row, run in enumerate(runs):
        assert (run.experiment_name, run.status.value) == ("trees", "completed")
        assert run.params == search.cv_results_["params"][row]
        columns = (
            "mean_test_score",
            "std_test_score",
            "rank_test_score",
            "mean_fit_time",
            "split2_test_score",
        )
        assert all(run.summary[name].last == search.cv_results_[name][row] for name in columns)
        assert run.tags["sklearn.search"] == "GridSearchCV"
        assert run.tags["sklearn.estimator"] == "DecisionTreeClassifier"
        assert (run.tags["sklearn.candidate"], run.tags["sklearn.first_run"]) == (row, runs[0].run_id)
    assert [row for row, run in enumerate(runs) if run.tags.get("best")] == [search.best_index_]
    best = tracker.get_best_run("mean_test_score", "trees")
    assert best is not None
    assert best["params"] == search.best_params_


def test_a_random_search_with_several_scores_keeps_each_of_them(
    tracker: ExperimentTracker, base: Path
) -> None:
    search = RandomizedSearchCV(
        TREE, {"max_depth": range(1, 9)}, n_iter=3, cv=2, scoring=["accuracy", "roc_auc"], refit=False,
        random_state=0, return_train_score=True,
    ).fit(ROWS, LABELS)  # fmt: skip
    runs = recorded(tracker, log_search(search, "trees", store=base))
    assert len(runs) == 3
    names = {"mean_test_accuracy", "mean_test_roc_auc", "split1_test_roc_auc", "mean_train_roc_auc"}
    assert all(names <= set(run.summary) for run in runs)
    assert not [run for run in runs if "best" in run.tags]  # nothing says by which score


@pytest.mark.parametrize(
    ("scorer", "kept"),
    [("a\nb", "a\\nb"), ("", ""), ("\u2028", "\\u2028"), ("tête/à 1", "tête/à 1"), ("../up", "../up")],
)
@pytest.mark.parametrize("is_open", [False, True])
def test_a_scorer_may_have_any_name(
    tracker: ExperimentTracker, base: Path, scorer: str, kept: str, is_open: bool
) -> None:
    search = GridSearchCV(TREE, {"max_depth": [1]}, cv=2, scoring={scorer: "accuracy"}, refit=False)
    search.fit(ROWS, LABELS)
    with tracker.start_run("tuned") if is_open else nullcontext():
        (run,) = recorded(tracker, log_search(search, store=None if is_open else base))
    (run,) = recorded(tracker, [run.run_id])
    for column in ("mean_test_", "std_test_", "rank_test_", *(["split1_test_"] * (not is_open))):
        assert run.summary[column + kept].last == search.cv_results_[column + scorer][0]


def test_a_candidate_of_a_halving_search_is_one_run_with_a_point_per_iteration(
    tracker: ExperimentTracker, base: Path
) -> None:
    search = HalvingGridSearchCV(TREE, {"max_depth": [1, 2, 3, 4, 5, 6]}, cv=2, factor=2, random_state=0)
    search.fit(ROWS, LABELS)
    runs = recorded(tracker, log_search(pickle.loads(pickle.dumps(search)), "trees", store=base))
    assert [run.params["max_depth"] for run in runs] == [1, 2, 3, 4, 5, 6]
    assert {run.status.value for run in runs} == {"completed", "pruned"}
    (best,) = [run for run in runs if run.tags.get("best")]
    assert best.params == search.best_params_
    assert best.status.value == "completed"
    full = tracker.get_run(best.run_id)
    assert full is not None
    steps = [point["step"] for point in full["metrics"]["mean_test_score"]]
    assert steps == search.n_resources_
    assert sum(run.summary["mean_test_score"].count for run in runs) == len(search.cv_results_["params"])


@pytest.mark.parametrize("grid", [{"max_depth": [1, 2, 3, 4]}, {"max_depth": [3, 3, 1, 1]}])
def test_a_candidate_of_a_halving_search_over_a_parameter_is_one_run_too(
    tracker: ExperimentTracker, base: Path, grid: dict[str, list[int]]
) -> None:
    search = HalvingGridSearchCV(
        RandomForestClassifier(random_state=0), grid, cv=2, factor=2, resource="n_estimators", max_resources=8
    ).fit(ROWS, LABELS)
    runs = recorded(tracker, log_search(pickle.loads(pickle.dumps(search)), "trees", store=base))
    assert [run.params["max_depth"] for run in runs] == grid["max_depth"]
    (best,) = [run for run in runs if run.tags.get("best")]
    assert best.params == search.best_params_
    assert sorted(run.status.value for run in runs) == ["completed"] + ["pruned"] * 3
    full = tracker.get_run(best.run_id)
    assert full is not None
    steps = [point["step"] for point in full["metrics"]["mean_test_score"]]
    assert steps == search.n_resources_
    assert sum(run.summary["mean_test_score"].count for run in runs) == len(search.cv_results_["params"])
    with tracker.start_run("tuned") as run:
        log_search(search)
    table = read_json(run.run_dir / "artifacts" / "cv_results.json")
    assert [row["params"] for row in table] == search.cv_results_["params"]
    assert [row["params"]["n_estimators"] for row in table] == [row["n_resources"] for row in table]


def test_estimators_are_parameters_as_their_calls(tracker: ExperimentTracker, base: Path) -> None:
    model = Pipeline([("scale", StandardScaler()), ("model", TREE)])
    grid = {
        "model": [
            RandomForestClassifier(
                n_estimators=3,
                max_depth=2,
                min_samples_leaf=2,
                min_samples_split=4,
                random_state=0,
                class_weight={0: 1.0, 1: 2.0},
                bootstrap=False,
            ),
            LogisticRegression(C=10.0),
        ],
        "scale": ["passthrough"],
    }
    search = GridSearchCV(model, grid, cv=2).fit(ROWS, LABELS)
    first, second = recorded(tracker, log_search(search, "trees", store=base))
    assert first.params["model"].startswith("RandomForestClassifier(bootstrap=False, ")
    assert "\n" not in first.params["model"]
    assert second.params == {"model": "LogisticRegression(C=10.0)", "scale": "passthrough"}


def test_a_candidate_that_could_not_be_fitted_is_a_failed_run(tracker: ExperimentTracker, base: Path) -> None:
    search = GridSearchCV(TREE, {"max_depth": [2, -1]}, cv=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitFailedWarning)
        warnings.filterwarnings("ignore", "One or more of the test scores")
        search.fit(ROWS, LABELS)
    good, bad = recorded(tracker, log_search(search, "trees", store=base))
    assert (good.status.value, bad.status.value) == ("completed", "failed")
    assert good.tags["best"] is True
    assert bad.error == (
        "3 of 3 splits have no score: split0, split1, split2; with error_score='raise' the search shows why"
    )
    assert math.isnan(bad.summary["mean_test_score"].last)


def test_into_a_run_that_is_open_goes_the_whole_search(tracker: ExperimentTracker) -> None:
    search = GridSearchCV(TREE, {"max_depth": [1, 3, 5]}, cv=2).fit(ROWS, LABELS)
    with tracker.start_run("tuned", params={"seed": 1}) as run:
        assert log_search(search) == [run.run_id]
        run.log({"test_auc": 0.5})
    (record,) = tracker.records()
    assert record.status.value == "completed"
    assert record.params == {"seed": 1, "best.max_depth": search.best_params_["max_depth"]}
    assert record.summary["best_score"].last == search.best_score_
    assert record.summary["mean_test_score"].count == 3
    table = read_json(run.run_dir / "artifacts" / "cv_results.json")
    assert [row["params"]["max_depth"] for row in table] == [1, 3, 5]
    assert [row["split1_test_score"] for row in table] == list(search.cv_results_["split1_test_score"])


def test_a_job_of_a_sweep_that_opened_no_run_has_one_for_the_whole_search(
    tracker: ExperimentTracker, base: Path
) -> None:
    search = GridSearchCV(TREE, {"max_depth": [1, 3]}, cv=2).fit(ROWS, LABELS)
    with job_context(sweep="s", job=0, key="k", config_hash="h"):
        (run_id,) = log_search(search, "trees", store=base)
    (record,) = tracker.records()
    assert (record.run_id, record.status.value) == (run_id, "completed")


def test_a_parameter_that_is_an_array_of_data_is_told_by_its_shape(
    tracker: ExperimentTracker, base: Path
) -> None:
    class AnySearch:  # of another library
        estimator, best_index_ = TREE, 0
        cv_results_ = {"params": [{"weights": np.ones((50, 50))}], "mean_test_score": np.array([0.5])}  # noqa: RUF012

    (run,) = recorded(tracker, log_search(AnySearch(), "trees", store=base))
    assert run.params == {"weights": "ndarray of shape (50, 50)"}
    assert run.status.value == "completed"


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (GridSearchCV(TREE, {}), "was not fitted, so there is nothing to log"),
        (TREE, "is no search; give a fitted GridSearchCV"),
        ("grid", "'grid' is no search"),
    ],
)
def test_what_is_no_fitted_search_is_refused_and_logs_nothing(search: Any, message: str, base: Path) -> None:
    with pytest.raises(InvalidValueError, match=message):
        log_search(search, "trees", store=base)
    assert not base.exists()


def test_a_parameter_that_cannot_be_kept_is_left_out_with_one_warning(
    tracker: ExperimentTracker, base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class AnySearch:
        cv_results_ = {  # noqa: RUF012 - as searches have it
            "params": [{"C": 1, "a\nb": 2}, {"C": b"0" * 2000}, {"C": b"1" * 2000}],
            "mean_test_score": [0.5, 0.6, 0.7],
        }

    log_search(AnySearch(), "trees", store=base)
    assert [record.params for record in tracker.records()] == [{"C": 1, "a\\nb": 2}, {}, {}]
    (message,) = caplog.messages
    assert message.startswith("parameter 'C' is left out: ")
