"""Searches: filters, orders, limits, and columns of values."""

import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, InvalidValueError, QueryError
from tracking.search.catalog import Catalog
from tracking.search.query import parse_field
from tracking.store.store import Store


@pytest.fixture
def runs(tracker: ExperimentTracker) -> ExperimentTracker:
    for number, (lr, values) in enumerate(
        [(0.1, [0.5, 0.9, 0.6]), (0.01, [0.7]), (None, [math.nan]), (0.001, [])], 1
    ):
        run_id = tracker.create_run("x" if number < 4 else "y", tags={"team": f"team_{number % 2}"})
        tracker.log_params(run_id, {"lr": lr, "model": {"hidden": [number, 64]}, "threshold": number})
        for step, value in enumerate(values):
            tracker.log_metrics(run_id, {"auc": value, "threshold": 1.5}, step=step)
        if number != 2:
            tracker.finish_run(run_id, "completed" if number == 1 else "failed")
    return tracker


def found(tracker: ExperimentTracker, *args: object, **options: object) -> list[str]:
    return [run.run_id for run in tracker.search_runs(*args, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [1, 2, 3, 4]),
        ("metrics.auc > 0.6", [2]),
        ("metrics.auc.max > 0.6", [1, 2]),
        ("metrics.auc.best > 0.6 and status == 'completed'", [1]),
        ("metrics.auc is None", [4]),
        ("metrics.auc is nan", [3]),
        ("metrics.auc.count >= 1", [1, 2, 3]),
        ("params.lr is None", [3]),
        ("lr <= 0.01", [2, 4]),
        ("params.model.hidden.0 == 2", [2]),
        ("params.model.hidden contains 64", [1, 2, 3, 4]),
        ("tags.team == 'team_1' or run_id == 'run_002'", [1, 2, 3]),
        ("not (experiment == 'x')", [4]),
        ("created_at >= today", [1, 2, 3, 4]),
        ("created_at < '2020-01-01'", []),
        ("finished_at is None", [2]),
        ("duration_s >= 0", [1, 3, 4]),
        ("description == '' and error is None", [1, 2, 3, 4]),
    ],
)
def test_a_filter_finds_the_runs_it_describes(
    runs: ExperimentTracker, text: str, expected: list[int]
) -> None:
    assert found(runs, text) == [f"run_00{number}" for number in expected]


def test_the_best_come_first_and_those_without_a_value_last(runs: ExperimentTracker) -> None:
    assert found(runs, order_by="-metrics.auc") == ["run_002", "run_001", "run_003", "run_004"]
    assert found(runs, order_by="metrics.auc") == ["run_001", "run_002", "run_003", "run_004"]
    assert found(runs, order_by=["tags.team", "-run_id"]) == ["run_004", "run_002", "run_003", "run_001"]
    assert found(runs, "auc > 0", order_by="-auc.max", limit=1) == ["run_001"]
    assert found(runs, order_by=["-created_at", "-run_id"], experiment_name="x") == [
        "run_003",
        "run_002",
        "run_001",
    ]


def test_the_newest_come_first_also_beyond_a_thousand(tracker: ExperimentTracker, base: Path) -> None:
    first = base / "runs" / tracker.create_run("x")
    for run_id in ("run_1000", "run_999", "run_1001"):
        shutil.copytree(first, base / "runs" / run_id)
    newest = tracker.search_runs("run_id >= 'run_999'", order_by="-run_id", limit=2)
    assert [run.run_id for run in newest] == ["run_1001", "run_1000"]


def test_a_limit_takes_the_first_and_one_that_is_not_a_number_is_refused(runs: ExperimentTracker) -> None:
    assert found(runs, limit=2) == ["run_001", "run_002"]
    assert found(runs, limit=0) == []
    for limit in (-1, 2.5, "2"):
        with pytest.raises(InvalidValueError, match=r"limit .* is not a number of runs; give 0 or more"):
            runs.search_runs(limit=limit)


@pytest.mark.parametrize("order_by", [5, 0, {"metrics.auc"}])
def test_an_order_that_is_not_a_field_is_refused(runs: ExperimentTracker, order_by: Any) -> None:
    with pytest.raises(
        InvalidValueError, match=r"order_by .* is not a field; give one, such as '-created_at'"
    ):
        runs.search_runs(order_by=order_by)


def test_a_search_returns_whole_records(runs: ExperimentTracker) -> None:
    (run,) = runs.search_runs("status == 'completed'")
    assert run == runs.record("run_001")
    assert run.summary["auc"].max == 0.9


def test_an_unknown_or_ambiguous_name_is_an_error(runs: ExperimentTracker) -> None:
    with pytest.raises(QueryError, match=r"no run has a parameter, metric or tag 'acu'; did you mean auc\?"):
        runs.search_runs("acu > 1")
    with pytest.raises(QueryError, match=r"write params\.threshold or metrics\.threshold"):
        runs.search_runs("threshold > 1")
    with pytest.raises(QueryError):
        runs.search_runs("auc >")
    assert found(runs, "params.threshold > 1 and metrics.threshold == 1.5") == ["run_002", "run_003"]


def test_a_name_is_known_by_the_whole_store_and_forgotten_with_its_last_run(runs: ExperimentTracker) -> None:
    runs.log_params("run_004", {"dropout": 0.5})
    assert found(runs, "dropout > 0", experiment_name="x") == []
    runs.delete_run("run_004")
    with pytest.raises(QueryError, match="no run has a parameter, metric or tag 'dropout'"):
        runs.search_runs("dropout > 0")


def test_columns_are_the_values_of_what_was_found(runs: ExperimentTracker) -> None:
    catalog = Catalog(Store(runs.base_dir))
    fields = [parse_field(text) for text in ("status", "params.lr", "auc.max", "tags.team", "model.hidden")]
    ids, columns = catalog.columns(fields, pytest.fail, text="auc > 0", order_by="-auc")
    assert ids == ["run_002", "run_001"]
    assert list(columns) == fields
    assert list(columns.values()) == [
        ["running", "completed"],
        [0.01, 0.1],
        [0.7, 0.9],
        ["team_0", "team_1"],
        [[2, 64], [1, 64]],
    ]


def test_names_are_those_of_the_experiment(runs: ExperimentTracker) -> None:
    catalog = Catalog(Store(runs.base_dir))
    names = catalog.names("y")
    assert names.metrics == frozenset()
    assert names.params == {"lr", "model", "threshold"}
    assert names.tags == {"team"}
    assert catalog.names().metrics == {"auc", "threshold"}


def test_a_store_of_many_runs_is_searched_by_columns(tracker: ExperimentTracker) -> None:
    for number in range(600):
        run_id = tracker.create_run("x")
        tracker.log_params(run_id, {"n": number, **({"odd": True} if number % 2 else {})})
        tracker.log_metrics(run_id, {"auc": number / 600})
    assert found(tracker, "n > 597 and odd") == ["run_600"]
    assert found(tracker, "n in [0, 599] or odd and n < 2", order_by="-auc") == [
        "run_600",
        "run_002",
        "run_001",
    ]
    frame = tracker.compare_runs([run.run_id for run in tracker.search_runs()])
    assert list(frame.columns[4:]) == ["n", "odd", "auc"]
    assert list(frame["n"]) == list(range(600))
    assert math.isnan(frame["odd"][0])
    assert frame["odd"][1] is True
