"""Targets of every kind: which task they are, and what is said of those that cannot be learned."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainer.data.load import load
from trainer.data.tensors import Dataset
from trainer.errors import DataError

DRAW = np.random.default_rng(0)


def loaded(folder: Path, target: Any, task: str | None = None, **changes: Any) -> Dataset:
    rows = len(target)
    pd.DataFrame(
        {"x": DRAW.normal(size=rows).round(3), "c": DRAW.choice(list("uvw"), rows), "y": target}
    ).to_csv(folder / "t.csv", index=False)
    section = {
        "_target_": "trainer.data.table.load",
        "path": str(folder / "t.csv"),
        "target": "y",
        "val_fraction": 0.15,
        "test_fraction": 0.2,
        "data_seed": 0,
        **changes,
    }
    return load(section, task=task)


@pytest.mark.parametrize(
    ("target", "task", "classes"),
    [
        ([0.0, 1.0] * 20, "binary", ("0", "1")),
        ([True, False] * 20, "binary", ("false", "true")),
        (["Yes", "yes ", "NO", " no"] * 10, "binary", ("no", "yes")),
        (["good", " bad"] * 20, "binary", ("bad", "good")),
        (["a", "b", "c"] * 20, "multiclass", ("a", "b", "c")),
        ([1, 2, 10] * 20, "multiclass", ("1", "2", "10")),
        ([*range(21)] * 5, "regression", ()),
        ([*range(15)], "regression", ()),  # few, but each in one row
        ([0.5, 1.5, 2.5] * 20, "regression", ()),
        ([f"{1000 * number:,}" for number in range(40)], "regression", ()),
    ],
)
def test_a_target_says_its_task(
    tmp_path: Path, target: list[Any], task: str, classes: tuple[str, ...]
) -> None:
    labels = loaded(tmp_path, target).labels
    assert (labels.task, labels.classes) == (task, classes)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_class_of_so_few_rows_is_refused_with_where_they_are(tmp_path: Path, rows: int) -> None:
    target = ["yes"] * rows + ["no"] * (100 - rows)
    if rows == 3:
        facts = loaded(tmp_path, target).describe()
        assert all(facts[f"{name}_positive_rate"] > 0 for name in ("train", "val", "test"))
        return
    with pytest.raises(
        DataError, match=rf"'yes' has {rows} rows? \({rows} in training, 0 in .*three splits need one"
    ):
        loaded(tmp_path, target)


def test_rare_ones_of_several_classes_are_told_together(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    facts = loaded(tmp_path, ["r", "q", "q", *["s"] * 40, *["t"] * 60]).describe()
    assert facts["train_classes"]["r"] == 1
    assert (
        "2 classes ('q', 'r') do not occur in the test split, so scores there leave them out" in caplog.text
    )


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (["y"] * 10, {}, r"target 'y' is 'y' in each row, so there is nothing to learn"),
        ([5] * 30, {"task": "regression"}, r"'y' is 5 in all 20 training rows"),
        (["yes", "no"], {}, r"t\.csv has 2 rows; at least 3 are needed"),
        (["yes"], {}, r"t\.csv has 1 row; at least 3"),
        (["yes", "no", "no"], {}, r"the validation split has 0 rows; give it a larger fraction \(data\.val_fraction\)"),
        (["yes", "no", None, "NA"] * 9, {},
         r"t\.csv: target 'y' is missing in 18 of 36 rows \(rows 3, 4, 7, 8, 11, \.\.\.\); .*data\.missing_target=skip"),
        ([*range(50), "inf", "-inf"], {}, r"'y' is infinite in 2 of 52 rows \(rows 51, 52\)"),
        ([*range(50), "inf", None], {}, r"'y' is missing or infinite in 2 of 52 rows \(rows 51, 52\)"),
        ([None] * 20, {"missing_target": "skip"}, r"target 'y' is missing in all 20 rows"),
        ([f"p{each}" for each in range(50)], {}, r"text of 50 different values, .* names rather than classes"),
        (["a", "b", "c"] * 9, {"task": "binary"}, r"3 classes .*name one in data\.positive"),
        (["a", "b", "c"] * 9, {"task": "multiclass", "positive": "a"}, r"data\.positive='a': is for task=binary; with task=mul"),
        (["a", "b"] * 9, {"task": "regression"}, r"holds 'a', which is no finite number"),
        (["yes"] * 4 + ["no"] * 96, {"folds": 5, "fold": 0},
         r"data\.folds=5: class 'yes' of target 'y' does not occur in fold 3; it has 3 rows that are not for testing; use"),
        ([*range(8)], {"folds": 7, "fold": 0, "test_fraction": 0.3}, r"data\.folds=7: 6 rows are not for testing; use 6 folds"),
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_learned_is_refused_by_name(
    tmp_path: Path, target: list[Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        loaded(tmp_path, target, **options)


def test_rows_without_a_target_are_left_out_on_request_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    facts = loaded(tmp_path, ["yes", "no", None, "NA"] * 20, missing_target="skip").describe()
    assert facts["rows"] == 40
    told = "t.csv: target 'y' is missing in 40 of 80 rows (rows 3, 4, 7, 8, 11, ...), which are left out"
    assert caplog.text.count(told) == 1


def test_classes_that_differ_in_case_alone_and_times_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loaded(tmp_path, ["Good", "good", "bad"] * 20)
    assert "classes 'Good' and 'good' differ in case alone" in caplog.text
    loaded(tmp_path, pd.date_range("2024-01-01", periods=60).astype(str).tolist())
    assert "target 'y' holds times; they are read as seconds since 1970" in caplog.text


def test_the_positive_class_may_be_named_in_any_type(tmp_path: Path) -> None:
    for positive in ("1", 1, 1.0, True):
        if positive is not True:
            assert loaded(tmp_path, [0.0, 1.0] * 20, positive=positive).encoder.positive == "1"
    assert loaded(tmp_path, [True, False] * 20, positive=False).encoder.positive == "false"


def test_a_word_that_is_taken_as_missing_is_named_and_can_be_a_class(tmp_path: Path) -> None:
    target = ["0", "1", "unknown"] * 20
    with pytest.raises(
        DataError, match=r"'unknown' counts as missing.* if 'unknown' is a class, set data.categorical=\[y\]"
    ):
        loaded(tmp_path, target)
    assert loaded(tmp_path, target, categorical=["y"]).labels.classes == ("0", "1", "unknown")


def test_a_time_of_day_as_a_target_counts_from_midnight(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loaded(tmp_path, [f"{row % 24}:{row % 60:02}" for row in range(60)])
    assert "target 'y' holds times of day; they are read as seconds since midnight" in caplog.messages


@pytest.mark.parametrize(("classes", "told"), [(["7", "12", "30"], True), (["007", "012", "030"], False)])
def test_codes_are_no_numbers_to_be_predicted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, classes: list[str], told: bool
) -> None:
    assert loaded(tmp_path, classes * 20).labels.classes == tuple(classes)
    assert any("task=regression" in each for each in caplog.messages) is told
