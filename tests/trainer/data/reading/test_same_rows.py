"""The same rows give the same values, whatever brings them."""

import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainer.data.reading.kinds import Boolean, Number, Text, Time
from trainer.data.reading.reader import Options, Reader, Table
from trainer.data.reading.spelling import numbers, times

ROWS = 8
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WORDS = [
    "Bonn",
    "Oslo",
    "a, b",
    'say "so"',
    "x;y",
    "two\nlines",
    "007x",
    "3.50",
    "12",
    "tab\there",
    "Köln",
    "NO",
    "1e5",
]
decimals = st.decimals(min_value=-(10**9), max_value=10**9, places=4, allow_nan=False, allow_infinity=False)
COLUMNS = {
    "int": st.integers(-(2**53) + 1, 2**53 - 1),
    "float": decimals.map(float),
    "word": st.sampled_from(WORDS),
    "flag": st.booleans(),
    "time": st.integers(-(10**9), 4 * 10**9).map(lambda each: EPOCH + timedelta(seconds=each)),
    "code": st.integers(0, 999),
}  # fmt: skip


@st.composite
def rows(draw: st.DrawFn) -> dict[str, list[Any]]:
    table = {}
    for name, values in COLUMNS.items():
        some = draw(st.lists(values, min_size=ROWS, max_size=ROWS))
        gaps = draw(st.lists(st.booleans(), min_size=ROWS, max_size=ROWS))
        table[name] = [None if gap else each for gap, each in zip(gaps, some, strict=True)]
    table["word"][0], table["int"][0], table["float"][0] = "Oslo", 5, 2.5  # each column has a kind
    table["flag"][0], table["time"][0], table["code"][0] = True, EPOCH, 7
    return table


def text_of(table: dict[str, list[Any]], *, comma: bool) -> dict[str, list[str]]:
    def spelled(name: str, value: Any) -> str:
        if value is None:
            return ""
        if name == "code":
            return f"{value:03}"
        if name == "float":
            plain = f"{value:.4f}"
            return plain.replace(".", ",") if comma else plain
        if name == "time":
            return str(value.strftime("%Y-%m-%d %H:%M:%S"))
        return str(value)

    return {name: [spelled(name, each) for each in values] for name, values in table.items()}


def assert_same(one: Table, other: Table) -> None:
    assert [*one] == [*other]
    for name in one:
        if one[name].dtype == object:
            assert one[name].tolist() == other[name].tolist(), name
        else:
            assert one[name].tobytes() == other[name].tobytes(), (name, one[name], other[name])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=rows(),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    comma=st.booleans(),
    trailing=st.booleans(),
)
def test_every_dialect_and_every_holder_of_the_rows(
    tmp_path: Path,
    table: dict[str, list[Any]],
    separator: str,
    encoding: str,
    ending: str,
    comma: bool,
    trailing: bool,
) -> None:
    text = pd.DataFrame(text_of(table, comma=comma))
    body = text.to_csv(index=False, sep=separator, lineterminator=ending)
    if trailing and "two\nlines" not in table["word"]:
        body = ending.join(line + separator if line else line for line in body.split(ending))
    path = tmp_path / "t.csv"
    path.write_bytes(body.encode(encoding))
    reader, first = Reader.fit(path, Options(wanted={"word": "text"}))
    assert reader.names == tuple(COLUMNS)
    assert Reader.from_json(json.loads(json.dumps(reader.to_json()))) == reader
    typed = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in table.items()})
    frames = [
        pd.read_csv(path, sep=separator, encoding=encoding, index_col=False),
        pd.read_csv(io.StringIO(body), sep=separator, dtype=str, keep_default_na=False, index_col=False),
        typed,
        typed.convert_dtypes(),
        typed.astype({"word": "category"}),
    ]
    parquet, feather = tmp_path / "t.parquet", tmp_path / "t.feather"
    typed.to_parquet(parquet)
    typed.to_feather(feather)
    records = typed.to_dict("records")
    for other in (path, *frames, parquet, str(feather), table, records, pa.table(typed)):
        assert_same(reader.read(other), first)
    for row, record in enumerate(records[:3]):
        assert_same(reader.read({name: record[name] for name in table}), first.take(np.array([row])))


