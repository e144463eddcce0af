"""A column that alone tells the target is found, from few rows and at little cost, and no honest predictor is."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainer.data.facts import Facts, determined
from trainer.data.reading import kinds, mapped
from trainer.data.reading.reader import Reader, Table

Array = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(0)


def numbers(rows: int) -> Array:
    return RANDOM.normal(15, 14, rows).round(1)


def known(table: Table, name: str) -> Facts:
    return Facts(name, table[name], kinds.name_of(table.kinds[name]))


def told(column: Any, target: Any) -> int:
    table = Reader.fit(pd.DataFrame({"x": column, "y": target}))[1]
    return determined(known(table, "x"), known(table, "y"))


@pytest.mark.parametrize("rows", [25, 60, 3000])
@pytest.mark.parametrize(
    "leak",
    [
        lambda y: (1.8 * y + 32).round(1),
        lambda y: y / 2,
        lambda y: -y,
        lambda y: np.log(y - y.min() + 1).round(6),
        lambda y: pd.Series(y).rank(),
        lambda y: y**3,
        lambda y: y + RANDOM.normal(0, 1e-7, len(y)),
        lambda y: np.where(np.arange(len(y)) == 7, np.nan, 2 * y),
    ],
    ids=["fahrenheit", "half", "minus", "log", "rank", "cube", "digits", "missing"],
)
def test_a_number_that_tells_a_number_is_found(leak: Any, rows: int) -> None:
    y = numbers(rows)
    assert told(leak(y), y) == rows - int(np.isnan(leak(y)).sum())


def test_a_rounded_number_is_found_where_it_leaves_nothing_open() -> None:
    y = numbers(3000)
    assert told(y.round(), y) == 3000
    assert told((y / 10).round(), y) == 0


@pytest.mark.parametrize(
    ("column", "target"),
    [
        (lambda y: y + RANDOM.normal(0, 0.3, len(y)), lambda y: y),
        (lambda y: np.where(np.arange(len(y)) == 200, -50.0, y), lambda y: y),
        (lambda y: RANDOM.permutation(y), lambda y: y),
        (lambda y: np.abs(y), lambda y: y),
        (lambda y: pd.date_range("2020-01-01", periods=len(y)), lambda y: np.cumsum(np.exp(y / 20))),
        (lambda y: np.arange(len(y)) + 1700.5, lambda y: np.cumsum(np.exp(y / 20))),
        (lambda y: np.sort(y), lambda y: np.sort(y) ** 3),
        (lambda y: (y > 15) * 1.0, lambda y: np.where(y > 15, y, 0.0)),
    ],
    ids=["noise", "one row", "shuffled", "absolute", "time", "year", "trend", "sparse"],
)
def test_an_honest_number_is_not(column: Any, target: Any) -> None:
    y = numbers(400)
    assert told(column(y), target(y)) == 0


def test_numbers_in_order_on_one_line_are_found() -> None:
    step = np.arange(300)
    assert told(step * 1.5 + 0.25, 3.0 * step + 1) == 300
    assert told(pd.date_range("2020-01-01", periods=300), 3.0 * step + 1) == 300


def test_classes_under_other_names_are_found_in_few_rows() -> None:
    code = np.arange(40) ** 2 % 3
    target = np.array(["u", "v"])[code]
    for column in (code, code * 10.0, np.array(["no", "yes"])[code]):
        assert told(column, target) == 40
        assert told(column[:12], target[:12]) == 0
        assert told(np.where(np.arange(40) == 21, column[1], column), target) == 0
    assert told(code * 5 + RANDOM.random(40), target) == 0  # a good predictor of few rows
    assert told(np.arange(40) == 3, np.arange(40) == 3) == 0  # as one row does by chance


def test_many_classes_under_other_names_are_found() -> None:
    code = RANDOM.integers(0, 30, 900)
    target = [f"class {each}" for each in code]
    assert told([f"x{each}" for each in code], target) == told(code, target) == 900
    assert told([f"x{each}" for each in code % 29], target) == 0
    assert told(RANDOM.integers(0, 30, 900), target) == 0


def test_columns_in_files_are_compared_the_same(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    y = numbers(3000)
    code = [f"c{each}" for each in RANDOM.integers(0, 30, 3000)]
    frame = pd.DataFrame(
        {"f": (1.8 * y + 32).round(1), "x": y + RANDOM.normal(0, 1, 3000), "y": y, "c": code}
    )
    frame.assign(d=frame["c"].str.upper()).to_csv(tmp_path / "t.csv", index=False)
    _, table = mapped.fit(tmp_path / "t.csv", cached="always")
    found = {name: known(table, name) for name in table}
    assert determined(found["f"], found["y"]) == determined(found["d"], found["c"]) == 3000
    assert determined(found["x"], found["y"]) == determined(found["x"], found["c"]) == 0
