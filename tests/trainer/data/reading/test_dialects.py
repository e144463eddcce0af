"""How a text file writes its table is found, may be given, and is kept for other files."""

import bz2
import gzip
import lzma
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from trainer.data.reading import dialect
from trainer.data.reading.kinds import Boolean, Number, Text, Time
from trainer.data.reading.reader import Options, Reader
from trainer.errors import DataError

ROWS = "a,b\n1,x\n2,y\n3,x\n"


def fitted(tmp_path: Path, text: str | bytes, name: str = "t.csv", **options: Any) -> tuple[Reader, Any]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Reader.fit(path, Options(**options))


def kind(*texts: Any, **options: Any) -> Any:
    return Reader.fit({"x": [*texts]}, Options(**options))[0].columns[0].kind


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,b\n1,2\n", ["a", "b"]),
        (" a , b \n1,2\n", ["a", "b"]),
        ("\n\na;b\n1,5;2\n", ["a", "b"]),
        ("a\tb c\n1\t2\n", ["a", "b c"]),
        ("a b\n1 2\n3 4\n", ["a", "b"]),
        ("  a   b\n  1  2\n 3   4\n", ["a", "b"]),
        ("text\nthree words here\ntwo words\n", ["text"]),
        (",x,y\n0,1,2\n", ["column_1", "x", "y"]),
        ("y,x,y,y\n1,2,3,4\n", ["y", "x", "y.1", "y.2"]),
        ("y,y.1,y\n1,2,3\n", ["y", "y.1", "y.2"]),
        ("a,b,\n1,2,\n3,4,\n", ["a", "b"]),
        ("a,b\n1,2,\n3,4,\n", ["a", "b"]),
        ("a,b\nr1,1,2\nr2,3,4\n", ["column_1", "a", "b"]),
        ('"a\nb",c\n1,2\n', ["a\nb", "c"]),
        ('a, "b, c"\n1, "x, y"\n', ["a", "b, c"]),
        ("x[0],{y},z=1\n1,2,3\n", ["x[0]", "{y}", "z=1"]),
        ("1,2,3\n0.5,2.5,1\n1.5,3.5,0\n", ["1", "2", "3"]),
    ],
)
def test_a_header_has_names_that_are_unique(tmp_path: Path, text: str, names: list[str]) -> None:
    reader, table = fitted(tmp_path, text)
    assert list(reader.names) == [*table] == names
    assert len(table) == len([line for line in text.split("\n") if line]) - 1 - text.count('"a\nb"')


@pytest.mark.parametrize(
    ("text", "has_header"),
    [
        ("0.182,0.083,0\n-1.423,-0.896,0\n", False),
        ("39, State-gov, Male\n50, Private, Male\n38, Private, Male\n31, State-gov, Male\n", False),
        ("2024-01-01,5\n2024-01-02,6\n", False),
        ("p,x\ne,x\np,y\np,x\ne,y\n", False),
        ("id,100,250\n1,2,3\n2,3,4\n", True),
        ("kind,shade\np,x\ne,x\np,y\np,x\n", True),
        ("text,y\nok see you,0\nhello there,1\n", True),
        ("a,b\n,\n", True),
    ],
)
def test_a_header_is_told_from_values(tmp_path: Path, text: str, has_header: bool) -> None:
    reader, table = fitted(tmp_path, text)
    assert reader.dialect is not None
    assert reader.dialect.header is has_header
    if not has_header:
        assert reader.names == tuple(f"column_{n}" for n in range(1, len(table.columns) + 1))
        assert "no header line is found" in " ".join(reader.notes)
        assert "data.header=true" in " ".join(reader.notes)
    assert fitted(tmp_path, text, header=not has_header)[0].dialect.header is not has_header  # type: ignore[union-attr]


X = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 5)).round(3))
LABEL = ["cat", "dog"] * 20


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize(
    "frame",
    [
        X,
        X.assign(label=LABEL),
        X.assign(label=range(40)),
        X.assign(name=[f"n{row}" for row in range(40)]),
        X[[1, 4]].assign(label=LABEL),
        X[[0, 1]],
        X[[3, 4]].assign(label=LABEL)[9:12],
        X.sample(frac=1, random_state=0).assign(a=LABEL, b=LABEL),
        (X[[0, 1, 2]] * 99).astype(int).assign(label=LABEL),
        X.set_axis(range(1990, 2015, 5), axis=1).assign(region=LABEL),
        (X * 99).astype(int).set_axis(range(2019, 2024), axis=1).assign(country=[f"n{row}" for row in range(40)]),
        pd.DataFrame({"row": [f"n{row}" for row in range(40)], "label": LABEL}).join(X),
    ],
)  # fmt: skip
def test_numbers_that_pandas_writes_as_names_are_names(frame: pd.DataFrame, index: bool) -> None:
    if not index and len(frame) < 10:
        return  # so few rows do not tell
    found = dialect.find(frame.to_csv(index=index).encode())
    assert found.names == (*(["column_1"] if index else []), *map(str, frame.columns))
    assert not dialect.find(frame.to_csv(index=index, header=False).encode()).dialect.header


def test_names_can_be_given(tmp_path: Path) -> None:
    reader, table = fitted(tmp_path, "1,2\n3,4\n", names=["x", "y"])
    assert (reader.names, table["y"].tolist()) == (("x", "y"), [2, 4])
    with pytest.raises(DataError, match=r"data\.names holds 1 names, but the file has 2 columns"):
        fitted(tmp_path, "1,2\n3,4\n", names=["x"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_the_encoding_is_found(tmp_path: Path, encoding: str) -> None:
    text = "städte,y\nKöln,1\nMünchen,2\n" + "Bonn und Köln,3\n" * 20
    reader, table = fitted(tmp_path, text.encode(encoding))
    assert table["städte"][0] == "Köln"
    assert ("read as cp1252" in " ".join(reader.notes)) is (encoding == "cp1252")


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("t.csv.gz", gzip.compress(ROWS.encode())),
        ("t.csv.bz2", bz2.compress(ROWS.encode())),
        ("t.csv.xz", lzma.compress(ROWS.encode())),
        ("t.csv.zst", pa.compress(ROWS.encode(), codec="zstd", asbytes=True)),
    ],
    ids=["gz", "bz2", "xz", "zst"],  # the bytes of gzip hold the time
)
def test_a_compressed_file_is_read(tmp_path: Path, name: str, packed: bytes) -> None:
    assert fitted(tmp_path, packed, name)[1]["b"].tolist() == ["x", "y", "x"]
    (tmp_path / name).write_bytes(packed[:-6])
    with pytest.raises(DataError, match="cannot be read"):
        Reader.fit(tmp_path / name)


@pytest.mark.parametrize(
    "name",
    ["readme.txt", "README.txt", "LICENSE.txt", "a/data_description.txt", "notes.txt", "__MACOSX/._t.csv"],
)
def test_texts_that_come_with_a_table_are_no_tables(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(path := tmp_path / "t.zip", "w") as archive:
        archive.writestr(name, "about this")
        archive.writestr("t.csv", "x,y\n1,0\n2,1\n")
    assert Reader.fit(path)[1]["x"].tolist() == [1, 2]


def test_a_zip_file_holds_one_table(tmp_path: Path) -> None:
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/t.csv", ROWS)
        archive.writestr("__MACOSX/folder/._t.csv", b"\0\1")
        archive.writestr("folder/.DS_Store", b"\0")
    assert len(Reader.fit(path)[1]) == 3
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("u.csv", ROWS)
    with pytest.raises(
        DataError, match=r"holds 2 files \(folder/t\.csv, u\.csv\), where one table is needed"
    ):
        Reader.fit(path)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "2.5", " ", "1e3", "+4"], Number()),
        (["1,234", "5"], Number(".", ",")),
        (["1,234.5", "12"], Number(".", ",")),
        (["1.234,5", "12"], Number(",", ".")),
        (["3,5", "2"], Number(",")),
        (["$1,200", "-$3"], Number(".", ",", sign="$")),
        (["45.1%", "3 %"], Number(sign="%")),
        (["(5.5)", "2"], Number()),
        (["1,5", "1.5"], Text()),
        (["1,2,3", "4"], Text()),
        (["007", "012"], Text(3)),
        (["007", "12"], Text()),
        (["0", "10"], Number()),
        (["9007199254740993", "1"], Text()),
        (["true", "FALSE", ""], Boolean()),
        (["Yes", "No", "Yes"], Boolean("Yes", "No")),
        (["y", "Y", "n"], Boolean("y", "n")),
        (["f", "n"], Text()),
        (["0", "1"], Number()),
        (["2024-05-31", "2024-12-01T10:00:00Z"], Time("iso")),
        (["27/05/2022", "02/01/2022"], Time("day")),
        (["05/27/2022", "02/01/2022"], Time("month")),
        (["02/01/2022", "03/04/2022"], Time("month")),
        (["02.01.2022", "03.04.2022"], Time("day")),
        (["02.01.22", "23.04.22"], Time("day")),
        (["02.01.22 10:30", "24.12.22 07:00"], Time("day")),
        (["17.07.30", "08.45.00"], Time("clock")),
        (["27 May 2022", "1 January 2023 10:00"], Time("day name")),
        (["May 27, 2022"], Time("name day")),
        (["18:30", "09:15:30 pm"], Time("clock")),
        (["18:30", "13:15 pm"], Text()),
        (["18.00.00", "19.30.00"], Time("clock")),
        (["2024-13-01"], Text()),
        (["31.02.2022"], Text()),
        (["1.2.3", "1.10.0"], Text()),
        (["Bonn", "3"], Text()),
        ([None, ""], Text()),
    ],
)
def test_the_kind_of_a_column(texts: list[Any], expected: Any) -> None:
    assert kind(*texts) == expected


