"""Dates and times in the forms that people and programs write, and the same moment in another form at prediction."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trainer.data.reading.kinds import Boolean, Number, Text, Time
from trainer.data.reading.reader import Options, Reader
from trainer.errors import DataError

MONTHS = [f"2023{month:02}" for month in range(1, 9)]


def fitted(values: Any, wanted: str | None = None, **options: Any) -> tuple[Reader, Any]:
    reader, table = Reader.fit({"x": values}, Options(wanted={"x": wanted} if wanted else {}, **options))
    return reader, table["x"]


def moment(text: str) -> float:
    return float(np.datetime64(text, "s").astype(np.int64))


@pytest.mark.parametrize(
    ("texts", "style", "first"),
    [
        (["05NOV2022", "31DEC2022"], "day name", "2022-11-05"),
        (["05-Nov-22", "31-Dec-99"], "day name", "2022-11-05"),
        (["05NOV2022:10:30:00"], "day name", "2022-11-05T10:30"),
        (["5. Nov 2022"], "day name", "2022-11-05"),
        (["Sat, 05 Nov 2022 10:00:00 GMT"], "day name", "2022-11-05T10:00"),
        (["SEPTEMBER 5, 2022", "Sept. 6, 2022"], "name day", "2022-09-05"),
        (["Jan-23", "Dec-99"], "month year", "2023-01-01"),
        (["January '23"], "month year", "2023-01-01"),
        (["NOV2022"], "month year", "2022-11-01"),
        (["20230115 10:30", "20231231 00:00"], "compact", "2023-01-15T10:30"),
        (["20230115T103000Z"], "compact", "2023-01-15T10:30"),
        (["20230115_103000"], "compact", "2023-01-15T10:30"),
        (["5. 11. 2022", "31. 12. 2022"], "day", "2022-11-05"),
        (["05-11-99", "31-12-98"], "day", "1999-11-05"),
        (["99-12-31"], "year", "1999-12-31"),
        (["2023Q3", "2023-Q4"], "quarter", "2023-07-01"),
        (["Q3 2023"], "quarter", "2023-07-01"),
        (["2023-W01", "2020-W53"], "week", "2023-01-02"),
        (["2021-W01-7"], "week", "2021-01-10"),
        (["05.11.2022 16:15 Uhr", "31.12.2022 16:15 Uhr"], "day", "2022-11-05T16:15"),
        (MONTHS, "month digits", "2023-01-01"),
        ([int(each) for each in MONTHS], "month digits", "2023-01-01"),
        ([float(each) for each in MONTHS], "month digits", "2023-01-01"),
        (pd.period_range("2023-01", periods=3, freq="M"), "year month", "2023-01-01"),
        (pd.period_range("2023-01", periods=3, freq="Q"), "quarter", "2023-01-01"),
        (pd.period_range("2023-01-02", periods=3, freq="W"), "iso", "2023-01-02"),
        (pd.period_range("2023-01-02", periods=3, freq="h"), "iso", "2023-01-02"),
    ],
)
def test_a_form_of_one_meaning_is_read(texts: Any, style: str, first: str) -> None:
    reader, values = fitted(texts)
    assert reader.columns[0].kind == Time(style)
    assert values[0] == moment(first)
    assert not np.isnan(values).any()


@pytest.mark.parametrize(
    "texts",
    [
        ["Marble 2022"],
        ["Maybe-23"],
        ["2021-W53"],
        ["2023Q5"],
        ["32NOV2022"],
        ["20231315 10:30"],
        ["12-34-56"],
    ],
)
def test_what_only_looks_like_a_date_is_text(texts: list[str]) -> None:
    assert fitted(texts)[0].columns[0].kind == Text()


def test_dates_whose_order_is_open_are_text_until_it_is_given() -> None:
    texts = ["05-11-22", "13-12-23"]
    reader, _ = fitted(texts)
    assert reader.columns[0].kind == Text()
    assert "set data.date_order to what comes first (day or year)" in reader.notes[0]
    assert fitted(texts, date_order="day")[1][0] == moment("2022-11-05")
    assert fitted(texts, date_order="year")[1][0] == moment("2005-11-22")
    assert fitted(texts, "time")[1][0] == moment("2022-11-05")
    assert fitted(["05/11/22", "13/12/23"], date_order="year")[0].columns[0].kind == Time("day")


def test_days_of_months_are_no_years() -> None:
    days = [f"Mar {day:02}" for day in range(1, 29)]
    reader, _ = fitted(days)
    assert reader.columns[0].kind == Text()
    assert "'Mar 01' that seem to lack a year, taken as text; name the column in data.time" in reader.notes[0]
    assert fitted(days, "time")[1][0] == moment("2001-03-01")
    assert fitted(days[:20])[1][0] == moment("2001-03-01")
    assert fitted([*days, "Mar 87"])[0].columns[0].kind == Time("month year")
    assert fitted([f"Mar {year}" for year in range(1990, 2020)])[0].columns[0].kind == Time("month year")


def test_few_numbers_that_may_be_months_are_told() -> None:
    reader, _ = fitted(MONTHS[:3])
    assert reader.columns[0].kind == Number()
    assert "may be dates (202301); name the column in data.time" in reader.notes[0]
    assert fitted([202301, 202302])[0].notes == reader.notes
    assert fitted(MONTHS[:3], "time")[0].columns[0].kind == Time("month digits")
    assert fitted(["202301"] * 9)[0].notes == ()


@pytest.mark.parametrize(
    ("values", "style", "first"),
    [
        (["14.30", "9.15"], "clock", "1970-01-01T14:30"),
        (["22:10", "07:15"], "clock", "1970-01-01T22:10"),
        (["05.11.22", "31.07.23"], "day", "2022-11-05"),
        ([2019, 2020], "years", "2019-01-01"),
        (["1066", "2020"], "years", "1066-01-01"),
        ([1672531200, 1672531260], "seconds", "2023-01-01"),
        (["1672531200000"], "milliseconds", "2023-01-01"),
        (["202301"], "month digits", "2023-01-01"),
        ([20230115, 0], "digits", "2023-01-15"),
    ],
)
def test_columns_that_are_said_to_hold_times_do(values: Any, style: str, first: str) -> None:
    reader, found = fitted(values, "time")
    assert reader.columns[0].kind == Time(style)
    assert found[0] == moment(first)


@pytest.mark.parametrize("values", [["5", "6"], [0, 1], [5.5], [True, False], ["x"]])
def test_columns_that_hold_no_times_are_refused_as_such(values: Any) -> None:
    with pytest.raises(DataError, match="is used as times but holds"):
        fitted(values, "time")


@pytest.mark.parametrize(
    ("values", "wanted", "expected"),
    [
        ([datetime(2023, 1, 1)], "number", Time()),
        ([datetime(2023, 1, 1)], "time", Time()),
        ([timedelta(seconds=5)], "number", Number(unit="s")),
        ([True], "number", Number()),
        ([1, 2], "text", Text()),
    ],
)
def test_typed_columns_are_as_they_are_wanted(values: Any, wanted: str, expected: Any) -> None:
    reader, found = fitted(values, wanted)
    assert reader.columns[0].kind == expected
    assert found[0] in (moment("2023-01-01"), 5, 1, "1")


@pytest.mark.parametrize("mark", ["0", "99999999", "?"])
def test_one_mark_of_a_missing_date_leaves_the_others_dates(mark: str) -> None:
    texts = [str(20230101 + day) for day in range(20)]
    reader, values = fitted([*texts, mark])
    assert isinstance(kind := reader.columns[0].kind, Time)
    assert kind.style == "digits"
    assert np.isnan(values).tolist() == [False] * 20 + [True]
    assert f"{mark if mark.isdigit() else repr(mark)} counts as missing" in reader.notes[0]
    assert np.isnan(Reader.from_json(reader.to_json()).read({"x": [mark, texts[0]]})["x"]).tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize("form", ["%Y%m%d", "%Y%m"])
def test_numbers_that_nearly_all_are_dates_are_told(form: str) -> None:
    days = [int((date(2022, 1, 3) + timedelta(days=30 * row)).strftime(form)) for row in range(40)]
    odd = int(f"{days[7] // 100}00")
    for values in ([*days, odd], [str(each) for each in [*days, odd]]):
        _, table = Reader.fit({"x": values})
        assert isinstance(table.kinds["x"], Number)
        assert f"40 of 41 values are {'dates' if form == '%Y%m%d' else 'months'}" in table.doubts["x"].told
        assert f"row 41 holds '{odd}'" in table.doubts["x"].told
    assert isinstance(fitted([*days, odd], missing_values=[str(odd)])[0].columns[0].kind, Time)
    assert not Reader.fit({"x": [0] * 90 + [20230115] * 10})[1].doubts


DAYS = [
    "2023-12-04",
    "20231204",
    20231204,
    20231204.0,
    "4 Dec 2023",
    "04DEC2023",
    "Dec 4, 2023",
    date(2023, 12, 4),
]
DAYS += [
    datetime(2023, 12, 4),
    pd.Timestamp("2023-12-04"),
    np.datetime64("2023-12-04"),
    pd.Period("2023-12-04", "D"),
]
IN_MONTHS = [
    "2023-12",
    "Dec 2023",
    "Dec-23",
    "12/2023",
    "202312",
    202312,
    pd.Period("2023-12", "M"),
    "2023-12-01",
]


@pytest.mark.parametrize(
    ("trained", "given"),
    [
        (["2023-12-04", "2023-01-15"], DAYS),
        (["20231204", "20230115"], DAYS),
        ([20231204, 20230115], DAYS),
        (["04.12.2023", "15.01.2023"], [*DAYS, "04.12.2023", "4.12.23", "04/12/2023"]),
        (["12/04/2023", "01/15/2023"], [*DAYS, "12/4/23"]),
        (["04DEC2023"], DAYS),
        ([date(2023, 12, 4)], DAYS),
        (["2023-12", "2023-01"], IN_MONTHS),
        (["Dec-23", "Jan-23"], IN_MONTHS),
        (["202312", *MONTHS], IN_MONTHS),
        (["Q4 2023", "Q1 2024"], ["2023Q4", pd.Period("2023Q4", "Q"), "2023-10-01"]),
        (
            ["22:51", "07:00"],
            ["10:51 PM", "22:51:00", timedelta(hours=22, minutes=51), datetime(2024, 1, 1, 22, 51)],
        ),
        (["22:51", "07:00"], [pd.Timestamp("2026-11-29 22:51", tz="Europe/Berlin"), "2026-11-29 22:51:00"]),
        (["Y", "N"], ["Yes", "yes", True, 1, "1", "true", "T", 1.0, "y"]),
        (["no", "yes"], [False, "N", "f", 0, "FALSE"]),
        (["$5", "$7"], [5, "5", "$5", "US$ 5", "5 USD", 5.0]),
        (["5%", "7%"], [5, "5", "5 %"]),
    ],
)
def test_one_meaning_in_another_form_gives_the_same_value(trained: list[Any], given: list[Any]) -> None:
    reader, values = fitted(trained)
    for each in given:
        for table in ({"x": each}, {"x": [each, each]}, [{"x": each}], pd.DataFrame({"x": [each]})):
            assert reader.read(table)["x"][0] == values[0], each


@pytest.mark.parametrize(
    ("trained", "given"),
    [
        (["2023-12-04"], ["2023-12", 202312, 2023, 0, True, "04.12.2023", datetime(2024, 1, 1, 5).time(), timedelta(1)]),
        ([20231204], ["2023-12", 20231399, False]),
        (["12/04/2023", "01/15/2023"], ["16/12/22"]),
        (["2023-12"], [2023, "Q4 2023", "04/05/2023"]),
        (["22:51"], [22.51, date(2024, 1, 1), "2024-01-01", timedelta(2), True]),
        (["5", "7"], ["5%", "$5", date(2024, 1, 1), timedelta(seconds=5), datetime(2024, 1, 1, 5).time(), pd.Period("2024-01", "M")]),
        ([5.5, 7.5], ["5%", pd.Timestamp("2024-01-01")]),
        (["$5", "$7"], ["€5", "5 GBP", "5%"]),
        (["5%", "7%"], ["$5"]),
        (["Y", "N"], ["maybe", 2]),
    ],
)  # fmt: skip
def test_what_may_mean_something_else_is_named(trained: list[Any], given: list[Any]) -> None:
    reader, _ = fitted(trained)
    for each in given:
        with pytest.raises(DataError, match=r"column 'x' is used as .* but holds .* in row 1"):
            reader.read({"x": [each]})


def test_periods_of_a_parquet_file_are_those_of_the_frame(tmp_path: Path) -> None:
    periods = pd.Series(pd.period_range("2023-01", periods=30, freq="M"))
    periods[3] = pd.NaT
    frame = pd.DataFrame({"x": periods})
    frame.to_parquet(tmp_path / "t.parquet")
    reader, table = Reader.fit(tmp_path / "t.parquet")
    assert reader.columns[0].kind == Time("year month")
    assert np.isnan(table["x"]).sum() == 1
    unknown = pa.table({"x": pa.array(periods.dropna(), from_pandas=True).storage}).cast(
        pa.schema(
            [
                pa.field(
                    "x",
                    pa.int64(),
                    metadata={
                        "ARROW:extension:name": "pandas.period",
                        "ARROW:extension:metadata": '{"freq": "M"}',
                    },
                )
            ]
        )
    )  # as it is read where pandas was not imported
    for other in (
        frame,
        pq.read_table(tmp_path / "t.parquet"),
        frame.to_dict("list"),
        frame.to_dict("records"),
    ):
        assert np.array_equal(reader.read(other)["x"], table["x"], equal_nan=True)
    assert np.array_equal(reader.read(unknown)["x"], table["x"][~np.isnan(table["x"])])


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (["$91", "€23"], "numbers in several currencies ('$91' and '€23'), taken as text"),
        (["5 EUR", "7", "5 USD"], "several currencies"),
        (["17%", ".17"], "numbers with percent and without ('17%' and '.17'), taken as text"),
        (["17%", "$5"], "numbers with percent and without"),
    ],
)
def test_numbers_that_do_not_mean_the_same_are_text_unless_they_are_wanted(
    texts: list[str], shown: str
) -> None:
    reader, _ = fitted(texts)
    assert reader.columns[0].kind == Text()
    assert shown in reader.notes[0]
    wanted, _ = fitted(texts, "number")
    assert wanted.columns[0].kind == Number(sign=None)
    assert "several signs (" in wanted.notes[0]


@pytest.mark.parametrize(
    "texts", [["$91", "US$ 23", "5 USD", "7"], ["5%", "0", "7.5 %"], ["€5", "5 EUR", "0"]]
)
def test_numbers_of_one_sign_are_numbers(texts: list[str]) -> None:
    assert isinstance(fitted(texts)[0].columns[0].kind, Number)


def test_numbers_with_a_letter_are_codes_unless_it_stands_apart_or_they_have_fractions() -> None:
    codes = [f"{50000 + row}A" for row in range(30)]
    reader, _ = fitted(codes)
    assert reader.columns[0].kind == Text()
    assert (
        "codes that end in 'A' ('50000A'), taken as text; name the column in data.numeric" in reader.notes[0]
    )
    assert fitted(codes, "number")[0].columns[0].kind == Number(unit="A")
    for form in ("{} A", "{}.5A", "{}m", "{}kg"):
        assert isinstance(fitted([form.format(row) for row in range(30)])[0].columns[0].kind, Number)


def test_words_of_truth_keep_the_spelling_of_the_training() -> None:
    assert fitted(["Y", "N"])[0].columns[0].kind == Boolean("Y", "N")
