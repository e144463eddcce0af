"""Files of every format are read, archives and workbooks by their parts; what is no table is named for what it is."""

import bz2
import gzip
import io
import itertools
import lzma
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather, ipc

from trainer.data.check import source_problems
from trainer.data.reading import mapped
from trainer.data.reading.kinds import Boolean, Number, Time
from trainer.data.reading.reader import Options, Reader
from trainer.errors import DataError

CSV = b"a,b\n1,x\n2,y\n3,x\n"


def in_zip(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return file.getvalue()


def zipped(path: Path, **members: bytes) -> Path:
    path.write_bytes(in_zip(**members))
    return path


@pytest.mark.parametrize("suffix", [".xz", ".bz2", ".zst", ".zip"])
def test_compressed_files_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.csv{suffix}"
    if suffix == ".zst":
        path.write_bytes(pa.compress(CSV, codec="zstd", asbytes=True))
    elif suffix == ".zip":
        zipped(path, t__csv=CSV, README__md=b"no table")
    else:
        path.write_bytes({".xz": lzma.compress, ".bz2": bz2.compress}[suffix](CSV))
    assert Reader.fit(path)[1]["a"].tolist() == [1, 2, 3]


def test_a_file_of_several_in_an_archive_is_named(tmp_path: Path) -> None:
    path = zipped(tmp_path / "t.zip", a__csv=CSV, b__csv=b"a,b\n7,z\n8,z\n")
    with pytest.raises(
        DataError, match=r"holds 2 files \(a.csv, b.csv\), where one table .*; name one in data\.member"
    ):
        Reader.fit(path)
    with pytest.raises(
        DataError, match=r"data\.member=c\.csv: the zip file has no such file .*it holds a\.csv, b\.csv"
    ):
        Reader.fit(path, Options(member="c.csv"))
    reader, table = Reader.fit(path, Options(member="b.csv"))
    assert table["a"].tolist() == [7, 8]
    again = Reader.from_json(reader.to_json())
    assert again.read(path)["a"].tolist() == [7, 8]
    assert again.read(zipped(tmp_path / "other.zip", x__csv=CSV))["a"].tolist() == [1, 2, 3]


def test_a_stream_of_arrow_in_a_file_is_read(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    with (tmp_path / "t.arrow").open("wb") as file, ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    assert Reader.fit(tmp_path / "t.arrow")[1]["b"].tolist() == ["x", "y"]


def test_a_workbook_is_read_by_sheets(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    rows = pd.DataFrame(
        {"n": [1, 2.5, None], "ok": [True, False, None], "on": [datetime(2024, 5, day) for day in (1, 2, 3)]}
    )
    with pd.ExcelWriter(path) as book:
        rows.to_excel(book, sheet_name="May", index=False, startrow=2)
        pd.DataFrame({"n": [9, 8]}).to_excel(book, sheet_name="June", index=False)
        pd.DataFrame({"n": [7]}).to_excel(book, sheet_name="2023", index=False)
    reader, table = Reader.fit(path)
    assert [type(each.kind) for each in reader.columns] == [Number, Boolean, Time]
    assert table["ok"].tolist() == ["true", "false", None]
    assert "the workbook has 3 sheets; 'May' is read; data.sheet names another (June, 2023)" in reader.notes
    for sheet in ("June", 2):
        reader, table = Reader.fit(path, Options(sheet=sheet))
        assert table["n"].tolist() == [9, 8]
        assert not reader.notes
        assert Reader.from_json(reader.to_json()).read(path)["n"].tolist() == [9, 8]
    with pytest.raises(
        DataError, match=r"data\.sheet=July: there is no such sheet; there are May, June, 2023"
    ):
        Reader.fit(path, Options(sheet="July"))
    with pytest.raises(DataError, match=r"no such sheet \(did you mean 'June'\?\)"):
        Reader.fit(path, Options(sheet="june"))
    assert Reader.fit(path, Options(sheet=2023))[1]["n"].tolist() == [7]


def test_a_sheet_whose_name_is_a_number_is_read_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    with pd.ExcelWriter(path) as book:
        for name, value in (("all", 0), ("1", 1), ("2", 2), ("9", 9)):
            pd.DataFrame({"n": [value]}).to_excel(book, sheet_name=name, index=False)
    for sheet, value, told in (
        (1, 1, ("the sheet named 1 is read, not 'all', which is number 1",)),
        ("1", 1, ()),
        (9, 9, ()),
        (4, 9, ()),
        ("all", 0, ()),
    ):
        reader, table = Reader.fit(path, Options(sheet=sheet))
        assert (table["n"].tolist(), reader.notes) == ([value], told)


def test_odd_lines_are_skipped_on_request_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,x\n2\n3,y\n4,z,z\n")
    with pytest.raises(DataError, match=r"line 3 has 1 value, where 2 are expected; data\.ragged=skip"):
        Reader.fit(path)
    reader, table = Reader.fit(path, Options(ragged="skip"))
    assert table["a"].tolist() == [1, 3]
    assert "2 lines with too many or too few values are skipped: 3, 5" in reader.notes


@pytest.mark.parametrize(
    ("name", "content", "message"),
    # Their names say which they are, because archives hold the time at which they were made.
    [
        ("t.csv", b"%PDF-1.7\n1 0 obj", "it is a PDF; export its table as CSV"),
        ("t.csv", b"\x89PNG\r\n\x1a\n\0\0", "it is an image"),
        ("t.csv", b"<!DOCTYPE html>\n<html>", "it is HTML or XML"),
        ("t.csv", b'[{"a": 1, "b": 2}]', "it is JSON; write it as CSV or Parquet"),
        ("t.csv", b'{"a": [1, 2]}', "it is JSON"),
        ("t.csv", b"PAR1\x15\x04", r"it is Parquet; name it \.parquet"),
        ("t.csv", b"PK\x03\x04abc", "the zip file cannot be read: File is not a zip file"),
        ("t.csv", b"\x1f\x8b\x08\0\0", "cannot be read: Compressed file ended before"),
        ("t.csv", gzip.compress(CSV)[:-9], "cannot be read: Compressed file ended before"),
        ("t.csv", bytes(range(256)) * 8, "no text|not utf-8"),
        ("t.csv", b"\n\n", "the file is empty"),
        ("t.csv", b"a,b\n", "has 0 rows; a header line and rows are needed"),
        ("t.json", b"{}", r"the file is no table: it is JSON; write it as CSV or Parquet"),
        ("t", b"\x1f\x8b\x08\0\0", "cannot be read: Compressed file ended before"),
        ("t.txt.xz", lzma.compress(b"PAR1\x15\x04"), r"no table of text: it is Parquet"),
        ("t.xz", lzma.compress(b"GIF89a"), "the file is no table: it is an image$"),
        (
            "t.gz",
            gzip.compress(in_zip(a__csv=CSV)),
            "the file is a zip archive that is packed once more; unpack it",
        ),
        (
            "t",
            in_zip(a__zip=in_zip(a__csv=CSV)),
            r"'a\.zip' in the zip file is a zip archive that is packed once more",
        ),
        (
            "t.docx",
            in_zip(**{"[Content_Types]__xml": b"", "word/a__xml": b""}),
            "no table: it is an office document",
        ),
        ("t.parquet", b"a,b\n1,2\n", r"the file is named \.parquet, but it is text; name it \.csv"),
        ("t.xlsx", b"a;b\n1;2\n", r"the file is named \.xlsx, but it is text; name it \.csv"),
        ("t.xls", b"<html><table>", r"the file is named \.xls, but it is HTML or XML"),
        ("t.feather", b"PAR1\x15\x04", r"the file is named \.feather, but it is Parquet; name it \.parquet"),
        ("t.parquet", b"PAR1\x15\x04", "cannot be read as Parquet: "),
        ("t.bin", b"\x80\x04\x95abc", "it is a pickle; write its table as Parquet"),
        ("t.tgz", b"a" * 257 + b"ustar", "it is a tar archive; unpack it"),
        ("t.arff", b"% made\n@RELATION iris\n", "it is ARFF; write it as CSV"),
    ],
    ids=itertools.count(),
)
def test_what_is_no_table_is_named_for_what_it_is(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        Reader.fit(tmp_path / name)


def test_a_file_in_an_archive_that_is_no_table_is_named(tmp_path: Path) -> None:
    path = zipped(tmp_path / "t.zip", t__bin=b"%PDF-1.7")
    with pytest.raises(
        DataError, match=r"'t\.bin' in the zip file is no table: it is a PDF; export its table as CSV"
    ):
        Reader.fit(path)


TABLE = pa.table({"a": [1, 2, 3], "b": ["x", "y", "x"]})


@pytest.mark.parametrize(
    "name",
    [
        "t",
        "t.2024",
        "t.csv.bak",
        "t.gz",
        "t.part1.xz",
        "t.zst",
        "t.zip",
        "parquet.zip",
        "parquet.bz2",
        "feather",
    ],
)
def test_a_file_whose_name_says_nothing_is_read_by_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    content, path = CSV, tmp_path / name
    if not name.startswith("t"):
        sink = pa.BufferOutputStream()
        (pq.write_table if name.startswith("parquet") else feather.write_feather)(TABLE, sink)
        content = sink.getvalue().to_pybytes()
    packing: dict[str, Callable[[bytes], bytes]] = {
        ".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress,
        ".zst": lambda raw: pa.compress(raw, codec="zstd", asbytes=True),
    }  # fmt: skip
    if path.suffix == ".zip":
        zipped(path, **{path.stem: content})
    else:
        path.write_bytes(packing.get(path.suffix, bytes)(content))
    reader, table = Reader.fit(path)
    assert (table["a"].tolist(), table["b"].tolist()) == ([1, 2, 3], ["x", "y", "x"])
    for _, also in (mapped.fit(path, cached="always"), (reader, reader.read(path))):
        assert np.asarray(also["a"]).tolist() == [1, 2, 3]
    assert not [*source_problems({"_target_": "trainer.data.table.load", "path": path, "target": "b"})]


WORKBOOK = io.BytesIO()
pd.DataFrame(TABLE.to_pydict()).to_excel(WORKBOOK, index=False)
PACKING: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda raw: pa.compress(raw, codec="zstd", asbytes=True),
    "zip": lambda raw: in_zip(t=raw),
}


@pytest.mark.parametrize("name", ["t", "t.csv", "t.gz", "t.csv.zip", "t.old"])
@pytest.mark.parametrize("packing", [*PACKING])
def test_bytes_say_how_they_are_compressed_whatever_the_name(tmp_path: Path, packing: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(PACKING[packing](CSV))
    assert Reader.fit(path)[1]["b"].tolist() == ["x", "y", "x"]
    assert not [*source_problems({"_target_": "trainer.data.table.load", "path": path, "target": "b"})]


@pytest.mark.parametrize("packing", [*PACKING][1:-1])
@pytest.mark.parametrize("content", ["csv", "xlsx"])
def test_a_member_of_an_archive_may_be_compressed(tmp_path: Path, packing: str, content: str) -> None:
    raw = {"csv": CSV, "xlsx": WORKBOOK.getvalue()}[content]
    if (packing, content) == ("zst", "xlsx"):
        packing = "gz"
    packed = PACKING[packing](raw)
    for member in (f"t__{content}__{packing}", f"t__{content}", "t"):
        path = zipped(tmp_path / "t.zip", **{member: packed})
        assert Reader.fit(path)[1]["b"].tolist() == ["x", "y", "x"]
    zipped(tmp_path / "t.zip", a__md=b"no table", **{f"t__{content}__{packing}": packed})
    assert Reader.fit(tmp_path / "t.zip")[1]["a"].tolist() == [1, 2, 3]


def test_a_torn_archive_is_told_where_a_member_is_asked_for(tmp_path: Path) -> None:
    path, torn = zipped(tmp_path / "t.zip", a__csv=CSV), tmp_path / "torn.zip"
    reader, _ = Reader.fit(path, Options(member="a.csv"))
    torn.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"torn\.zip': the zip file cannot be read"):
        reader.read(torn)
    section = {"_target_": "trainer.data.table.load", "path": path, "target": "b", "member": "a.csv"}
    (line,) = source_problems({**section, "test_path": torn})
    assert line.startswith(f"data.test_path={torn}: the zip file cannot be read")


def test_a_workbook_without_a_suffix_is_read(tmp_path: Path) -> None:
    for name in ("t", "t.bak", "t.gz"):
        (tmp_path / name).write_bytes(WORKBOOK.getvalue())
        assert Reader.fit(tmp_path / name)[1]["a"].tolist() == [1, 2, 3]


def test_a_missing_file_is_named_with_one_that_may_be_meant(tmp_path: Path) -> None:
    (tmp_path / "clicks.csv").write_bytes(CSV)
    with pytest.raises(
        DataError, match=r"clcks\.csv \(did you mean clicks\.csv\?\); give the path of a \.csv, .*\.arrow"
    ):
        Reader.fit(tmp_path / "clcks.csv")


def test_infinite_values_are_missing_and_counted(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n1,x\ninf,y\n-inf,x\n")
    table = Reader.fit(tmp_path / "t.csv")[1]
    assert np.isnan(table["a"]).tolist() == [False, True, True]
    assert table.infinite["a"] == 2
