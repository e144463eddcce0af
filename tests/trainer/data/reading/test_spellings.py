"""Numbers as SAP and spreadsheets write them, elapsed times, and months of other languages."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from trainer.data.reading.kinds import SECONDS, Number, Text, Time
from trainer.data.reading.reader import Reader
from trainer.data.reading.spelling import times
from trainer.errors import DataError

MONTHS = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "fr short": "janv févr mars avr mai juin juil août sept oct nov déc",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
}


def fitted(values: Any) -> tuple[Reader, Any]:
    reader, table = Reader.fit({"x": values})
    return reader, table["x"].tolist()


@pytest.mark.parametrize(
    ("texts", "numbers", "sign"),
    [
        (["12.30-", "5.10", "1.00-"], [-12.3, 5.1, -1], ""),
        (["1.234,50-", "12,30"], [-1234.5, 12.3], ""),
        (["1.50- €", "2.25 €"], [-1.5, 2.25], "€"),
        (["22.91‰", "5.1 ‰"], [22.91, 5.1], "‰"),
        (['="20.15"', '="3.5"', '=""'], [20.15, 3.5, None], ""),
        (["'5", "'-16.5"], [5, -16.5], ""),
    ],
)
def test_numbers_of_other_programs_are_read(texts: list[str], numbers: list[float], sign: str) -> None:
    reader, found = fitted(texts)
    kind = reader.columns[0].kind
    assert isinstance(kind, Number)
    assert kind.sign == sign
    assert [None if np.isnan(each) else each for each in found] == numbers


@pytest.mark.parametrize("texts", [["-5-", "3"], ["(5-)", "3"], ["5--", "3"], ["5% ", "5‰"], ["'tis", "'5x"]])
def test_what_is_no_number_stays_text(texts: list[str]) -> None:
    assert fitted(texts) == (fitted(texts)[0], [each.strip() for each in texts])


def test_codes_that_a_spreadsheet_was_told_to_keep_are_codes() -> None:
    reader, found = fitted(['="007"', '="011"'])
    assert reader.columns[0].kind == Text(3)
    assert found == ["007", "011"]


@pytest.mark.parametrize(
    ("texts", "seconds"),
    [
        (["45:12:33", "1:02:03"], [162753, 3723]),
        (["1 day, 2:03:04", "2 days, 0:00:01.5"], [93784, 172801.5]),
        (["-1 days +23:00:00", "0 days 00:00:01"], [-3600, 1]),
        (["45:12", "99:59"], [2712, 5999]),
        (["3h 20m", "45m", "2 hours"], [12000, 2700, 7200]),
        (["PT3H20M", "PT5M", "P1DT0.5S"], [12000, 300, 86400.5]),
        (["30s", "5 min", "-1.5h"], [30, 300, -5400]),
    ],
)
def test_elapsed_times_are_seconds_also_at_prediction(texts: list[str], seconds: list[float]) -> None:
    reader, found = fitted(texts)
    assert reader.columns[0].kind == Number(unit=SECONDS)
    assert found == seconds
    assert "elapsed times" in reader.notes[0]
    assert reader.read({"x": ["0:01:30", "2h", "45"]})["x"].tolist() == [90, 7200, 45]
    with pytest.raises(DataError, match=r"holds 'soon' in row 1"):
        reader.read({"x": ["soon"]})


@pytest.mark.parametrize(
    "texts", [["45m", "50m"], ["5m", "3d"], ["102:98", "88:90"], ["P", "PT"], ["3h", "h"]]
)
def test_what_may_be_lengths_or_scores_is_no_elapsed_time(texts: list[str]) -> None:
    assert fitted(texts)[1] == texts


def test_times_of_day_stay_times_of_day() -> None:
    assert fitted(["12:30:00", "3:05:00"])[0].columns[0].kind == Time("clock")
    assert fitted(["12:30", "24:00"])[1] == ["12:30", "24:00"]  # which the doubt about the column names


@pytest.mark.parametrize("names", MONTHS.values(), ids=MONTHS.keys())
def test_months_of_other_languages_are_read(names: str) -> None:
    texts = [f"3. {name} 2020" for name in names.split()]
    months = np.arange("2020-01", "2021-01", dtype="M8[M]").astype("M8[D]") + 2
    seconds, bad = times.parsed(pa.array(texts), "day name")
    assert not bad.any()
    assert seconds.tolist() == months.astype("M8[s]").astype(np.int64).tolist()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("03/Mar/2021:10:30:01 +0100", "2021-03-03T09:30:01"),
        ("[03/Mar/2021:10:30:01 +0100]", "2021-03-03T09:30:01"),
        ("3 de marzo de 2020", "2020-03-03"),
        ("1er juin 2020", "2020-06-01"),
        ("4th March 2021", "2021-03-04"),
        ("March 4th, 2021", "2021-03-04"),
        ("2021-03-01 10:30 EST", "2021-03-01T15:30"),
        ("2021-03-01 10:30 CEST", "2021-03-01T08:30"),
    ],
)
def test_times_of_logs_and_letters_are_read(text: str, moment: str) -> None:
    reader, found = fitted([text])
    assert isinstance(reader.columns[0].kind, Time)
    assert found == [float(np.datetime64(moment, "s").astype(np.int64))]


@pytest.mark.parametrize("texts", [["SET01", "SET12"], ["out 12", "out 22"], ["gen 10", "gen 11"]])
def test_words_of_other_languages_alone_make_no_month(texts: list[str]) -> None:
    assert fitted(texts)[1] == texts
