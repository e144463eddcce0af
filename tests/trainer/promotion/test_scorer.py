"""The scorer of the gate predicts the rows that decide, as the model's own evaluation and its user would."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import own_models
import pandas as pd
import pytest
from own_scores import profit
from saved_models import TARGETS, customers, save

from trainer import DataError, LoadError, load_model
from trainer.data.load import load
from trainer.data.tensors import Splits
from trainer.models.network import build_module
from trainer.promotion import score
from trainer.saved_model import SIDECAR, save_model

ROWS = 1500


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "customers.csv"
    customers(ROWS).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module", params=[*TARGETS])
def model(request: pytest.FixtureRequest, table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a model of each task, which keeps half of its 300 test rows."""
    return save(tmp_path_factory.mktemp("model"), table, request.param, promotion_fraction=0.5)


def test_each_task_is_scored_on_the_rows_that_its_loader_keeps(model: Path, table: Path) -> None:
    found = score(model)
    predictor = load_model(model)
    splits, labels, targets = predictor.read_again()
    kept = pd.read_csv(table).loc[found["row"]]
    assert found["row"].tolist() == splits.rows[3].tolist()  # type: ignore[index]
    assert np.allclose(predictor.predict(kept), found["prediction"], atol=1e-6)
    assert found["prediction"].dtype == np.float64
    assert np.array_equal(found["target"], targets[3])
    assert found["task"] == labels.task
    assert found.get("classes", []) == [*predictor.classes]
    assert "threshold" not in found  # so that accuracy is that of the logged metrics, at one half
    assert found["split"]["name"].startswith("the promotion rows")
    assert "trained_on" not in found


def test_the_loss_is_the_one_that_the_trainer_logs(model: Path) -> None:
    found = score(model)
    predictor = load_model(model)
    test = score_of_test_rows(model)
    logged = predictor.evaluate().loss
    assert found["measures"]["loss"](test["target"], test["prediction"]) == pytest.approx(logged, rel=1e-5)
    weight = np.ones(len(test["target"]))
    assert found["measures"]["loss"](test["target"], test["prediction"], weight) == pytest.approx(
        logged, rel=1e-5
    )


def score_of_test_rows(model: Path) -> Mapping[str, Any]:
    """Score the test rows of a model by giving them as a file."""
    predictor = load_model(model)
    splits, _, _ = predictor.read_again()
    rows = pd.read_csv(predictor.data["path"]).loc[splits.rows[2]]  # type: ignore[index]
    file = model / "test_rows.csv"
    rows.to_csv(file, index=False)
    return score(model, str(file))


def test_a_row_alone_is_predicted_from_what_its_columns_held(model: Path) -> None:
    found = score(model)
    alone = np.concatenate([found["predict_one"](row) for row in range(60)])
    assert np.allclose(alone, found["prediction"][:60], atol=1e-6)


def test_columns_are_read_by_name_whether_the_model_uses_them_or_not(model: Path, table: Path) -> None:
    found = score(model)
    kept, columns = pd.read_csv(table, dtype=str, keep_default_na=False).loc[found["row"]], found["columns"]
    assert columns["customer"].tolist() == kept.customer.tolist()
    assert columns["plan"].tolist() == kept.plan.tolist()
    assert columns["visits"].tolist() == kept.visits.astype(float).tolist()
    assert columns["zip"].tolist() == kept.zip.tolist()
    day, month, year = zip(*kept.since.str.split("/"), strict=True)
    assert columns["since"].tolist() == [f"{y}-{m}-{d}" for d, m, y in zip(day, month, year, strict=True)]
    assert np.isnan(columns["total"]).sum() == (kept.total == " ").sum() > 0
    assert {*columns} == {*kept.columns}
    with pytest.raises(KeyError):
        columns["nowhere"]


def test_the_rows_have_one_identity_whatever_the_model_uses_of_them(table: Path, tmp_path: Path) -> None:
    base: dict[str, Any] = {"promotion_fraction": 0.5}
    others = [
        {"drop": ["plan", "spent", "visits"]},
        {"categorical": ["visits"]},
        {"numeric_transform": "standard"},
        {"folds": 3, "fold": 1},
        {"val_fraction": 0.3},
    ]
    first = score(save(tmp_path / "a", table, **base))
    for number, other in enumerate(others):
        again = score(save(tmp_path / str(number), table, seed=number, **{**base, **other}))
        assert again["split"] == first["split"]
        assert np.array_equal(again["row"], first["row"])
        assert np.array_equal(again["target"], first["target"])
    changed = [{"data_seed": 1}, {"promotion_fraction": 0.6}, {"weight_column": "visits"}]
    for number, other in enumerate(changed):
        again = score(save(tmp_path / f"c{number}", table, **{**base, **other}))
        assert again["split"]["hash"] != first["split"]["hash"]


