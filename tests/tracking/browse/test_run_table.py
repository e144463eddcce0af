"""The table of runs, a window at a time."""

import math
from pathlib import Path
from typing import Any

import pytest
from plain_json import assert_plain

from tracking import ExperimentTracker, QueryError, RunStatus
from tracking.browse.reader import StoreReader
from tracking.errors import InvalidValueError
from tracking.search.index import View


def column(table: dict[str, Any], name: str) -> list[Any]:
    return list(table["values"][[each["name"] for each in table["columns"]].index(name)])


@pytest.fixture
def runs(tracker: ExperimentTracker) -> ExperimentTracker:
    for number in range(1, 8):
        with tracker.start_run("ctr_model", params={"lr": 10.0**-number, "seed": number % 2}) as run:
            run.log({"val_auc": 0.5 + number / 100}, step=0)
            run.log({"val_auc": 0.5}, step=1)
    return tracker


def test_a_window_holds_the_rows_that_were_asked_for(runs: ExperimentTracker, reader: StoreReader) -> None:
    table = reader.table(columns=["status", "lr", "val_auc.max"], offset=2, limit=3)
    assert (table["total"], table["matching"], table["offset"]) == (7, 7, 2)
    assert table["run_ids"] == ["run_003", "run_004", "run_005"]
    assert column(table, "val_auc.max") == [0.53, 0.54, 0.55]
    assert table["columns"][2] == {
        "name": "val_auc.max",
        "label": "val_auc (max)",
        "kind": "metric",
        "numeric": True,
    }
    assert [each["numeric"] for each in table["columns"]] == [False, True, True]
    assert reader.table(offset=7)["run_ids"] == []


def test_a_filter_and_an_order_choose_the_rows(runs: ExperimentTracker, reader: StoreReader) -> None:
    table = reader.table(text="lr < 1e-3", sort=["-val_auc.max"], limit=2)
    assert (table["total"], table["matching"]) == (7, 4)
    assert table["run_ids"] == ["run_007", "run_006"]


@pytest.mark.parametrize("by_seeds", [False, True])
def test_names_in_a_filter_that_no_run_has_are_told(
    runs: ExperimentTracker, reader: StoreReader, by_seeds: bool
) -> None:
    table = reader.table(text="params.leer > 1 and metrics.val_auc > 0 or tags.x == 'y'", by_seeds=by_seeds)
    assert (table["matching"], table["run_ids"]) == (0, [])
    assert table["warnings"] == ["no run has params.leer; did you mean lr?", "no run has tags.x"]
    assert reader.table(text="lr > 1 or params.seed > 0", by_seeds=by_seeds)["warnings"] == []
    assert reader.table(by_seeds=by_seeds)["warnings"] == []


def test_a_filter_that_is_malformed_is_refused_with_the_place(reader: StoreReader) -> None:
    with pytest.raises(QueryError, match=r"(?s)\^"):
        reader.table(text="lr <")


