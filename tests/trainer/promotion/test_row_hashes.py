"""Rows of a file are known by their values, in any order; rows that occur twice are found out."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from saved_models import customers, save

from tracking.registry.overlap import shared, sketch_of
from trainer.promotion import score
from trainer.promotion.row_hashes import hashes_of_rows, identity


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    customers(1500).to_csv(folder / "customers.csv", index=False)
    return save(folder / "m", folder / "customers.csv", promotion_fraction=0.5)


def fresh() -> pd.DataFrame:
    """Labelled rows that no model trained on, with many zeros among their numbers."""
    found = customers(300, seed=9)
    found["customer"] = [f"N{row:05}" for row in range(300)]
    found.loc[::3, "visits"] = 0
    return found


def scored(model: Path, table: pd.DataFrame, tmp_path: Path) -> dict[str, Any]:
    table.to_csv(tmp_path / "rows.csv", index=False)
    return score(model, str(tmp_path / "rows.csv"))


def overlap(found: dict[str, Any], before: dict[str, Any]) -> float:
    return shared(sketch_of(found["row_hash"].tolist()), sketch_of(before["row_hash"].tolist()))


def test_a_file_is_the_same_split_whatever_the_order_of_its_rows_and_tiny_noise(
    model: Path, tmp_path: Path
) -> None:
    rows = fresh()
    before = scored(model, rows, tmp_path)
    same = {
        "shuffled": rows.sample(frac=1, random_state=3),
        "reversed": rows[::-1],
        "noisy": rows.assign(visits=rows.visits + 1e-9, spent=rows.spent + 1e-9),
        "turned": rows[[*reversed(rows.columns)]],
        "wider": rows.assign(more="what the model's table does not have"),
    }
    for name, table in same.items():
        again = scored(model, table, tmp_path)
        assert again["split"]["hash"] == before["split"]["hash"], name
        assert again["split"]["same"] != before["split"]["same"], "versions are compared on one file"
    changed = {
        "a value": rows.assign(visits=[rows.visits[0] + 1, *rows.visits[1:]]),
        "a target": rows.assign(
            churned=rows.churned.where(rows.index != 0, "no" if rows.churned[0] == "yes" else "yes")
        ),
        "a row less": rows[1:],
        "two columns exchanged": rows.rename(columns={"visits": "spent", "spent": "visits"}),
    }
    found = {name: scored(model, table, tmp_path) for name, table in changed.items()}
    assert len({before["split"]["hash"], *(each["split"]["hash"] for each in found.values())}) == 5
    assert overlap(found["a row less"], before) == 1.0
    assert overlap(found["a value"], before) == pytest.approx(299 / 300)
    assert overlap(found["two columns exchanged"], before) == 0.0
    assert overlap(scored(model, customers(300, seed=5), tmp_path), before) == 0.0


def test_rows_that_the_loader_keeps_are_found_again_in_a_file(model: Path, tmp_path: Path) -> None:
    kept = score(model)
    table = pd.read_csv(model.parent / "customers.csv", dtype=str, keep_default_na=False).loc[kept["row"]]
    found = scored(model, table.sample(frac=1, random_state=1), tmp_path)
    assert overlap(found, kept) == 1.0
    assert found["split"]["hash"] != kept["split"]["hash"]


def test_which_columns_a_model_uses_makes_no_row_another(model: Path, tmp_path: Path) -> None:
    before = scored(model, fresh(), tmp_path)
    table = model.parent / "customers.csv"
    others: list[dict[str, Any]] = [{"drop": ["plan", "spent", "visits"]}, {"categorical": ["visits"]}]
    for number, section in enumerate(others):
        other = save(tmp_path / str(number), table, promotion_fraction=0.5, **section)
        assert score(other, str(tmp_path / "rows.csv"))["split"] == before["split"]


def test_rows_that_are_given_several_times_are_told_from_those_that_repeat_by_chance(
    model: Path, tmp_path: Path
) -> None:
    rows = fresh()
    assert scored(model, rows, tmp_path)["duplicates"] == {"rows": 0, "share": 0, "expected": 0, "of": 300}
    five = scored(model, pd.concat([rows] * 5), tmp_path)["duplicates"]
    assert five["rows"] == 1500
    assert five["of"] == 900, "as many as there are training rows"
    assert five["share"] > 0.9
    assert five["expected"] == 0
    some = scored(model, pd.concat([rows, rows[:30]]), tmp_path)["duplicates"]
    assert (some["rows"], some["share"]) == (60, 60 / 330)
    assert score(model)["duplicates"] == {"rows": 0}


def test_few_different_rows_repeat_as_often_in_a_file_as_in_training(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for name, many in (("old.csv", 900), ("new.csv", 4000)):
        few = {"x": draw.integers(0, 12, many), "spent": draw.integers(0, 90, many) / 4}
        pd.DataFrame(few).to_csv(tmp_path / name, index=False)
    model = save(tmp_path / "m", tmp_path / "old.csv", "regression", target="spent", drop=[])
    found = score(model, str(tmp_path / "new.csv"))["duplicates"]
    assert found["share"] == pytest.approx(found["expected"], abs=0.06)
    assert 0.2 < found["share"] < 0.8
    assert found["rows"] > 3600


NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=64)


@given(st.lists(NUMBERS, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_rows_in_any_order_have_one_identity(values: list[float], order: Any) -> None:
    places = [*range(len(values))]
    order.shuffle(places)
    numbers, target = np.array(values), np.arange(len(values)) % 2.0
    hashes = hashes_of_rows({"x": numbers}, target, but=frozenset())
    turned = hashes_of_rows({"x": numbers[places]}, target[places], but=frozenset())
    assert np.array_equal(turned, hashes[places])
    assert identity(turned, numbers[places]) == identity(hashes, numbers)
    assert identity(hashes, None) != identity(hashes, target)


def hash_of(value: float, beside: float = 1.0) -> int:
    return int(hashes_of_rows({"x": np.array([value, beside])}, np.zeros(2), but=frozenset())[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [(0.0, 1e-9), (1e-4, 1.00001e-4), (0.0, -0.0), (0.5, 0.5 + 1e-9), (9.9999999, 10.0), (99999.97, 100000.0), (123.456, 123.4560001), (-3.0, -3.0 - 1e-9),
     (1e300, 1.0000001e300), (1e6 - 1e-3, 1e6), (np.nan, np.inf), (1234567.0, 1234567.1)],
)  # fmt: skip
def test_numbers_that_differ_by_noise_are_the_same(one: float, other: float) -> None:
    assert hash_of(one) == hash_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(0.0, 1e-5), (1.0, 1.0001), (1.0, -1.0), (1.0, 10.0), (1e6, 1e5), (20000001, 20000002), (0.0, np.nan), (1e300, 1.1e300)],
)  # fmt: skip
def test_numbers_that_differ_are_different(one: float, other: float) -> None:
    assert hash_of(one) != hash_of(other)


def test_tiny_numbers_count_in_a_column_that_has_no_others() -> None:
    assert hash_of(1e-9, beside=2e-9) != hash_of(3e-9, beside=2e-9)
