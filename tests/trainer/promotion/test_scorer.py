"""The scorer of the gate predicts the rows that decide, as the model's own evaluation and its user would."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from saved_models import TARGETS, customers, save

from tracking.gate.judgement import values_of_rows
from tracking.gate.rules import gate_settings
from tracking.gate.scores import scores_of
from trainer import DataError, LoadError, load_model
from trainer.promotion import score
from trainer.saved_model import SIDECAR

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


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx"])
def test_columns_that_the_training_table_lacks_are_read_from_the_file(
    table: Path, tmp_path: Path, suffix: str
) -> None:
    model = save(tmp_path / "m", table, missing_target="skip")
    file = tmp_path / f"rows.{suffix}"
    rows = customers(60, seed=5)
    write(rows, file)
    plain = score(model, str(file))
    write(rows.assign(household="a"), file)
    assert score(model, str(file))["split"]["hash"] == plain["split"]["hash"]  # as no model reads it
    rows.insert(0, "household", [None if row == 7 else f"0{row % 9}" for row in range(60)])
    rows["user"] = np.arange(60) + 2**60
    rows["joined"] = pd.date_range("2026-01-01", periods=60)
    rows.loc[5, "churned"] = None  # a row without a target is left out of these columns as well
    write(rows, file)
    columns, left = score(model, str(file))["columns"], rows.drop(index=5)
    assert {*columns} == {*plain["columns"], "household", "user", "joined"}
    assert len(columns) == len([*columns])
    assert columns["household"].tolist() == [None if pd.isna(each) else each for each in left.household]
    assert len({*columns["joined"]}) == 59
    if suffix != "xlsx":  # whose numbers have 15 digits
        assert columns["user"].tolist() == left.user.astype(str).tolist()
    with pytest.raises(KeyError):
        columns["nowhere"]


def test_rows_in_another_order_and_file_are_the_same_to_the_gate(table: Path, tmp_path: Path) -> None:
    model = save(tmp_path / "m", table, weight_column="visits")
    rows = customers(80, seed=5)
    rows["household"] = [f"h{row % 9}" for row in range(80)]
    settings = gate_settings({"cluster": "household", "rules": {"slices": {"plan": 0.1}}})

    def told(given: pd.DataFrame, name: str) -> tuple[str, str | None]:
        write(given, tmp_path / name)
        scores = scores_of(score(model, str(tmp_path / name)), "the hash of the file")
        return scores.split_hash, values_of_rows(scores, settings)

    first = told(rows, "a.csv")
    turned = rows.sample(frac=1, random_state=0)
    assert told(turned, "b.csv") == told(turned, "c.parquet") == first
    other = told(turned.assign(household="h1"), "d.csv")
    assert other[0] == first[0]  # which no column tells that the training table lacks
    assert other[1] != first[1]


def write(rows: pd.DataFrame, file: Path) -> None:
    {
        ".csv": lambda: rows.to_csv(file, index=False),
        ".parquet": lambda: rows.to_parquet(file),
        ".xlsx": lambda: rows.to_excel(file, index=False),
    }[file.suffix]()


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


def test_rows_of_weight_0_neither_hide_training_rows_nor_make_another_split(
    table: Path, tmp_path: Path
) -> None:
    model = save(tmp_path / "m", table, promotion_fraction=0.5, weight_column="visits")
    splits, _, _ = load_model(model).read_again()
    assert splits.rows is not None
    whole = pd.read_csv(table, dtype=str, keep_default_na=False)
    trained = whole.loc[splits.rows[0][:20]].assign(visits="1")
    file = tmp_path / "rows.csv"
    trained.to_csv(file, index=False)
    bare = score(model, str(file))
    fresh = customers(400, seed=5).astype(str).assign(visits="0")
    pd.concat([fresh, trained]).to_csv(file, index=False)
    padded = score(model, str(file))
    assert len(padded["weight"]) == 420
    assert padded["trained_on"] == bare["trained_on"]
    assert padded["trained_on"]["share"] == 1
    assert padded["split"]["hash"] == bare["split"]["hash"]


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
