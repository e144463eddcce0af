"""A few values that keep a column from being numbers or times are told, and so are units, digits and months."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainer.data.reading import mapped
from trainer.data.reading.doubts import doubt
from trainer.data.reading.kinds import Number, Text, Time
from trainer.data.reading.reader import Options, Reader

NUMBERS = [f"{row}.5" for row in range(400)]


def with_one(values: Sequence[str], place: int, other: str) -> list[str]:
    return [*values[:place], other, *values[place:]]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (with_one(NUMBERS, 200, "oops"), "400 of 401 values are numbers, but row 201 holds 'oops'"),
        (["n.a. yet", *NUMBERS, "n.a. yet"], "400 of 402 values are numbers, but row 1 holds 'n.a. yet', as do 1 more"),
        (
            [*NUMBERS, "a", "b", "c", "d", None],
            "400 of 404 values are numbers, but row 401 holds 'a', and 3 more hold such values (4 differ)",
        ),
        ([f"1,{row:03}" for row in range(99)] + ["1,23,45"], "but row 100 holds '1,23,45'"),
        ([f"{each} kg" for each in NUMBERS] + ["5"], "400 of 401 values are numbers of the unit 'kg', but row 401 holds '5'"),
        ([f"{each} {'kg' if each < '3' else 'g'}" for each in NUMBERS], "its values are numbers of several units ('kg', 'g')"),
        (["31/02/2023", *(f"{day}/03/2023" for day in range(1, 32))], "are dates, day first, but row 1 holds '31/02/2023'"),
        ([f"2023-03-{day:02}" for day in range(1, 32)] + ["0000-00-00"], "but row 32 holds '0000-00-00'"),
        ([f"{row % 24}:{row % 60:02}" for row in range(99)] + ["24:00"], "99 of 100 values are times of day, but row 100 holds '24:00'"),
        ([f"{row}:10:00" for row in range(99)] + ["none"], "99 of 100 values are elapsed times, but row 100 holds 'none'"),
        (["1", "2", "3", "4", "other"], "4 of 5 values are numbers"),
        (["a", "b1", "c"] * 20, ""),
        (["1", "2", "x"] * 20, ""),
        (["36 months", "60 months"] * 20, ""),
        (["1st", "2nd", "HS-grad", "Bachelors"] * 9, ""),
        ([None, None], ""),
    ],
)  # fmt: skip
def test_the_value_that_makes_numbers_text_is_told(values: list[Any], told: str) -> None:
    found = doubt(np.array(values, object))
    assert told in (found.told if found else "")
    assert bool(told) is (found is not None)


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (with_one(NUMBERS, 7, "oops"), Options(wanted={"x": "text"})),
        (with_one(NUMBERS, 7, "oops"), Options(drop=["x"])),
        (["007", *map(str, range(100, 200)), "x12"], Options()),
    ],
)
def test_no_doubt_about_codes_and_what_the_user_has_said(values: list[str], options: Options) -> None:
    assert Reader.fit({"x": values}, options)[1].doubts == {}


def test_rows_are_counted_in_the_file_whatever_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    pd.DataFrame({"x": with_one(NUMBERS, 200, "oops")}).to_csv(path, index=False)
    for cached in ("always", "never"):
        _, table = mapped.fit(path, cached=cached)
        assert table.take(np.arange(150, 300)).doubts["x"].row == 201
        assert mapped.fit(path, Options(drop=["x"]), cached=cached)[1].doubts == {}


@pytest.mark.parametrize(
    ("values", "kind", "again"),
    [
        ([f"{row} kg" for row in range(30)], Number(unit="kg"), {"5 kg": 5, "5kg": 5, "5": 5, 5: 5, 5.5: 5.5}),
        ([f"{row},5 m²" for row in range(30)], Number(",", unit="m²"), {"5,5 m²": 5.5, "7": 7, 7.5: 7.5}),
        ([f"{row}°C" for row in range(-9, 30)], Number(unit="°C"), {"-3 °C": -3, "21": 21}),
        ([f"{row} km/h" for row in range(30)], Number(unit="km/h"), {"90 km/h": 90}),
        (["?", *(f"{row} kg" for row in range(30))], Number(gap="?", unit="kg"), {"5 kg": 5}),
        (["20240131", "20231201"], Time("digits"), {"19700102": 86400, 19700102: 86400}),
        ([20240131, 20231201], Time("digits"), {"19700102": 86400, pd.Timestamp("1970-01-02"): 86400}),
        (["202401311200", "19700101000130"], Time("digits"), {"19700101000130": 90, 197001010001: 60}),
        (["2023-01", "2023-12"], Time("year month"), {"1970-02": 31 * 86400, pd.Timestamp("1970-02-01"): 31 * 86400}),
        (["Jan 2023", "March 2024"], Time("month year"), {"feb 1970": 31 * 86400}),
        (["01/2023", "12/2024"], Time("month year"), {"2/1970": 31 * 86400}),
    ],
)  # fmt: skip
def test_units_and_dates_without_days_are_read_and_predicted_alike(
    values: list[Any], kind: Any, again: dict[Any, float]
) -> None:
    reader, _ = Reader.fit({"x": values})
    assert reader.columns[0].kind == kind
    assert reader.notes
    saved = Reader.from_json(reader.to_json())
    for value, expected in again.items():
        assert saved.read({"x": [value]})["x"].tolist() == [expected]
        assert saved.read(pd.DataFrame({"x": [value]}))["x"].tolist() == [expected]


@pytest.mark.parametrize(
    "values",
    [
        ["36 months", "60 months"] * 20,
        [f"{row} kg" for row in range(30)] + ["5 g"],
        ["2023-13", "2023-01"],
        ["1234-05", "1234-06"],
        ["room 5"] * 30,
        [f"00{row} kg" for row in range(30)],
    ],
)
def test_what_is_no_single_unit_or_no_month_is_text(values: list[str]) -> None:
    assert isinstance(Reader.fit({"x": values})[0].columns[0].kind, Text)


@pytest.mark.parametrize("values", [["20240230", "20240101"], ["20240101", "5"], [20240101.5], [-20240101]])
def test_numbers_of_which_one_is_no_date_are_numbers(values: list[Any]) -> None:
    assert Reader.fit({"x": values})[0].columns[0].kind == Number()


def test_a_key_overrules_what_is_found() -> None:
    for values in (["20240131"], [20240131]):
        assert Reader.fit({"x": values}, Options(wanted={"x": "number"}))[1]["x"].tolist() == [20240131]
        assert Reader.fit({"x": values}, Options(wanted={"x": "text"}))[1]["x"].tolist() == ["20240131"]
    few = {"x": ["36 months", "60 months"]}
    assert Reader.fit(few, Options(wanted={"x": "number"}))[1]["x"].tolist() == [36, 60]


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (["5", "12", "1'304.00"], "(\"1'304.00\"): read as numbers with decimal '.', thousands \"'\""),
        (
            ["5", "1\u202f304,5"],
            "('1\\u202f304,5'): read as numbers with decimal ',', blanks between thousands",
        ),
        (["$5.5", "$1,304.00"], "('$1,304.00'): read as numbers with decimal '.', thousands ','"),
        (["5", "\u22122.5"], "('\u22122.5'): read as numbers with decimal '.'"),
        ([f"{row}.5 kg" for row in range(30)], "('0.5 kg'): read as numbers with decimal '.', the unit 'kg'"),
    ],
)
def test_a_note_shows_a_value_that_has_the_marks(values: list[str], note: str) -> None:
    assert note in Reader.fit({"x": values})[0].notes[0]


def test_marks_that_contradict_each_other_are_told() -> None:
    reader, _ = Reader.fit({"x": ["3,5", "1.5", "2"]})
    assert isinstance(reader.columns[0].kind, Text)
    assert (
        "column 'x': numbers with marks that contradict each other ('1.5' and '3,5'), taken as text"
        in reader.notes[0]
    )


def test_words_that_count_as_missing_are_known() -> None:
    table = Reader.fit(
        {"x": ["NA", "a", " None ", "", "?"], "y": ["1", "nan", "2", "3", "4"]}, Options(missing_values=["?"])
    )[1]
    assert table.marks == {"x": ("NA", "None"), "y": ("nan",)}


@pytest.mark.parametrize("cached", ["always", "never"])
def test_categories_of_numbers_stay_categories_in_parquet(tmp_path: Path, cached: str) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"x": pd.Categorical([3, 1, 3]), "n": [1, 2, 3]}).to_parquet(path)
    reader, table = mapped.fit(path, cached=cached)
    assert [each.kind for each in reader.columns] == [Text(), Number()]
    assert table["x"].tolist() == ["3", "1", "3"]
    assert reader.read(pd.DataFrame({"x": [1, 3], "n": [1, 2]}))["x"].tolist() == ["1", "3"]