def test_weights_of_rows_are_handed_on_as_they_were_read(table: Path, tmp_path: Path) -> None:
    found = score(save(tmp_path / "m", table, promotion_fraction=0.5, weight_column="visits"))
    assert found["weight"].tolist() == pd.read_csv(table).visits[found["row"]].tolist()


def test_a_changed_row_or_target_is_refused_and_another_identity_in_a_file(
    table: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.csv"
    shutil.copy(table, own)
    model = save(tmp_path / "m", own, promotion_fraction=0.5)
    before = score(model)
    rows = pd.read_csv(own).loc[before["row"]]
    hashes = set()
    for name, change in {
        "as_it_is": {},
        "a_value": {"visits": 49},
        "a_target": {"churned": "yes" if rows.churned.iloc[0] == "no" else "no"},
    }.items():
        changed = rows.copy()
        for column, value in change.items():
            changed.loc[changed.index[0], column] = value
        file = tmp_path / f"{name}.csv"
        changed.to_csv(file, index=False)
        hashes.add(score(model, str(file))["split"]["hash"])
    assert len(hashes) == 3
    whole = pd.read_csv(own, dtype=str, keep_default_na=False)
    whole.loc[before["row"][0], "visits"] = "49.5"
    whole.to_csv(own, index=False)
    with pytest.raises(LoadError, match=r"the data changed since training: .*; give promotion\.split=FILE"):
        score(model)


def test_where_none_are_kept_the_test_rows_decide_and_their_name_says_it(table: Path, tmp_path: Path) -> None:
    without = score(save(tmp_path / "m", table))
    assert len(without["row"]) == 300
    assert without["split"]["name"] == (
        "the test rows, whose figures the sweep has shown, but by which it chose nothing"
    )
    customers(200).to_csv(tmp_path / "few.csv", index=False)
    few = score(save(tmp_path / "n", tmp_path / "few.csv", promotion_fraction=0.5))
    assert len(few["row"]) == 40
    assert "the test rows (too few to keep data.promotion_fraction=0.5 of them)" in few["split"]["name"]


def test_a_file_that_holds_training_rows_is_found_out(model: Path, table: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.csv"
    customers(300, seed=9).to_csv(fresh, index=False)
    found = score(model, str(fresh))
    assert found["trained_on"] == {"share": 0.0, "expected": 0.0, "rows": 300.0}
    assert found["split"]["name"] == "the file fresh.csv"
    assert score(model, str(table))["trained_on"]["share"] == pytest.approx(0.6, abs=0.01)
    some = pd.concat([pd.read_csv(fresh, dtype=str), pd.read_csv(table, dtype=str).head(300)])
    some.to_csv(tmp_path / "some.csv", index=False)
    assert 0.25 < score(model, str(tmp_path / "some.csv"))["trained_on"]["share"] < 0.35


def test_duplicates_are_told_from_leaks_by_how_many_the_training_rows_have(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for name in ("old.csv", "new.csv"):
        few = {
            "x": draw.integers(0, 12, 900),
            "spent": draw.integers(0, 90, 900) / 4,
            "kind": draw.choice(["a", "b"], 900),
        }
        pd.DataFrame(few).to_csv(tmp_path / name, index=False)
    section = {"target": "spent", "drop": [], "categorical": ["kind"]}
    model = save(tmp_path / "m", tmp_path / "old.csv", "regression", **section)
    leaks = score(model, str(tmp_path / "new.csv"))["trained_on"]
    assert leaks["expected"] == pytest.approx(leaks["share"], abs=0.06)
    assert 0.05 < leaks["share"] < 0.9


def test_without_the_training_data_a_file_is_scored_and_what_is_not_known_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own, fresh = tmp_path / "own.csv", tmp_path / "fresh.csv"
    customers(300).to_csv(own, index=False)
    customers(200, seed=4).to_csv(fresh, index=False)
    model = save(tmp_path / "m", own)
    own.unlink()
    found = score(model, str(fresh))
    assert "trained_on" not in found
    assert len(found["prediction"]) == 200
    assert "whether rows of the file fresh.csv are among the training rows is not known" in caplog.text
    with pytest.raises(
        DataError, match=r"the rows that the trainer kept cannot be read: the data of data\.path"
    ):
        score(model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="churned"), r"split=.*new\.csv: .*churned"),
        (lambda t: t.drop(columns="visits"), r"split=.*new\.csv: .*visits"),
        (
            lambda t: t.assign(churned=t.churned.where(t.index > 2)),
            r"target 'churned' is missing in 3 of 200 rows \(rows 1, 2, 3\)",
        ),
        (
            lambda t: t.assign(churned=t.churned.where(t.index != 4, "maybe")),
            r"column 'churned' is used as true or false but holds 'maybe' in row 5",
        ),
        (lambda t: t.assign(visits="many"), r"column 'visits' is used as numeric but holds 'many' in row 1"),
        (None, r"nowhere\.csv"),
    ],
)
def test_a_file_that_cannot_decide_is_refused_with_its_fault(
    table: Path, tmp_path: Path, change: Any, message: str
) -> None:
    model, file = save(tmp_path / "m", table), tmp_path / "new.csv"
    if change is None:
        file = tmp_path / "nowhere.csv"
    else:
        change(customers(200, seed=3)).to_csv(file, index=False)
    with pytest.raises(DataError, match=message):
        score(model, str(file))


