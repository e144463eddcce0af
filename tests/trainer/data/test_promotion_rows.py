"""Rows are kept for the gate that promotes models: disjoint from all others, the same whatever else differs."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data import adult, breast_cancer, ctr
from trainer.data.division import FEWEST_KEPT, Folds, Way
from trainer.data.encoding import prepared
from trainer.data.inspection import Inspection
from trainer.data.load import how_encoded, load, read_splits
from trainer.data.table import load as read_table
from trainer.data.tensors import Splits, fingerprint, labelled
from trainer.errors import DataError

SECTION = {
    "target": "y",
    "val_fraction": 0.15,
    "test_fraction": 0.4,
    "data_seed": 0,
    "promotion_fraction": 0.5,
}
ROWS = 1200


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 1,200 visits of 200 people over 300 days, each with a number of its own."""
    draw = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "row": np.arange(ROWS) + 0.25,
            "person": [f"p{each}" for each in draw.integers(0, 200, ROWS)],
            "day": (np.datetime64("2024-01-01") + draw.integers(0, 300, ROWS)).astype(str),
            "x": draw.normal(size=ROWS).round(3),
            "kind": draw.choice(["a", "b", "c"], ROWS),
            "count": draw.integers(0, 4, ROWS),
            "y": np.where(draw.random(ROWS) < 0.3, "yes", "no"),
        }
    )
    path = tmp_path_factory.mktemp("data") / "visits.csv"
    table.to_csv(path, index=False)
    return path


def read(path: Path, **changes: Any) -> Splits:
    return read_table(path=str(path), **{**SECTION, **changes})


def numbers(splits: Splits) -> list[list[int]]:
    """Return which rows of the file each split holds, by the column that says it."""
    return [np.floor(np.asarray(table["row"], float)).astype(int).tolist() for table in splits.tables]


strata = st.sampled_from([1, 2, 3]).flatmap(
    lambda kinds: st.lists(st.integers(0, kinds - 1), min_size=20, max_size=900)
)