def test_the_kinds_of_typed_columns(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "money": [Decimal("1.10"), None],
            "small": np.array([0.1, 2.5], np.float32),
            "day": [datetime(2024, 5, 31).date(), None],
            "clock": [datetime(2024, 5, 31, 18, 30).time(), None],
            "span": [timedelta(minutes=2), None],
            "city": pd.Categorical(["1", "2"]),
            "big": [2**60, 2**60 + 1],
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    reader, table = Reader.fit(tmp_path / "t.parquet")
    kinds = {each.name: each.kind for each in reader.columns}
    assert kinds["money"] == kinds["small"] == Number()
    assert kinds["span"] == Number(unit="s")
    assert (kinds["day"], kinds["clock"], kinds["city"], kinds["big"]) == (
        Time(),
        Time("clock"),
        Text(),
        Text(),
    )
    assert table["money"][0] == 1.1
    assert table["small"].tolist() == [
        0.1,
        2.5,
    ]  # as text has it, not the float nearest to a float of half the size
    assert table["clock"][0] == 18.5 * 3600
    assert table["span"][0] == 120
    assert table["city"].tolist() == ["1", "2"]
    assert table["big"].tolist() == [str(2**60), str(2**60 + 1)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_no_text_makes_a_parser_fail(texts: list[str]) -> None:
    array = pa.array(texts, pa.string())
    for decimal, thousands in ((".", None), (".", ","), (",", "."), (",", numbers.GROUPS)):
        numbers.parsed(array, decimal, thousands)
    for style in times.STYLES:
        times.parsed(array, style)
    signed = Number(sign="$"), Number(",", ".", sign="%"), Number(sign=None)
    moments = Time("month"), Time("clock"), Time("digits"), Time("seconds")
    for kind in (Number(), *signed, *moments, Boolean("Yes", "No"), Text(), Text(3)):
        kind.read(array, ("?", "-200"))
    Reader.fit({"x": texts})


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("0123456789.,-+$%€ e()'/:", max_size=14), min_size=1, max_size=5))
def test_no_number_or_time_makes_a_parser_fail(texts: list[str]) -> None:
    test_no_text_makes_a_parser_fail.hypothesis.inner_test(texts)  # type: ignore[attr-defined]


@given(st.integers(1, 10**15 - 1), st.integers(-40, 20))
def test_a_canonical_number_is_the_float_nearest_to_its_15_digits(digits: int, power: int) -> None:
    number = float(f"{digits}e{power}")
    near = [np.nextafter(number, -np.inf), number, -number, np.nextafter(number, np.inf)]
    if not number.is_integer():  # whole numbers are exact in every parser
        assert numbers.canonical(np.array(near)).tolist() == [number, number, -number, number]
    assert numbers.canonical(np.array([number])).tolist() == [number]


def test_two_parsers_of_one_text_agree() -> None:
    texts = [f"{value:.14g}" for value in np.random.default_rng(0).normal(size=2000)]
    body = "x\n" + "\n".join(texts)
    reader, _ = Reader.fit({"x": texts})
    fast = reader.read(pd.read_csv(io.StringIO(body)))
    exact = reader.read(pd.DataFrame({"x": [float(each) for each in texts]}))
    assert_same(fast, exact)
    assert_same(fast, reader.read({"x": texts}))


@pytest.mark.parametrize(
    ("value", "label"),
    [("3", "3"), (3, "3"), (3.0, "3"), ("3.0", "3"), (" 3 ", "3"), (True, "true"), ("TRUE", "true"), ("3.50", "3.5"),
     (3.5, "3.5"), ("NA", None), (" ", None), (None, None), (float("nan"), None), (pd.NA, None), ("x y", "x y")],
)  # fmt: skip
def test_a_category_has_one_label(value: Any, label: str | None) -> None:
    reader, _ = Reader.fit({"x": ["a", "3", "b"]})
    assert reader.read({"x": value})["x"].tolist() == [label]
