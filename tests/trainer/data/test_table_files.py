"""Any CSV or Parquet file loads as a data set, or gives one clear error."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from trainer.data.encoding.categories import UNSEEN
from trainer.data.load import load
from trainer.data.tensors import Dataset
from trainer.errors import DataError


@pytest.fixture
def table() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": draw.integers(18, 80, 200),
            "income": np.where(draw.random(200) < 0.1, np.nan, draw.lognormal(size=200)),
            "city": draw.choice(["Bonn", "Oslo", "Rome"], 200),
            "member": draw.random(200) < 0.5,
            "day": pd.date_range("2024-01-01", periods=200)[draw.permutation(200)].strftime("%Y-%m-%d"),
            "churned": draw.choice(["no", "yes"], 200, p=[0.7, 0.3]),
        }
    )


def loaded(path: Path, **options: Any) -> Dataset:
    section = {
        "_target_": "trainer.data.table.load",
        "dataset": "csv",
        "path": str(path),
        "target": "churned",
        "val_fraction": 0.2,
        "test_fraction": 0.2,
        "data_seed": 0,
        "numeric_transform": "standard",
        "min_frequency": 1,
        **options,
    }
    return load(section)


def written(folder: Path, table: pd.DataFrame, name: str = "t.csv") -> Path:
    path = folder / name
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if ".tsv" in path.suffixes else ",")
    return path


def test_columns_take_their_role_from_their_type(tmp_path: Path, table: pd.DataFrame) -> None:
    encoder = loaded(written(tmp_path, table)).encoder
    assert [each.name for each in encoder.numeric] == ["age", "income", "day"]
    assert [each.name for each in encoder.categorical] == ["city", "member"]


@pytest.fixture
def dated(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with times, some of them missing, and with the days as dates."""
    times = pd.to_datetime(table["day"]) + pd.Timedelta("1h30min")
    return table.assign(seen=times.where(table.index % 9 > 0), day=pd.to_datetime(table["day"]).dt.date)


def test_times_are_the_same_numbers_in_text_and_in_parquet(tmp_path: Path, dated: pd.DataFrame) -> None:
    text = loaded(written(tmp_path, dated))
    parquet = loaded(written(tmp_path, dated, "t.parquet"))
    assert [each.name for each in text.encoder.numeric] == ["age", "income", "day", "seen"]
    assert parquet.encoder == text.encoder
    assert parquet.describe() == text.describe()


@pytest.mark.parametrize(("known", "test"), [("a.csv", "b.parquet"), ("a.parquet", "b.csv")])
def test_the_test_file_may_have_another_format(
    tmp_path: Path, dated: pd.DataFrame, known: str, test: str
) -> None:
    same, other = (
        loaded(written(tmp_path, dated, known), test_path=str(written(tmp_path, dated.head(50), name)))
        for name in (f"same-{known}", test)
    )
    assert other.describe() == same.describe()
    assert torch.equal(other.test.numeric, same.test.numeric)


def test_rows_read_again_from_text_are_encoded_as_in_training(tmp_path: Path, dated: pd.DataFrame) -> None:
    path = written(tmp_path, dated)
    encoder = loaded(path).encoder
    numeric, codes = encoder.transform(pd.read_csv(path))
    for table in (dated, pd.read_parquet(written(tmp_path, dated, "t.parquet"))):
        again = encoder.transform(table)
        assert torch.equal(again[0], numeric)
        assert torch.equal(again[1], codes)


def test_text_that_is_a_date_only_in_part_is_categorical(tmp_path: Path, table: pd.DataFrame) -> None:
    table["day"] = [*table["day"].str.replace("-01-", "-02-")[:-1], "unknown"]
    assert "day" in [each.name for each in loaded(written(tmp_path, table)).encoder.categorical]


def test_days_named_as_categories_stay_categories(tmp_path: Path, table: pd.DataFrame) -> None:
    encoder = loaded(written(tmp_path, table), categorical=["day"]).encoder
    assert "2024-01-01" in next(each for each in encoder.categorical if each.name == "day").categories


