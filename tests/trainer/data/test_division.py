"""Rows are divided into train, val and test: by groups, by time, by folds, with each class where it can be."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.division import Folds, Way
from trainer.data.groups import by_group
from trainer.data.load import load
from trainer.data.splits import by_ratio, by_time
from trainer.data.table import load as read_table
from trainer.data.tensors import Dataset, Splits
from trainer.errors import DataError

SECTION = {
    "_target_": "trainer.data.table.load",
    "target": "y",
    "val_fraction": 0.15,
    "test_fraction": 0.2,
    "data_seed": 0,
}


@pytest.fixture
def visits() -> pd.DataFrame:
    """Return 400 visits of 60 people, over 100 days."""
    draw = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "person": [f"p{each}" for each in draw.integers(0, 60, 400)],
            "day": (np.datetime64("2024-01-01") + draw.integers(0, 100, 400)).astype(str),
            "x": draw.normal(size=400).round(3),
            "y": np.where(draw.random(400) < 0.2, "yes", "no"),
        }
    )


def written(folder: Path, table: pd.DataFrame, name: str = "t.csv") -> Path:
    table.to_csv(folder / name, index=False)
    return folder / name


def loaded(path: Path, **changes: Any) -> Dataset:
    return load({**SECTION, "path": str(path), **changes})


def read(path: Path, **changes: Any) -> Splits:
    return read_table(path=str(path), **{k: v for k, v in {**SECTION, **changes}.items() if k != "_target_"})


def warned(splits: Splits) -> str:
    assert splits.profile is not None
    return "\n".join(splits.profile.warnings)


def parts(splits: Splits, name: str) -> list[set[Any]]:
    return [set(table[name].tolist()) for table in splits.tables]


def test_rows_of_one_group_are_in_one_split(tmp_path: Path, visits: pd.DataFrame) -> None:
    splits = read(written(tmp_path, visits), group_column="person")
    people = parts(splits, "person")
    assert sum(map(len, people)) == len(set().union(*people)) == 60
    assert [len(table) / 400 for table in splits.tables] == pytest.approx([0.65, 0.15, 0.2], abs=0.03)
    shares = [float(target.mean()) for target in splits.targets]
    assert shares == pytest.approx([float((visits.y == "yes").mean())] * 3, abs=0.05)


def test_the_column_of_groups_is_no_feature_unless_it_is_kept(tmp_path: Path, visits: pd.DataFrame) -> None:
    path = written(tmp_path, visits)
    assert "person" not in read(path, group_column="person").categorical
    assert "person" in read(path, group_column="person", keep=["person"]).categorical
    assert "day" in read(path, time_column="day", keep=["day"]).numeric
    profile = read(path, group_column="person").profile
    assert profile is not None
    assert "group person" in profile.summary()
    assert "left out person" not in profile.summary()


@given(
    st.lists(st.integers(0, 12), min_size=30, max_size=120),
    st.lists(st.integers(0, 2), min_size=120, max_size=120),
    st.integers(0, 3),
)
def test_groups_stay_whole_and_no_split_is_empty(sizes: list[int], classes: list[int], seed: int) -> None:
    groups = np.unique(sizes, return_inverse=True)[1]
    strata = np.array(classes[: len(sizes)], float)
    shares = [0.65, 0.15, 0.2]
    if groups.max() < 2:
        with pytest.raises(DataError, match="3 parts need one each"):
            by_group(groups, strata, shares, np.random.default_rng(seed))
        return
    found = by_group(groups, strata, shares, np.random.default_rng(seed))
    assert sorted(np.concatenate(found).tolist()) == list(range(len(groups)))
    assert all(len(part) for part in found)
    held = [set(groups[part].tolist()) for part in found]
    assert sum(map(len, held)) == groups.max() + 1


def test_a_class_of_three_groups_is_in_each_split() -> None:
    groups = np.repeat(np.arange(40), 5)
    strata = np.isin(groups, (3, 17, 29)).astype(float)
    for seed in range(20):
        found = by_group(groups, strata, [0.65, 0.15, 0.2], np.random.default_rng(seed))
        assert [int(strata[part].sum()) for part in found] == [5, 5, 5]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (
            lambda t: t.assign(person=np.where(t.x > 0, "a", "b")),
            {"group_column": "person"},
            r"data\.group_column='person' has 2 groups; 3 parts need one each",
        ),
        (
            lambda t: t.assign(person=t.person.where(t.index != 6)),
            {"group_column": "person"},
            r"data\.group_column='person' is missing in 1 of 400 rows \(row 7\)",
        ),
        (
            lambda t: t.assign(y=np.where(t.person.isin(["p3", "p4"]), "yes", "no")),
            {"group_column": "person"},
            r"one class in the \w+ split.*'yes' has \d+ rows .* groups of data\.group_column='person' stay together",
        ),
        (
            lambda t: t.assign(day=t.day.where(t.index > 2)),
            {"time_column": "day"},
            r"data\.time_column='day' is missing in 3 of 400 rows \(rows 1, 2, 3\)",
        ),
        (
            lambda t: t.assign(day=np.where(t.x > 0, "2024-01-01", "2024-01-02")),
            {"time_column": "day"},
            r"data\.time_column='day' holds 2 different times; 3 parts need one each",
        ),
        (
            lambda t: t.assign(y=np.where(t.day > "2024-04-01", "yes", "no")),
            {"time_column": "day"},
            r"one class in the training split: all \d+ rows are 'not yes'.*'yes' has \d+ rows \(0 in training, .* rows "
            r"are split by data\.time_column='day'",
        ),
        (
            lambda t: t.assign(person=np.where(t.x > 0, "a", np.where(t.x > -1, "b", "c"))),
            {"group_column": "person", "folds": 5, "fold": 0},
            r"data\.group_column='person' has \d groups; 5 parts need one each",
        ),
    ],
)
def test_what_cannot_be_divided_is_refused_by_name(
    tmp_path: Path, visits: pd.DataFrame, change: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        loaded(written(tmp_path, change(visits)), **options)


def test_rows_of_one_time_are_in_one_split(tmp_path: Path, visits: pd.DataFrame) -> None:
    days = parts(read(written(tmp_path, visits), time_column="day"), "day")
    assert max(days[0]) < min(days[1])
    assert max(days[1]) < min(days[2])


@given(st.lists(st.integers(0, 6), min_size=3, max_size=60), st.sampled_from([0.0, 0.1, 0.3, 0.45]))
def test_a_border_in_time_is_between_two_times_and_the_nearest_one(days: list[int], test: float) -> None:
    times = np.array(days, float)
    if len(set(days)) < 2 + (test > 0):
        with pytest.raises(DataError, match=f"holds {len(set(days))} different times"):
            by_time(times, val_fraction=0.3, test_fraction=test)
        return
    found = by_time(times, val_fraction=0.3, test_fraction=test)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(days)))
    full = found if test else found[:2]
    for older, newer in pairwise(full):
        assert times[older].max() < times[newer].min()


def test_a_border_without_ties_is_where_the_fractions_put_it() -> None:
    found = by_time(
        np.random.default_rng(0).permutation(200).astype(float), val_fraction=0.15, test_fraction=0.2
    )
    assert [len(part) for part in found] == [130, 30, 40]


def test_sizes_that_large_groups_or_ties_change_are_told(tmp_path: Path, visits: pd.DataFrame) -> None:
    few = visits.assign(person=np.where(visits.x > 0, "a", np.where(visits.x > -0.5, "b", "c")))
    said = warned(read(written(tmp_path, few), group_column="person"))
    assert "groups of data.group_column='person' stay together, so train has" in said
    assert "not 65%" in said


def test_people_of_the_test_file_who_are_in_the_table_are_told(tmp_path: Path, visits: pd.DataFrame) -> None:
    test = written(tmp_path, visits.head(50), "test.csv")
    said = warned(read(written(tmp_path, visits), group_column="person", test_path=str(test)))
    assert "groups of data.group_column='person' are in data.path and in data.test_path" in said


@pytest.mark.parametrize("how", [{}, {"group_column": "person"}, {"time_column": "day"}])
def test_each_fold_is_validated_once_and_the_test_rows_are_the_same(
    tmp_path: Path, visits: pd.DataFrame, how: dict[str, str]
) -> None:
    path = written(tmp_path, visits.assign(row=np.arange(400)))
    each = [read(path, folds=4, fold=fold, **how) for fold in range(4)]
    validated = [set(splits.tables[1]["row"].tolist()) for splits in each]
    tested = [splits.tables[2]["row"].tolist() for splits in each]
    assert sum(map(len, validated)) == len(set().union(*validated))
    assert tested[1:] == tested[:-1]
    assert not set().union(*validated) & set(tested[0])
    if "time_column" not in how:  # the oldest rows are only trained on
        assert len(set().union(*validated)) + len(tested[0]) == 400
        assert all(len(splits.tables[0]) + len(splits.tables[1]) + len(tested[0]) == 400 for splits in each)
    if "group_column" in how:
        assert all(not set.intersection(*parts(splits, "person")) for splits in each)


def test_folds_in_time_validate_on_rows_newer_than_those_they_train_on(
    tmp_path: Path, visits: pd.DataFrame
) -> None:
    path = written(tmp_path, visits)
    for fold in range(3):
        days = parts(read(path, time_column="day", folds=3, fold=fold), "day")
        assert max(days[0]) < min(days[1])
        assert max(days[1]) < min(days[2])


@pytest.mark.parametrize("target", ["y", "x"])
def test_folds_are_of_one_size_and_depend_on_the_seed_of_the_data_alone(
    tmp_path: Path, visits: pd.DataFrame, target: str
) -> None:
    path = written(tmp_path, visits)
    first, again, other = (
        loaded(path, target=target, folds=5, fold=2, data_seed=seed).describe() for seed in (0, 0, 1)
    )
    assert first == again
    assert first["fingerprint"] != other["fingerprint"]
    assert (first["train_rows"], first["val_rows"], first["test_rows"]) == (256, 64, 80)
    if target == "y":
        assert first["val_positive_rate"] == pytest.approx(first["train_positive_rate"], abs=0.02)


def test_folds_of_one_table_have_one_fingerprint(tmp_path: Path, visits: pd.DataFrame) -> None:
    path = written(tmp_path, visits)
    plain = loaded(path).fingerprint
    found = {loaded(path, folds=4, fold=fold).fingerprint for fold in range(4)}
    assert len(found) == 1
    assert plain not in found
    assert loaded(path, folds=5, fold=0).fingerprint not in found


def test_with_a_test_file_all_rows_of_the_table_are_folded(tmp_path: Path, visits: pd.DataFrame) -> None:
    test = written(tmp_path, visits.head(30), "test.csv")
    facts = loaded(written(tmp_path, visits), test_path=str(test), folds=4, fold=1).describe()
    assert (facts["train_rows"], facts["val_rows"], facts["test_rows"]) == (300, 100, 30)


@given(
    st.lists(st.integers(0, 4), min_size=3, max_size=200),
    st.floats(0.001, 0.5, exclude_max=True),
    st.floats(0.001, 0.5, exclude_max=True),
)
def test_a_class_of_three_rows_is_in_each_split_that_has_rows(
    classes: list[int], val: float, test: float
) -> None:
    strata = np.array(classes, float)
    found = by_ratio(strata, val_fraction=val, test_fraction=test, seed=0)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(strata)))
    for value in set(classes):
        if classes.count(value) >= 3:
            held = [int((strata[part] == value).sum()) for part in found]
            assert held[0]
            assert held[1] or not round(len(strata) * val)
            assert held[2] or not round(len(strata) * test)


def test_a_division_does_not_depend_on_which_class_is_positive() -> None:
    strata = np.random.default_rng(0).integers(0, 2, 100).astype(float)
    for way in (Way(0.2, 0.2, 0), Way(0.2, 0.2, 0, Folds(4, 1))):
        one, other = way.divide(strata), way.divide(1 - strata)
        assert all(np.array_equal(*each) for each in zip(one.rows, other.rows, strict=True))