def test_a_class_that_the_model_does_not_know_is_refused_with_its_rows(table: Path, tmp_path: Path) -> None:
    new = customers(200, seed=3)
    new.loc[[4, 7], "plan"] = "platinum"
    new.to_csv(tmp_path / "new.csv", index=False)
    message = r"target 'plan' holds 'platinum' in 2 of 200 rows \(rows 5, 8\), which is no class of the model; it knows 'basic', 'free'"
    with pytest.raises(DataError, match=message):
        score(save(tmp_path / "m", table, "multiclass"), str(tmp_path / "new.csv"))


def test_rows_without_a_target_are_left_out_of_a_file_as_they_were_in_training(
    table: Path, tmp_path: Path
) -> None:
    new = customers(200, seed=3)
    new.loc[[4, 7], "churned"] = None
    new.to_csv(tmp_path / "new.csv", index=False)
    found = score(save(tmp_path / "m", table, missing_target="skip"), str(tmp_path / "new.csv"))
    assert found["row"].tolist() == [each for each in range(200) if each not in (4, 7)]


def test_a_file_of_another_format_gives_the_same_predictions(model: Path, tmp_path: Path) -> None:
    new = customers(200, seed=3)
    new.to_csv(tmp_path / "new.csv", index=False)
    pd.read_csv(tmp_path / "new.csv", dtype=str, keep_default_na=False).to_parquet(tmp_path / "new.parquet")
    text, typed = (score(model, str(tmp_path / f"new.{each}")) for each in ("csv", "parquet"))
    assert np.array_equal(text["prediction"], typed["prediction"])
    assert np.array_equal(text["target"], typed["target"])


def test_one_class_against_the_rest_takes_any_other_class(table: Path, tmp_path: Path) -> None:
    section = {"target": "plan", "drop": ["churned", "spent"], "positive": "gold"}
    new = customers(200, seed=3)
    new.loc[3, "plan"] = "platinum"
    new.to_csv(tmp_path / "new.csv", index=False)
    found = score(save(tmp_path / "m", table, **section), str(tmp_path / "new.csv"))
    assert found["target"].tolist() == (new.plan == "gold").astype(int).tolist()


def own(folder: Path, *, config: str | None = None) -> Path:
    """Save a model of the user's own loader and class, with the config of its run."""
    section = {"_target_": "own_models.load_data", "dataset": "own", "rows": 200}
    data = load(section)
    module, spec = build_module({"_target_": "own_models.Tiny"}, data.shape, seed=0, outputs=1)
    folder.mkdir()
    save_model(folder, module, spec=spec, section=section, data=data, threshold=0.5)
    if config is not None:
        (folder / "config.yaml").write_text(config)
    return folder


def test_code_of_the_users_is_only_called_if_it_is_allowed(tmp_path: Path) -> None:
    model = own(tmp_path / "m")
    with pytest.raises(LoadError, match=r"own_models\.Tiny is not in an allowed package"):
        score(model)
    with pytest.raises(LoadError, match=r"own_models\.load_data is not in an allowed package"):
        score(model, allow=["own_models.Tiny"])
    found = score(model, allow=["own_models"])
    assert len(found["prediction"]) == 40
    assert found["predict_one"](3).shape == (1,)
    assert found["columns"]["x"].dtype == np.float32
    assert np.allclose(found["predict_one"](3), found["prediction"][3])


def test_the_content_identifies_rows_that_are_in_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = own(tmp_path / "m")
    first, again = (score(model, allow=["own_models"])["split"]["hash"] for _ in range(2))
    assert first == again
    made = own_models.load_data

    def moved(*, rows: int) -> Splits:
        splits = made(rows=rows)
        splits.tables[2]["x"][0] += 0.5
        return splits

    moved.__module__, moved.__qualname__, moved.__name__ = "own_models", "load_data", "load_data"
    monkeypatch.setattr(own_models, "load_data", moved)
    with pytest.raises(LoadError, match="the data changed since training"):
        score(model, allow=["own_models"])
    sidecar = json.loads((model / SIDECAR).read_text())
    other = own(tmp_path / "n")
    assert json.loads((other / SIDECAR).read_text())["fingerprint"] != sidecar["fingerprint"]
    assert score(other, allow=["own_models"])["split"]["hash"] != first