def test_plain_pages_read_no_other_runs(
    runs: ExperimentTracker, reader: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("all runs were read")

    monkeypatch.setattr(View, "numbers", refuse)
    assert reader.table(limit=2, offset=2)["run_ids"] == ["run_003", "run_004"]
    assert reader.table(sort=["-run_id"], limit=2)["run_ids"] == ["run_007", "run_006"]
    assert reader.table(sort=["run_id"], limit=2, experiment="other")["run_ids"] == []


@pytest.mark.parametrize("window", [{"offset": -1}, {"limit": 5001}, {"limit": -1}, {"limit": 1.5}])
def test_a_window_that_is_none_is_refused(reader: StoreReader, window: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match="is no number of rows"):
        reader.table(**window)


def test_a_column_that_no_run_has_is_empty(runs: ExperimentTracker, reader: StoreReader) -> None:
    table = reader.table(columns=["gone", "lr"], limit=2)
    assert table["columns"][0]["kind"] == "unknown"
    assert table["values"] == [[None, None], [0.1, 0.01]]


def test_a_table_without_chosen_columns_shows_what_says_most(
    runs: ExperimentTracker, reader: StoreReader
) -> None:
    assert reader.names()["suggested"] == [
        *("status", "experiment", "created_at", "duration_s", "val_auc.max", "lr", "seed")
    ]
    assert [each["name"] for each in reader.table()["columns"]] == reader.names()["suggested"]


def test_a_parameter_that_all_runs_share_is_not_suggested(
    tracker: ExperimentTracker, reader: StoreReader
) -> None:
    for lr in (0.1, 0.2):
        with tracker.start_run("ctr_model", params={"lr": lr, "epochs": 5, "name": None}):
            pass
    assert reader.names()["suggested"][-1] == "lr"


def test_names_say_what_a_store_has(runs: ExperimentTracker, reader: StoreReader) -> None:
    with runs.start_run("other", tags={"team": "ml"}) as run:
        run.log({"loss": 1.0})
    names = reader.names()
    assert (names["params"], names["metrics"], names["tags"]) == (
        ["lr", "seed"],
        ["loss", "val_auc"],
        ["team"],
    )
    assert names["experiments"] == [{"name": "ctr_model", "runs": 7}, {"name": "other", "runs": 1}]
    assert names["total"] == 8
    assert names["varying"] == ["lr", "seed"]
    assert reader.names("other")["metrics"] == ["loss"]


def test_runs_that_differ_in_their_seed_are_one_row(tracker: ExperimentTracker, reader: StoreReader) -> None:
    for lr in (0.1, 0.2):
        for seed in (1, 2, 3):
            with tracker.start_run("ctr_model", params={"lr": lr, "seed": seed}) as run:
                run.log({"auc": lr + seed / 10})
    table = reader.table(columns=["lr", "seed", "auc", "status"], sort=["-auc"], by_seeds=True)
    assert (table["total"], table["matching"]) == (6, 2)
    assert table["groups"][0] == {"run_ids": ["run_004", "run_005", "run_006"], "n": 3}
    assert column(table, "lr") == [0.2, 0.1]
    assert column(table, "seed") == ["1, 2, 3", "1, 2, 3"]
    assert column(table, "status") == ["completed", "completed"]
    (best, _) = column(table, "auc")
    assert best["n"] == 3
    assert best["mean"] == pytest.approx(0.4)
    assert best["std"] == pytest.approx(0.1)
    assert [each["numeric"] for each in table["columns"]] == [True, False, True, False]


def test_only_completed_runs_make_the_mean_of_a_group(
    tracker: ExperimentTracker, reader: StoreReader
) -> None:
    for seed, status in enumerate([RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.COMPLETED]):
        run_id = tracker.create_run("ctr_model")
        tracker.log_params(run_id, {"seed": seed})
        tracker.log_metrics(run_id, {"auc": float(seed)})
        tracker.finish_run(run_id, status)
    (cell,) = column(reader.table(columns=["auc"], by_seeds=True), "auc")
    assert (cell["mean"], cell["n"]) == (1.0, 2)


def test_values_that_browsers_lack_are_text(tracker: ExperimentTracker, reader: StoreReader) -> None:
    with tracker.start_run(
        "ctr_model", params={"big": 2**60, "odd": math.nan, "long": "x" * 5000, "deep": {"a": [math.inf]}}
    ) as run:
        run.log({"loss": math.nan})
    table = reader.table(columns=["big", "odd", "long", "deep", "loss", "created_at"])
    assert_plain(table)
    assert table["values"][0] == [str(2**60)]
    assert table["values"][1] == ["NaN"]
    assert table["values"][2] == ["x" * 1000 + "..."]
    assert table["values"][3] == [{"a": ["Infinity"]}]
    assert table["values"][4] == ["NaN"]


def test_a_damaged_run_is_left_out_with_the_reason(
    runs: ExperimentTracker, reader: StoreReader, base: Path
) -> None:
    (base / "runs/run_002/run.json").write_text("{")
    table = reader.table()
    assert "run_002" not in table["run_ids"]
    assert [each["run_id"] for each in table["left_out"]] == ["run_002"]
    assert "run.json" in table["left_out"][0]["why"]


def settled(reader: StoreReader) -> str:
    """Return the version once nothing changes: what changed within a tick of the clock is read twice."""
    while (version := reader.version()) != reader.version():
        pass
    return version


def test_the_version_changes_with_what_runs_log(tracker: ExperimentTracker, reader: StoreReader) -> None:
    run = tracker.start_run("ctr_model")
    run.log({"loss": 1.0})
    known = settled(reader)
    assert reader.table()["version"] == known
    run.log({"loss": 0.5})
    assert reader.version() != known
    assert column(reader.table(columns=["loss"]), "loss") == [0.5]
    known = settled(reader)
    run.finish()
    assert reader.version() != known
    with tracker.start_run("ctr_model"):
        pass
    assert len(reader.table()["run_ids"]) == 2


def test_the_version_stays_while_nothing_happens(runs: ExperimentTracker, reader: StoreReader) -> None:
    known = settled(reader)
    assert {reader.version() for _ in range(20)} == {known}


def test_a_store_of_other_code_has_a_table(write_plain_store: Any, reader: StoreReader) -> None:
    write_plain_store(3, nan=True)
    table = reader.table(columns=["status", "learning_rate", "val_auc", "odd"])
    assert_plain(table)
    assert table["run_ids"] == ["run_001", "run_002", "run_003"]
    assert column(table, "odd") == ["NaN"] * 3


def test_an_empty_folder_is_an_empty_table(reader: StoreReader) -> None:
    assert reader.table()["run_ids"] == []
    assert reader.names()["total"] == 0
    assert reader.models()["models"] == []


def test_names_with_markup_are_data(tracker: ExperimentTracker, reader: StoreReader) -> None:
    name = "<script>alert(1)</script>"
    with tracker.start_run(name, params={"a b": name, "x": 1}, tags={"t": "</script>"}) as run:
        run.log({"val/auc": 1.0})
    names = reader.names()
    assert names["experiments"][0]["name"] == name
    table = reader.table(columns=[*names["suggested"], "params['a b']", "val/auc", "tags.t"])
    assert column(table, "params['a b']") == [name]
    assert column(table, "val/auc") == [1.0]


def test_a_name_that_is_both_a_parameter_and_a_metric_has_a_label_that_tells(
    tracker: ExperimentTracker, reader: StoreReader
) -> None:
    with tracker.start_run("ctr_model", params={"lr": 1}) as run:
        run.log({"lr": 0.5})
    table = reader.table(columns=["params.lr", "metrics.lr"])
    assert [each["label"] for each in table["columns"]] == ["lr (param)", "lr (metric)"]
    assert table["values"] == [[1], [0.5]]


def test_text_that_no_file_holds_finds_nothing(runs: ExperimentTracker, reader: StoreReader) -> None:
    odd = "\udcff"
    table = reader.table(text=f"description == '{odd}'", experiment=odd, columns=[f"params['{odd}']"])
    assert (table["run_ids"], table["matching"]) == ([], 0)
    assert reader.names(odd)["metrics"] == []