def test_one_column_settles_the_marks_of_another() -> None:
    reader, table = Reader.fit({"a": ["1,234", "5"], "b": ["3,5", "0,25"]})
    assert [each.kind for each in reader.columns] == [Number(","), Number(",")]
    assert table["a"].tolist() == [1.234, 5]
    reader, table = Reader.fit({"a": ["1,234", "5"], "b": ["3.5", "0.25"]})
    assert table["a"].tolist() == [1234, 5]
    assert "numbers written as text ('1,234'): read as numbers with thousands ','" in reader.notes[0]
    assert kind("1,234", decimal=",") == Number(",")
    assert kind("1.234", thousands=".") == Number(",", ".")


def test_the_order_of_dates_can_be_given() -> None:
    assert kind("02/01/2022", date_order="day") == Time("day")
    reader, _ = Reader.fit({"x": ["02/01/2022"]})
    assert "day and month cannot be told apart, read with the month first" in reader.notes[0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86400),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01 02:00+02:00", 0),
        ("1970/01/01 01:00:00 PM", 13 * 3600),
        ("1969-12-31 23:59:59", -1),
        ("2024-02-29", 1709164800),
    ],
)
def test_times_are_seconds_since_1970(text: str, seconds: float) -> None:
    assert Reader.fit({"x": [text]})[1]["x"].tolist() == [seconds]


def test_infinite_values_are_missing_and_counted() -> None:
    reader, table = Reader.fit({"x": ["1", "inf", "-Infinity", "2"]})
    assert (table.infinite, pd.isna(table["x"]).sum()) == ({"x": 2}, 2)
    assert pd.isna(reader.read({"x": float("inf")})["x"]).all()


@pytest.mark.parametrize(
    ("values", "missing"), [(["1", "-200"], 1), ([1, -200.0], 1), (["?", "a"], 1), (["1", " ? "], 1)]
)
def test_marks_of_missing_values_can_be_added(values: list[Any], missing: int) -> None:
    reader, table = Reader.fit({"x": values}, Options(missing_values=["-200", "?"]))
    assert pd.isna(table["x"]).sum() == missing
    assert pd.isna(reader.read({"x": values})["x"]).sum() == missing


@pytest.mark.parametrize("header", [True, False])
def test_a_file_of_another_dialect_is_read_by_its_names(tmp_path: Path, header: bool) -> None:
    reader, table = fitted(tmp_path, ROWS if header else ROWS[4:], header=header)
    other = tmp_path / "other.csv"
    other.write_text((ROWS if header else ROWS[4:]).replace(",", ";"))
    name = "b" if header else "column_2"
    assert reader.read(other)[name].tolist() == table[name].tolist() == ["x", "y", "x"]
    frame = pd.read_csv(tmp_path / "t.csv", header=0 if header else None)
    assert reader.read(frame)[name].tolist() == ["x", "y", "x"]