def test_labelled_rows_of_a_file_decide_for_a_loader_without_a_reader(tmp_path: Path) -> None:
    model, file = own(tmp_path / "m"), tmp_path / "rows.csv"
    pd.DataFrame({"x": [-0.5, 0.25, 0.75], "y": [0, 1, 1], "more": list("abc")}).to_csv(file, index=False)
    found = score(model, str(file), allow=["own_models"])
    assert found["target"].tolist() == [0, 1, 1]
    assert np.allclose(found["predict_one"](1), found["prediction"][1])
    assert found["trained_on"]["share"] == 0
    assert found["columns"]["more"].tolist() == ["a", "b", "c"]
    pd.DataFrame({"x": [0.5], "y": ["two"]}).to_csv(file, index=False)
    with pytest.raises(DataError, match=r"target 'y' holds 'two' in 1 of 1 rows"):
        score(model, str(file), allow=["own_models"])
    pd.DataFrame({"x": [0.5, 0.2], "z": [1, 2]}).to_csv(file, index=False)
    with pytest.raises(
        DataError, match=r"rows\.csv lacks columns the model was trained on: y; its columns are x, z"
    ):
        score(model, str(file), allow=["own_models"])


def test_own_metrics_of_the_run_are_measures_if_their_functions_are_allowed(tmp_path: Path) -> None:
    config = (
        "metrics:\n  profit:\n    _target_: own_scores.profit\n    win: 3.0\n  off: null\n"
        "  right:\n    _target_: own_scores.share_right\n  odd:\n    _target_: no_such.thing\n"
    )
    model = own(tmp_path / "m", config=config)
    assert [*score(model, allow=["own_models"])["measures"]] == ["loss"]
    found = score(model, allow=["own_models", "own_scores"])
    assert [*found["measures"]] == ["loss", "profit", "right"]
    target, prediction = found["target"], found["prediction"]
    assert found["measures"]["profit"](target, prediction) == profit(target, prediction, win=3.0)
    weight = np.linspace(1, 2, len(target))
    weighted = profit(target, prediction, win=3.0, weights=weight)
    assert found["measures"]["profit"](target, prediction, weight) == weighted
    assert found["measures"]["right"](target, prediction) == (target == (prediction > 0.5)).mean()


@pytest.mark.parametrize(
    "how",
    [
        {"time_column": "since"},
        {"group_column": "zip"},
        {"folds": 3, "fold": 2},
        {"cache": "always"},
        {"cache": "always", "group_column": "zip", "weight_column": "visits"},
    ],
)
def test_each_kind_of_split_is_scored_from_its_own_rows(
    table: Path, tmp_path: Path, how: dict[str, Any]
) -> None:
    model = save(tmp_path / "m", table, promotion_fraction=0.5, **how)
    found = score(model)
    predictor = load_model(model)
    splits, _, _ = predictor.read_again()
    assert splits.keeps_some
    rows = pd.read_csv(table).loc[found["row"]]
    assert found["row"].tolist() == splits.rows[3].tolist()  # type: ignore[index]
    assert np.allclose(predictor.predict(rows), found["prediction"], atol=1e-6)
    assert (rows.churned == "yes").astype(int).tolist() == found["target"].tolist()
    assert found["columns"]["zip"].tolist() == [f"0{each}" for each in rows.zip]
    assert np.allclose(found["predict_one"](5), found["prediction"][5], atol=1e-6)
    leaks = score(model, str(table))["trained_on"]
    assert leaks["share"] == pytest.approx(len(splits.targets[0]) / ROWS, abs=0.01)


def test_a_part_of_a_test_file_decides(table: Path, tmp_path: Path) -> None:
    test = customers(400, seed=7)
    test.to_csv(tmp_path / "test.csv", index=False)
    model = save(tmp_path / "m", table, promotion_fraction=0.5, test_path=str(tmp_path / "test.csv"))
    found = score(model)
    assert len(found["row"]) == 200
    assert found["target"].tolist() == (test.churned[found["row"]] == "yes").astype(int).tolist()
    assert np.allclose(load_model(model).predict(test.loc[found["row"]]), found["prediction"], atol=1e-6)


def test_a_model_from_before_there_were_promotion_rows_is_evaluated_as_it_was(
    table: Path, tmp_path: Path
) -> None:
    model = save(tmp_path / "m", table)
    assert "promotion_fraction" not in json.loads((model / SIDECAR).read_text())["data"]
    assert len(load_model(model).evaluate().target) == 300
