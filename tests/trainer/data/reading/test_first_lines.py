"""Lines before a header are found, left out and told, in training, prediction, the cache and inspection alike."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from omegaconf import OmegaConf

from trainer.data.check import source_problems
from trainer.data.reading import dialect, mapped
from trainer.data.reading.chunks import Chunks
from trainer.data.reading.reader import Options, Reader
from trainer.defaults import task
from trainer.errors import DataError

BODY = "x,c,y\n1.5,u,0\n2.5,v,1\n3.5,u,1\n"
SEMICOLONS = BODY.replace(",", ";")


def told(count: int, first: str) -> list[str]:
    what = "1 line before the header is" if count == 1 else f"{count} lines before the header are"
    return [f"{what} left out ({first!r}{', ...' * (count > 1)}); data.skip=0 reads from the first line on"]


def named(line: str) -> str:
    return f"the first line, {line!r}, names the separator, and is left out"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"sep=;\n{SEMICOLONS}", [named("sep=;")]),
        (f'"sep=;"\r\n{SEMICOLONS}', [named('"sep=;"')]),
        ("SEP=\t\n" + BODY.replace(",", "\t"), [named("SEP=\t")]),
        ("\ufeffsep=^\n" + BODY.replace(",", "^"), [named("sep=^")]),
        (f"# made by hand\n# second\n{BODY}", told(2, "# made by hand")),
        (f"# by hand, in, May\n{BODY}", told(1, "# by hand, in, May")),
        (f"#\n\n# made\n\n{SEMICOLONS}", told(2, "#")),
        (f"Report 2024,,\n,,\n{BODY}", told(2, "Report 2024,,")),
        (f"Report 2024\n{BODY}", told(1, "Report 2024")),
        (f"Report 2024\n\n\n{SEMICOLONS}", told(1, "Report 2024")),
        (f"Report\x0c of\u20282024\n\n{BODY}", told(1, "Report\x0c of\u20282024")),
        (f"Sales of all shops\nmade: 2024-05-01\n{SEMICOLONS}", told(2, "Sales of all shops")),
        (f"# made\nReport\n{BODY}", told(2, "# made")),
        (f"sep=;\nReport\n{SEMICOLONS}", [named("sep=;"), *told(1, "Report")]),
    ],
)  # fmt: skip
def test_what_stands_before_a_header_is_left_out_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: list[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    reader, table = Reader.fit(path)
    assert (table["x"].tolist(), table["c"].tolist()) == ([1.5, 2.5, 3.5], ["u", "v", "u"])
    assert [*reader.notes] == [*reader.about] == said
    again, cached = mapped.fit(path, cached="always")
    assert (again, again.notes, np.asarray(cached["x"]).tolist()) == (reader, reader.notes, [1.5, 2.5, 3.5])
    assert reader.read(path)["c"].tolist() == ["u", "v", "u"]
    chunks = Chunks(reader, path, ["x", "c"])
    assert [chunk.table["x"].tolist() for chunk in chunks.read(4096)] == [[1.5, 2.5, 3.5]]
    assert chunks.notes == [each.replace("data.skip", "skip") for each in said]
    assert not [*source_problems(section(path))]
    plain = tmp_path / "plain.csv"
    plain.write_text(BODY)
    for one, other in ((reader, plain), (Reader.fit(plain)[0], path)):
        assert one.read(other)["x"].tolist() == [1.5, 2.5, 3.5]


def section(path: Path) -> dict[str, object]:
    return {"_target_": "trainer.data.table.load", "path": str(path), "target": "y"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("#id,x\n1,2\n3,4\n", ["#id", "x"]),
        ("# made\n#id,x\n1,2\n3,4\n", ["#id", "x"]),
        (",x,,y\n0,1,2,3\n4,5,6,7\n", ["column_1", "x", "column_3", "y"]),
        ("time,temp,\ns,degC,\n1,2,3\n4,5,6\n", ["time", "temp", "column_3"]),
        ("text\nthree words, here\ntwo words, too\n", ["column_1", "text"]),
        ("text\nhello 5\nyou 7\n", ["text"]),
        ("note\nPaid; 5\nDue; 7\n", ["note"]),
        ("a\nr1,1\nr2,2\n", ["column_1", "a"]),
        ("sep=;\n", ["sep=", "column_2"]),
        ("a,b\n1,2\n", ["a", "b"]),
    ],
)
def test_a_header_is_not_taken_for_a_title(tmp_path: Path, text: str, names: list[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert [*dialect.find(path.read_bytes()).names] == names


def test_lines_that_are_left_out_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"North,South,2024\n{BODY}")
    assert Reader.fit(path)[0].names == ("North", "South", "2024")
    reader, table = Reader.fit(path, Options(skip=1))
    assert (reader.names, table["x"].tolist(), reader.notes) == (("x", "c", "y"), [1.5, 2.5, 3.5], ())
    assert Reader.from_json(reader.to_json()).read(path)["x"].tolist() == [1.5, 2.5, 3.5]
    path.write_text(f"# made\n{BODY}")
    assert dialect.find(path.read_bytes(), skip=0).names == ("# made",)


def test_a_header_that_lacks_the_target_says_what_may_be_wrong(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("Report,,\n,,\nu,v,w\nv,w,u\n")
    (line,) = source_problems(section(path))
    assert line.endswith("columns are Report, column_2, column_3; if lines such as a title stand before the header, "
                         "data.skip=N leaves out N of them")  # fmt: skip
    path.write_text(f"Report\n{BODY}")
    (line,) = source_problems({**section(path), "target": "z"})
    assert line.endswith("columns are x, c, y; 1 line before the header is left out ('Report'); data.skip=0 reads from "
                         "the first line on")  # fmt: skip
    path.write_text("Report\n" + BODY.replace(",", "  "))  # blanks may separate words, too
    (line,) = source_problems(section(path))
    assert "columns are Report; if lines such as a title stand before the header" in line


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("before", "body"),
    [
        ("Sales, region North, 2023", BODY),
        ("North,South,2024", BODY),
        ("North;South;2024", BODY),
        ("Report 2023", "p,q,y\nu,v,w\nv,w,u\n"),
        ("Report\n\nmade, by Ann, on 2023-01-05", BODY),
        ("a,b,c\n1,2,3\n", BODY),
        ("Report,,\n,,", "u,v,y\nv,w,u\n"),
    ],
)
def test_a_target_below_the_header_says_how_many_lines_to_leave_out(
    tmp_path: Path, before: str, body: str, separator: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{before}\n{body}".replace(",", separator))
    lines = [*source_problems(section(path))]
    count = before.count("\n") + 1
    if lines:  # else the title is found
        assert lines[0].endswith(
            f"; line {count + 1} has it: data.skip={count} leaves out what stands before"
        )
    assert not [*source_problems({**section(path), "skip": count})]
    assert "y" in Reader.fit(path, Options(skip=count))[0].names


def test_a_first_line_with_the_target_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("1,2,y\n5,1,a\n3,2,b\n2,2,b\n4,5,a\n")
    assert not [*source_problems({**section(path), "header": True})]
    (line,) = source_problems({**section(path), "header": False})
    assert line.endswith("; the first line has it: data.header=true")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Report\nu\n" + "a,b,c\n" * 9, 2),
        ("Report,2023,North,x,y\n" + BODY, 1),
        ("Report 2023\n\nmade by Ann\np,q,r\nu,v,w\nv,w,u\n", 3),
    ],
)
def test_lines_of_another_length_before_most_are_told_with_their_number(
    tmp_path: Path, text: str, count: int
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    told = rf"if what stands before line {count + 1} is a title, data\.skip={count} leaves it out; data\.ragged=skip"
    with pytest.raises(DataError, match=told):
        Reader.fit(path)
    Reader.fit(path, Options(skip=count))


def test_the_task_is_found_with_the_lines_that_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("North,South\nx,y\n" + "".join(f"{row},{row / 7}\n" for row in range(50)))
    data = {**section(path), "skip": 1}
    assert task(OmegaConf.create({"task": None, "data": data})) == "regression"


def test_titles_of_a_sheet_are_left_out_too(tmp_path: Path) -> None:
    rows = [["Report", None, None], [None, None, None], ["x", "c", "y"], [1.5, "u", 0], [2.5, "v", 1]]
    path = tmp_path / "t.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame([["read", "me"]]).to_excel(book, sheet_name="Info", index=False, header=False)
        pd.DataFrame(rows).to_excel(book, sheet_name="Data", index=False, header=False)
    reader, table = Reader.fit(path, Options(sheet="Data"))
    assert (reader.names, table["x"].tolist()) == (("x", "c", "y"), [1.5, 2.5])
    assert [*reader.notes] == told(1, "Report")
    assert Reader.fit(path, Options(sheet="Data", skip=2))[1]["x"].tolist() == [1.5, 2.5]
    assert reader.read(path)["x"].tolist() == [1.5, 2.5]
    with pd.ExcelWriter(tmp_path / "one.xlsx") as book:
        pd.DataFrame(rows[3:], columns=rows[2]).to_excel(book, sheet_name="Data", index=False)
    fitted = Reader.fit(tmp_path / "one.xlsx")[0]
    assert fitted.read(path)["x"].tolist() == [1.5, 2.5]  # the sheet of the training's name
    assert reader.read(path, options=reader.predicting(sheet=2))["x"].tolist() == [1.5, 2.5]
    with pytest.raises(DataError, match=r": sheet=May: there is no such sheet; there are Info, Data"):
        reader.read(path, options=reader.predicting(sheet="May"))


@pytest.mark.parametrize(
    "options",
    [
        {"names": ["a", "b", "c"]},
        {"names": ["a", "b", "c"], "header": False},
        {"encoding": "shift-jis"},
        {"encoding": "latin-1", "separator": "^"},
        {"separator": "^"},
        {"skip": 2},
    ],
)
def test_what_was_given_at_the_training_counts_for_files_to_predict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, object]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "t.csv"
    mark = options.get("separator", ",")
    first = "" if options.get("header") is False else "値,é,n\n" if "encoding" not in options else "é,b,n\n"
    junk = "one,two,three\nq,r,s\n" if "skip" in options else ""
    text = (junk + first + "u,ü,1\nv,ü,2\nu,w,3\n").replace(",", str(mark))
    path.write_bytes(text.encode(str(options.get("encoding", "utf-8")), "replace"))
    reader, table = Reader.fit(path, Options(**options))  # type: ignore[arg-type]
    wanted = {name: table[name].tolist() for name in table}
    again = Reader.from_json(reader.to_json())
    for found in (again.read(path), mapped.read(again, path, only=reader.names, cached="always")):
        assert {name: np.asarray(found[name]).tolist() for name in found} == wanted
    chunks = Chunks(again, path, reader.names)
    assert [chunk.table[reader.names[0]].tolist() for chunk in chunks.read(4096)] == [wanted[reader.names[0]]]


@pytest.mark.parametrize("place", [1, 2])
def test_a_quote_that_is_not_closed_is_an_error(tmp_path: Path, place: int) -> None:
    path = tmp_path / "t.csv"
    rows = [["1", "u", "0"] for _ in range(50)]
    rows[20][place] = '"' + rows[20][place]
    path.write_text("x,c,y\n" + "".join(",".join(row) + "\n" for row in rows))
    message = {1: r'line 22 opens a quote \("\) that no line closes',
               2: "a quote is not closed: the value of column 'y' that begins with '0' is all of the last 30 lines"}  # fmt: skip
    with pytest.raises(DataError, match=message[place]):
        Reader.fit(path)
    with pytest.raises(DataError, match=message[place]):  # what it holds is not skipped
        Reader.fit(path, Options(ragged="skip"))


def test_quotes_that_are_closed_may_hold_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('x,c\n1,"u\nv"\n2,"u\nv\nw"\n\n')
    assert Reader.fit(path)[1]["c"].tolist() == ["u\nv", "u\nv\nw"]
    path.write_text('x,c\n1,u\n2\n3,"u\nv",w\n')
    notes = Reader.fit(path, Options(ragged="skip"))[0].notes
    assert notes[-1].endswith("skipped: 3, 4 (a quote in it ends 1 line below)")


def test_nul_bytes_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"x,c\n1,u\n2,\0\n3,\0\n")
    assert [*Reader.fit(path)[0].notes] == [
        "the file holds 2 NUL bytes, which no text has; it may be damaged"
    ]
    path.write_bytes("x,c\n1,u\n2,v\n".encode("utf-16"))
    assert not Reader.fit(path)[0].notes


def test_all_columns_of_nested_values_are_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    odd = {"raw": [b"x"], "tags": [[1]], "pair": [{"a": 1}], "coded": pa.array([b"x"]).dictionary_encode()}
    table = pa.table({"x": [1], **odd})
    pd.DataFrame({"x": [1], "tags": [[1]], "raw": [b"x"]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(
        DataError,
        match=r"columns 'raw' \(bytes\), 'tags' \(lists\), 'pair' \(mappings\) and 'coded' \(bytes\) hold what is not one",
    ):
        Reader.fit(table)
    with pytest.raises(DataError, match="column 'pair' holds mappings"):
        Reader.fit(table, Options(drop=["raw", "tags", "coded"]))
    with pytest.raises(DataError, match=r"columns 'tags' \(lists\) and 'raw' \(bytes\) hold .*data\.drop"):
        mapped.fit(tmp_path / "t.parquet", cached="always")
    reader, _ = mapped.fit(tmp_path / "t.parquet", Options(drop=["raw", "tags"]), cached="always")
    assert (reader.names, reader.skipped) == (("x",), ("tags", "raw"))


UNITS = "x,c,y\nm,-,h\n1.5,u,0\n2.5,v,1\n3.5,u,1\n"
KEPT = "x,c,y\nm,w,1\n1.5,u,0\n2.5,v,1\n3.5,u,1\n"


@pytest.mark.parametrize("cached", ["never", "always"])
def test_a_line_of_units_after_the_header_is_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "t.csv"
    path.write_text(UNITS)
    said = (
        "the line after the header holds units, not values (m, -, h), and is left out; data.skip=0 keeps it"
    )
    reader, table = mapped.fit(path, cached=cached)
    assert np.asarray(table["x"]).tolist() == [1.5, 2.5, 3.5]
    assert reader.notes == (said,)
    assert reader.read(path)["y"].tolist() == [0, 1, 1]
    assert Reader.from_json(reader.to_json()) == reader
    plain = tmp_path / "plain.csv"
    plain.write_text(BODY)
    assert reader.read(plain)["x"].tolist() == [1.5, 2.5, 3.5]
    kept = Reader.fit(path, Options(skip=0))[1]
    assert kept["x"].tolist() == ["m", "1.5", "2.5", "3.5"]


@pytest.mark.parametrize(
    "text",
    [
        KEPT,
        "x,y\noops,1\n2,3\n4,5\n6,7\n",
        "x,y\nNA,unknown\n2,3\n4,5\n6,7\n",
        "a,b\nu,v\nw,u\nu,w\nv,v\n",
    ],
)
def test_a_row_with_odd_values_stays_a_row(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert len(Reader.fit(path)[1]) == 4


def test_a_workbook_may_have_a_row_of_units(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    pd.DataFrame({"x": ["m", 1.5, 2.5, 3.5], "y": ["h", 0, 1, 1]}).to_excel(path, index=False)
    reader, table = Reader.fit(path)
    assert table["x"].tolist() == [1.5, 2.5, 3.5]
    assert "holds units" in reader.notes[-1]
