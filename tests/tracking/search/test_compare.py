"""Which run is best, which metric decides, what the columns are called."""

import math

import pytest

from tracking import ExperimentTracker, InvalidNameError, InvalidValueError
from tracking.objective import Objective, best_available_metric

COLUMNS = ["run_id", "experiment_name", "status", "created_at"]


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
    assert Objective.of(metric).mode == mode


def test_a_name_that_occurs_twice_gets_a_prefix(tracker: ExperimentTracker) -> None:
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
    with pytest.raises(InvalidValueError, match=r"run_ids is None; pass a list of ids"):
        tracker.compare_runs(None)


def test_ids_that_the_store_does_not_know_are_left_out_with_a_warning(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x")
    with pytest.warns(UserWarning, match=r"left out, no such run in '.*': 'run_009', '../a'$") as caught:
        frame = tracker.compare_runs(["run_009", run_id, "../a", "run_009"])
    assert caught[0].filename == __file__
    assert list(frame["run_id"]) == [run_id]
    with pytest.warns(UserWarning, match="'run_009'$"):
        assert list(tracker.compare_runs(["run_009"]).columns) == COLUMNS


def test_a_run_that_the_index_has_not_seen_is_compared_and_an_unknown_one_beside_it_left_out(
    tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [tracker.create_run("x") for _ in range(2)]
    monkeypatch.setattr("tracking.search.index.view.View.numbers_of", lambda *_: {})
    with pytest.warns(UserWarning, match="no such run"):
        assert list(tracker.compare_runs([*ids, "run_009"])["run_id"]) == ids


def test_an_id_that_is_no_text_is_refused(tracker: ExperimentTracker) -> None:
    with pytest.raises(InvalidNameError, match="run id 7"):
        tracker.compare_runs([7])


def test_comparing_nothing_gives_an_empty_frame_with_its_columns(tracker: ExperimentTracker) -> None:
    assert list(tracker.compare_runs([]).columns) == COLUMNS


def test_the_best_run_can_be_chosen_by_the_best_value_it_reached(tracker: ExperimentTracker) -> None:
    for history in ([0.9, 0.5], [0.6, 0.7], [0.9], [math.nan], [math.inf, 0.2]):
        run_id = tracker.create_run("x")
        for value in history:
            tracker.log_metrics(run_id, {"auc": value})
    assert tracker.get_best_run("auc", at="best")["run_id"] == "run_001"
    assert tracker.get_best_run("auc", at="last")["run_id"] == "run_003"
    assert tracker.get_best_run("auc", mode="min", at="best")["run_id"] == "run_005"
    with pytest.raises(InvalidValueError, match="at 'first' is none of 'last', 'best'"):
        tracker.get_best_run("auc", at="first")


@pytest.fixture
def seeds(tracker: ExperimentTracker) -> list[str]:
    ids = []
    for lr, seed, auc in ((0.1, 1, 0.5), (0.1, 2, 0.7), (0.01, 1, 0.6), (0.1, 3, math.nan), (0.1, 4, None)):
        with tracker.start_run("x", capture_output=False) as run:
            run.log_params({"lr": lr, "seed": seed, "data": {"split_seed": seed, "rows": 10}, "model": "mlp"})
            if auc is not None:
                run.log({"auc": auc, "epochs": 3})
        ids.append(run.run_id)
    tracker.finish_run(ids[3], "failed")
    return ids


def test_runs_that_differ_in_the_seed_are_one_row(tracker: ExperimentTracker, seeds: list[str]) -> None:
    frame = tracker.compare_runs(seeds, grouped=True)
    assert list(frame.columns) == [
        "run_ids",
        "experiment_name",
        "n",
        "lr",
        "data",
        "model",
        "auc",
        "auc_std",
        "epochs",
        "epochs_std",
    ]
    assert list(frame["run_ids"]) == [["run_001", "run_002", "run_005"], ["run_003"]]
    assert list(frame["n"]) == [3, 1]
    assert list(frame["data"]) == [{"rows": 10}] * 2
    assert frame["auc"].tolist() == pytest.approx([0.6, 0.6])
    assert frame["auc_std"][0] == pytest.approx(math.sqrt(0.02))
    assert math.isnan(frame["auc_std"][1])


def test_only_what_differs_can_be_asked_for(tracker: ExperimentTracker, seeds: list[str]) -> None:
    assert list(tracker.compare_runs(seeds[:2], differing=True)) == ["run_id", "seed", "data", "auc"]
    assert list(tracker.compare_runs([seeds[0]] * 2, differing=True)) == ["run_id"]
    grouped = tracker.compare_runs(seeds, grouped=True, differing=True)
    assert list(grouped) == ["run_ids", "n", "lr", "auc_std", "epochs_std"]


def test_values_that_read_as_equal_are_equal_and_a_missing_one_differs(tracker: ExperimentTracker) -> None:
    ids = []
    for params in (
        {"a": 1, "b": True, "c": math.nan, "d": None, "e": [1]},
        {"a": 1.0, "b": 1, "c": math.nan, "e": [1]},
    ):
        ids.append(tracker.create_run("x"))
        tracker.log_params(ids[-1], params)
    assert list(tracker.compare_runs(ids, differing=True)) == ["run_id", "b", "d"]


@pytest.mark.parametrize(
    ("values", "mean", "deviation"),
    [
        ([1e308, 1e308, 1e308], 1e308, 0.0),
        ([math.inf, 1.0], math.inf, math.nan),
        ([math.inf, -math.inf], math.nan, math.nan),
        ([0.1] * 10, 0.1, 0.0),
    ],
)
def test_the_mean_of_extreme_values_raises_no_error(
    tracker: ExperimentTracker, values: list[float], mean: float, deviation: float
) -> None:
    ids = [tracker.create_run("x") for _ in values]
    for run_id, value in zip(ids, values, strict=True):
        tracker.log_metrics(run_id, {"a": value})
        tracker.finish_run(run_id)
    frame = tracker.compare_runs(ids, grouped=True)
    assert frame["a"].tolist() == pytest.approx([mean], nan_ok=True)
    assert frame["a_std"].tolist() == pytest.approx([deviation], nan_ok=True)