def test_a_column_of_rare_categories_alone_is_told_with_what_to_do(
    tmp_path: Path, table: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    table["user"] = [f"u{row}" for row in range(len(table))]
    path = written(tmp_path, table)
    assert "user" not in [each.name for each in loaded(path, min_frequency=2).encoder.categorical]
    assert "column 'user' is text that is different in each row" in caplog.text
    loaded(path, min_frequency=2, keep=["user"])
    assert "column 'user' has no category that occurs in 2 training rows" in caplog.text
    assert "data.drop" in caplog.text
    assert "'city'" not in caplog.text


@pytest.mark.parametrize(("value", "kind"), [([1, 2], "lists"), ({"a": 1}, "mappings")])
def test_a_column_of_lists_or_mappings_is_named(
    tmp_path: Path, table: pd.DataFrame, value: Any, kind: str
) -> None:
    table["tags"] = [None, *[value] * (len(table) - 1)]
    path = written(tmp_path, table, "t.parquet")
    with pytest.raises(DataError, match=f"column 'tags' holds {kind}, .*data.drop"):
        loaded(path)
    assert loaded(path, drop=["tags"]).describe()["rows"] == 200


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_the_separator_and_the_encoding_can_be_given(
    tmp_path: Path, table: pd.DataFrame, separator: str
) -> None:
    table["city"] = table["city"].replace("Bonn", "Köln")
    table.to_csv(tmp_path / "t.csv", sep=separator, encoding="latin-1", index=False)
    data = loaded(tmp_path / "t.csv", separator=separator.replace("\t", "\\t"), encoding="latin-1")
    assert data.encoder.categorical[0].categories == ("Köln", "Oslo", "Rome")


def test_a_given_role_wins_and_a_dropped_column_is_gone(tmp_path: Path, table: pd.DataFrame) -> None:
    encoder = loaded(written(tmp_path, table), categorical=["age"], drop=["day"], numeric=["member"]).encoder
    assert [each.name for each in encoder.numeric] == ["income", "member"]
    assert [each.name for each in encoder.categorical] == ["age", "city"]


@pytest.mark.parametrize("name", ["t.tsv", "t.csv.gz", "t.parquet"])
def test_other_formats_give_the_same_data(tmp_path: Path, table: pd.DataFrame, name: str) -> None:
    first = loaded(written(tmp_path, table)).describe()
    assert loaded(written(tmp_path, table, name)).describe() == first


def test_a_split_by_ratio_keeps_every_row_and_the_share_of_each_class(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    data = loaded(written(tmp_path, table))
    facts = data.describe()
    assert (facts["rows"], facts["val_rows"], facts["test_rows"]) == (200, 40, 40)
    share = (table.churned == "yes").mean()
    for split in (data.train, data.val, data.test):
        assert split.target.mean().item() == pytest.approx(share, abs=0.02)


def test_a_split_by_time_tests_on_the_newest_rows(tmp_path: Path, table: pd.DataFrame) -> None:
    data = loaded(written(tmp_path, table), time_column="day", numeric=["age"])
    newest = table.sort_values("day").tail(40)
    assert torch.equal(
        data.test.target, torch.tensor((newest.churned == "yes").to_numpy(), dtype=torch.float32)
    )
    assert "day" not in [each.name for each in data.encoder.categorical]


def test_a_test_file_is_the_test_split_whole(tmp_path: Path, table: pd.DataFrame) -> None:
    test = written(tmp_path, table.head(50), "test.csv")
    facts = loaded(written(tmp_path, table), test_path=str(test)).describe()
    assert (facts["train_rows"], facts["val_rows"], facts["test_rows"]) == (160, 40, 50)


def test_all_statistics_come_from_the_training_rows_alone(tmp_path: Path, table: pd.DataFrame) -> None:
    first = loaded(written(tmp_path, table), time_column="day")
    changed = table.copy()
    late = table["day"] > sorted(table["day"])[119]  # the 80 newest rows: validation and test
    changed.loc[late, "age"] = 10**6
    changed.loc[late, "city"] = "Atlantis"
    second = loaded(written(tmp_path, changed), time_column="day")
    assert second.encoder == first.encoder
    assert torch.equal(second.train.numeric, first.train.numeric)
    assert second.test.categorical[:, 0].unique().tolist() == [UNSEEN]


def test_the_positive_class_is_the_last_in_sorted_order_or_the_given(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    path = written(tmp_path, table)
    inferred, given = loaded(path), loaded(path, positive="no")
    assert (inferred.encoder.positive, given.encoder.positive) == ("yes", "no")
    assert torch.equal(inferred.test.target, 1 - given.test.target)


def test_numeric_labels_sort_as_numbers(tmp_path: Path, table: pd.DataFrame) -> None:
    table["churned"] = np.where(table.churned == "yes", 10, 9)
    assert loaded(written(tmp_path, table)).encoder.positive == "10"


def test_marks_for_missing_values_can_be_added(tmp_path: Path, table: pd.DataFrame) -> None:
    table["age"] = table["age"].astype(object)
    table.loc[3, "age"] = "unknown"
    encoder = loaded(written(tmp_path, table), missing_values=["unknown"]).encoder
    assert [each.name for each in encoder.numeric] == ["age", "income", "day"]


def test_a_number_may_mark_missing_values(tmp_path: Path, table: pd.DataFrame) -> None:
    table.loc[:5, "income"] = -200
    known = loaded(written(tmp_path, table), missing_values=[-200, 7.5])
    (income,) = (each for each in known.profile.columns if each.name == "income")
    assert income.missing > 0


def one_class(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(churned="yes")


def three_classes(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(churned=[*table.churned[:-1], "maybe"])


def holes(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(churned=[None, *table.churned[1:]])


def few(table: pd.DataFrame) -> pd.DataFrame:
    return table.head(2).assign(churned=["no", "yes"])


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (
            one_class,
            {},
            r"target 'churned' is 'yes' in each row, so there is nothing to learn; two values are needed",
        ),
        (
            three_classes,
            {"task": "binary"},
            r"target 'churned' has 3 classes \('maybe', 'no', 'yes'\); .*data\.positive .*task=multiclass",
        ),
        (holes, {}, r"target 'churned' is missing in 1 of 200 rows"),
        (few, {}, r"t\.csv has 2 rows; at least 3 are needed"),
        (
            pd.DataFrame.copy,
            {"test_fraction": 0.001},
            r"the test split has 0 rows; give it a larger fraction",
        ),
        (
            pd.DataFrame.copy,
            {"target": "churn"},
            r"data\.target: .*no column 'churn' \(did you mean 'churned'",
        ),
        (pd.DataFrame.copy, {"numeric": ["aged"]}, r"data\.numeric: .*no column 'aged' \(did you mean 'age'"),
        (pd.DataFrame.copy, {"drop": ["churned"]}, r"'churned' is named in both data\.target and data\.drop"),
        (
            pd.DataFrame.copy,
            {"positive": "maybe"},
            r"data\.positive='maybe' does not occur .* 'no' and 'yes'",
        ),
        (pd.DataFrame.copy, {"numeric": ["city"]}, r"'city' is used as numeric but holds '\w+'"),
        (
            pd.DataFrame.copy,
            {"time_column": "city"},
            r"data\.time_column='city' holds '\w+'; allowed are numbers and times such as 2024-05-31 or 2024-05-31 17:00$",
        ),
        (
            lambda t: t.assign(day=[f"{row % 28 + 1:02}-11-22" for row in range(len(t))]),
            {"time_column": "day"},
            r"data\.time_column='day' holds '01-11-22'; .*set data\.date_order to what comes first \(day or year\)",
        ),
        (lambda t: t.head(0), {}, r"t\.csv' has 0 rows"),
        (lambda t: t[["churned"]], {}, r"no feature column is left"),
    ],
)
def test_data_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, table: pd.DataFrame, change: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        loaded(written(tmp_path, change(table)), **options)


def test_a_split_of_one_class_is_refused(tmp_path: Path, table: pd.DataFrame) -> None:
    test = written(tmp_path, table[table.churned == "no"], "test.csv")
    with pytest.raises(DataError, match=r"one class in the test split: all \d+ rows are 'not yes'"):
        loaded(written(tmp_path, table), test_path=str(test))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "the file is empty"),
        ("t.csv", b'a,b\n"1,2\n', "cannot be read as CSV"),
        (
            "t.csv",
            b"a,b\n1,2\n1,2,3\n",
            r"cannot be read as CSV: line 3 has 3 values, where 2 are expected; data.ragged=skip leaves such lines out$",
        ),
        ("t.csv.gz", b"no gzip", "has 0 rows; a header line and rows are needed"),
        (
            "t.csv",
            b"a,churned\n\x81\xfe,1\n",
            r"is not utf-8: it holds the byte 0x81; .*data\.encoding=latin-1",
        ),
        ("t.parquet", b"PAR0", r"named \.parquet, but it is text"),
        ("t.xlsx", b"x", r"named \.xlsx, but it is text"),
        ("t.doc", b"\xd0\xcf\x11\xe0", r"the file is no table: it is an old Excel workbook; name it \.xls"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        loaded(tmp_path / name)


def test_a_wrong_target_is_told_before_anything_about_features(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1] * 40, "name": [f"n{row}" for row in range(40)]}).to_csv(
        tmp_path / "t.csv", index=False
    )
    with pytest.raises(DataError, match="target 'a' is '1' in each row"):
        loaded(tmp_path / "t.csv", target="a")
    with pytest.raises(DataError, match="target 'name'"):
        loaded(tmp_path / "t.csv", target="name")


def test_a_column_that_a_sheet_lacks_is_told_with_the_sheets_there_are(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        pd.DataFrame({"note": ["read me"]}).to_excel(book, sheet_name="Info", index=False)
        table.to_excel(book, sheet_name="Data", index=False)
    with pytest.raises(
        DataError, match=r"columns are note; the workbook has 2 sheets; 'Info' is read; .*\(Data\)"
    ):
        loaded(tmp_path / "t.xlsx")


def test_a_folder_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder; give the path of a file in it"):
        loaded(tmp_path)


def test_a_missing_file_is_named_as_given_and_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'gone\.csv': there is no file /.*gone\.csv; give the path"):
        loaded(Path("gone.csv"))