def test_a_nameless_index_is_found_however_pandas_reads_it(tmp_path: Path) -> None:
    reader, table = fitted(tmp_path, ",x\n10,1\n11,2\n")
    for frame in (pd.read_csv(tmp_path / "t.csv"), pd.read_csv(tmp_path / "t.csv", index_col=0)):
        assert reader.read(frame)["column_1"].tolist() == table["column_1"].tolist() == [10, 11]


def test_a_header_that_lacks_the_name_of_the_first_column_is_told(tmp_path: Path) -> None:
    reader, table = fitted(tmp_path, "n,y\nr1,10,no\nr2,11,yes\n")
    assert table["n"].tolist() == [10, 11]
    assert any("one value more than the header has names" in note for note in reader.notes)
    assert not any("more than" in note for note in fitted(tmp_path, ",n,y\nr1,10,no\n")[0].notes)
    assert not any("more than" in note for note in fitted(tmp_path, "n,y\n10,no,\n11,yes,\n")[0].notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"a,b\n", "has 0 rows"),
        (b"a,b", "has 0 rows"),
        (
            b"a,b\n1,2\n1,2,3\n4,5\n",
            "cannot be read as CSV: line 3 has 3 values, where 2 are expected; data.ragged=skip leaves such lines out$",
        ),
        (b'a,b\n"1,2\n', "cannot be read as CSV"),
        (b"a,b\n1,\x81\n", r"is not utf-8: it holds the byte 0x81; .*data\.encoding=latin-1"),
        (b"\0\1\2,b\n1,2\n", "the file is no text"),
        (
            b"city,n,y\na,1,000,no\nb,2,000,yes\na,3,000,no\n",
            r"most lines have 4 values where the header names 3 columns; .* quotes",
        ),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fitted(tmp_path, text)


def test_ragged_lines_can_be_skipped(tmp_path: Path) -> None:
    assert len(fitted(tmp_path, "a,b\n1,2\n1,2,3\n4,5\n", ragged="skip")[1]) == 2


def test_bytes_of_another_encoding_far_down_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is not utf-8; name its encoding"):
        fitted(tmp_path, b"a,b\n" + b"1,xxxxxxxx\n" * 200_000 + b"1,\xff\n")


def test_what_a_reader_cannot_read_is_named() -> None:
    reader, _ = Reader.fit({"x": ["1", "2"], "day": ["2024-01-01", "2024-01-02"]})
    with pytest.raises(DataError, match=r"column 'x' is used as numeric but holds 'abc' in row 2"):
        reader.read({"x": ["1", "abc"], "day": [None, None]})
    assert pd.isna(reader.read({"x": ["abc"], "day": ["?"]}, bad_rows="missing")["x"]).all()
    with pytest.raises(DataError, match="lacks columns the model was trained on: day; its columns are x"):
        reader.read({"x": [1]})
    with pytest.raises(DataError, match=r"lacks columns the model was trained on: day \(it has 'Day'\); its"):
        reader.read({"x": [1], "Day": ["2024-01-01"]})
    assert reader.read({"x": [1]}, only=["x"])["x"].tolist() == [1]
    with pytest.raises(DataError, match="bad_rows='drop': allowed are 'error' and 'missing'"):
        reader.read({"x": [1]}, bad_rows="drop")
    with pytest.raises(DataError, match="column 'day' has 2 rows, column 'x' has 1"):
        reader.read({"x": [1], "day": [None, None]})
    with pytest.raises(DataError, match="column 'x' is 1, and others are lists"):
        reader.read({"x": 1, "day": [None, None]})
    with pytest.raises(DataError, match="a table is needed, not 5"):
        reader.read(5)


@pytest.mark.parametrize(("value", "held"), [([1, 2], "lists"), ({"a": 1}, "mappings"), (b"x", "bytes")])
def test_a_column_of_nested_values_is_refused_unless_it_is_dropped(value: Any, held: str) -> None:
    table = pa.table({"x": [1], "tags": [value]})
    with pytest.raises(DataError, match=f"column 'tags' holds {held}"):
        Reader.fit(table)
    assert Reader.fit(table, Options(drop=["tags"]))[0].names == ("x",)