@given(
    strata,
    st.sampled_from(["ratio", "time", "group"]),
    st.sampled_from([None, 2, 4]),
    st.sampled_from([0.1, 0.4, 0.7]),
    st.sampled_from([0.0, 0.3, 0.5, 0.9]),
    st.integers(0, 2),
)
def test_no_row_is_in_two_parts_and_none_is_lost(
    classes: list[int], how: str, folds: int | None, test: float, promotion: float, seed: int
) -> None:
    count = len(classes)
    draw = np.random.default_rng(seed)
    together = draw.integers(0, max(count // 3, 8), count)
    kinds: dict[str, dict[str, Any]] = {
        "ratio": {},
        "time": {"times": together.astype(float)},
        "group": {"groups": together},
    }
    target = np.array(classes, float)
    fold = None if folds is None else Folds(folds, 1)
    before = Way(0.2, test, seed, fold, **kinds[how])
    try:
        whole = before.divide(target).rows
    except DataError:
        return
    found = Way(0.2, test, seed, fold, promotion=promotion, **kinds[how]).divide(target).rows
    assert [each.tolist() for each in found[:2]] == [each.tolist() for each in whole[:2]]
    placed = np.concatenate(found)
    assert len(placed) == len(set(placed.tolist()))
    assert sorted(np.concatenate(found[2:]).tolist()) == sorted(whole[2].tolist())
    if len(found) == 3:
        return
    assert promotion
    assert len(found[3]) >= FEWEST_KEPT
    kept, tested = found[3], found[2]
    assert len(tested)
    if how == "ratio":
        assert abs(len(kept) - promotion * len(whole[2])) <= len(set(classes))
    if how == "time":
        assert together[tested].max() < together[kept].min()
    if how == "group":
        assert not set(together[tested]) & set(together[kept])
    if len(set(target[whole[2]])) == 2:
        assert set(target[tested]) == set(target[kept]) == set(target[whole[2]])


@pytest.mark.parametrize(
    ("target", "how"),
    [
        pytest.param(target, how, marks=() if target == also else pytest.mark.exhaustive)
        for how, also in (({}, "kind"), ({"group_column": "person"}, "y"), ({"time_column": "day"}, "x"))
        for target in ("y", "kind", "x")
    ],
)
def test_the_same_rows_are_kept_for_each_fold_and_choice_of_features(
    visits: Path, how: dict[str, str], target: str
) -> None:
    # Whole groups are dealt out to two parts and folds otherwise than to three parts, so only folds have the same test rows.
    alike = {"folds": 3, "fold": 0} if "group_column" in how else {}
    whole = read(visits, target=target, **how, **alike)
    assert whole.keeps_some
    kept = numbers(whole)[3]
    assert whole.rows is not None
    assert whole.rows[3].tolist() == kept
    others: list[dict[str, Any]] = [
        *({"folds": 3, "fold": each} for each in range(3)),
        {"drop": ["count"]},
        {"categorical": ["count"]},
        {"weight_column": "count"},
    ]
    for each in others:
        again = read(visits, target=target, **{**how, **alike, **each})
        assert numbers(again)[3] == kept
        placed = np.concatenate(numbers(again))
        assert len(placed) == len(set(placed.tolist()))
    assert numbers(read(visits, **{**how, "data_seed": 1}))[3] != kept or "time_column" in how


def test_what_is_kept_comes_from_the_test_rows_alone(visits: Path) -> None:
    without, with_some = read(visits, promotion_fraction=0), read(visits)
    assert not without.keeps_some
    assert numbers(without)[:2] == numbers(with_some)[:2]
    assert sorted(numbers(without)[2]) == sorted(numbers(with_some)[2] + numbers(with_some)[3])
    shares = [float(np.mean(each)) for each in with_some.targets[2:]]
    assert shares[0] == pytest.approx(shares[1], abs=0.01)
    by_time = read(visits, time_column="day").profile
    assert by_time is not None
    assert not [each for each in by_time.warnings if "of the rows, not" in each]


@pytest.mark.parametrize("how", [{}, {"group_column": "person"}, {"time_column": "day"}])
def test_of_a_test_file_a_part_is_kept_and_divided_as_the_table_is(
    tmp_path: Path, visits: Path, how: dict[str, str]
) -> None:
    table = pd.read_csv(visits)
    test = table.tail(400).assign(row=np.arange(400) + 0.25)
    test.loc[test.index[7], "y"] = None
    test.to_csv(tmp_path / "test.csv", index=False)
    splits = read(visits, test_path=str(tmp_path / "test.csv"), missing_target="skip", **how)
    tested, kept = numbers(splits)[2:]
    assert sorted(tested + kept) == [each for each in range(400) if each != 7]
    assert len(kept) == pytest.approx(200, abs=15)
    assert splits.rows is not None
    assert [each.tolist() for each in splits.rows[2:]] == [tested, kept]
    found = [test.reset_index().loc[each] for each in (tested, kept)]
    if "time_column" in how:
        assert found[0].day.max() < found[1].day.min()
    if "group_column" in how:
        assert not set(found[0].person) & set(found[1].person)


def test_a_test_file_without_the_times_or_groups_is_divided_at_random(tmp_path: Path, visits: Path) -> None:
    test = pd.read_csv(visits).tail(400)
    for column, name in (("time_column", "day"), ("group_column", "person")):
        test.drop(columns=name).to_csv(tmp_path / f"{name}.csv", index=False)
        splits = read(visits, test_path=str(tmp_path / f"{name}.csv"), **{column: name})
        assert [len(each) for each in splits.tables[2:]] == [200, 200]


def test_too_few_rows_or_one_time_keep_none(tmp_path: Path, visits: Path) -> None:
    assert not read(visits, test_fraction=0.15).keeps_some  # 180 rows, of which 90 would be kept
    late = pd.read_csv(visits)
    late["day"] = np.where(late.index < 700, late.day, "2025-01-01")
    late.to_csv(tmp_path / "late.csv", index=False)
    assert not read(tmp_path / "late.csv", time_column="day").keeps_some
    rare = pd.read_csv(visits)
    rare["y"] = np.where(rare.index % 400 == 0, "yes", "no")
    rare.to_csv(tmp_path / "rare.csv", index=False)
    splits = read(tmp_path / "rare.csv")
    assert not splits.keeps_some  # of three rows of a class one is for testing
    assert set(splits.targets[2]) == {0.0, 1.0}


def test_the_data_sets_of_ours_keep_some(adult_folder: Path) -> None:
    given = {"val_fraction": 0.15, "data_seed": 0, "promotion_fraction": 0.5}
    clicks = ctr.load(
        rows=2000, numeric_columns=2, categorical_columns=2, max_cardinality=9, positive_rate=0.2, signal=1.0,
        test_fraction=0.2, **given,
    )  # fmt: skip
    assert [len(each["n1"]) for each in clicks.tables] == [1300, 300, 200, 200]
    assert not breast_cancer.load(test_fraction=0.2, **given).keeps_some
    assert len(breast_cancer.load(test_fraction=0.4, **given).targets[3]) == 114
    people = adult.load(path=str(adult_folder), drop=["fnlwgt"], **given)
    assert [len(each) for each in people.targets[2:]] == [200, 200]
    assert len(np.intersect1d(*people.rows[2:])) == 0  # type: ignore[misc]


@pytest.fixture
def adult_folder(tmp_path: Path) -> Path:
    """Write 400 rows in the two files of the census."""
    draw = np.random.default_rng(0)
    for name, end in (("adult.data", ""), ("adult.test", ".")):
        rows = [
            f"{draw.integers(20, 70)}, Private, {draw.integers(1e5, 9e5)}, HS-grad, 9, Divorced, Sales, Husband, White, Male, 0, 0, "
            f"{draw.integers(10, 60)}, Cuba, {draw.choice(['<=50K', '>50K'])}{end}"
            for _ in range(400)
        ]
        (tmp_path / name).write_text("\n".join([*(["|1x3 Cross validator"] if end else []), *rows, ""]))
    return tmp_path


def test_a_loader_of_the_users_may_keep_some_too() -> None:
    x = np.arange(300.0)
    rows = [np.arange(start, start + 60) for start in (0, 60, 120, 180)]
    splits = Splits.cut({"x": x, "y": x % 2}, rows, target="y")
    assert splits.keeps_some
    labels, targets = labelled(splits)
    assert [len(each) for each in targets] == [60] * 4
    other = Splits.cut({"x": x, "y": x % 2}, [*rows[:3], rows[3] + 1], target="y")
    assert fingerprint(splits, targets) != fingerprint(other, labelled(other)[1])
    assert labels.outputs == 1


def test_no_job_encodes_them_and_the_cached_data_are_the_same(visits: Path) -> None:
    section = {"_target_": "trainer.data.table.load", "path": str(visits), **SECTION}
    data = load(section)
    assert (data.promotion_rows, len(data.test)) == (240, 240)
    assert data.describe()["promotion_rows"] == 240
    assert data.describe()["rows"] == ROWS
    key = {**(prepared.key_of(section, None) or {}), "files": []}
    prepared.prepare(key, read_splits(section), how_encoded(section), task=None)
    found = prepared.find(key)
    assert found is not None
    assert found[0].describe() == data.describe()
    assert found[0].test.numeric.equal(data.test.numeric)


def test_inspect_shows_how_many_there_are(visits: Path) -> None:
    section = {"_target_": "trainer.data.table.load", "path": str(visits), **SECTION}
    found = Inspection.of(section)
    assert "promotion   240" in found.text()
    assert found.to_json()["splits"]["promotion"]["rows"] == 240
    assert "promotion" not in Inspection.of({**section, "promotion_fraction": 0}).text()
