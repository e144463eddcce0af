"""A table in files is read as one in memory is, once for all who want it, or not at all."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainer.data.reading import cache, mapped
from trainer.data.reading.columns import Long
from trainer.data.reading.files import sources
from trainer.data.reading.reader import Options, Reader, Table
from trainer.errors import DataError

ROWS = 1000  # in eight blocks and more


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sources, "BLOCK", 1 << 15)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def written(folder: Path, columns: dict[str, list[Any]], name: str = "t.csv") -> Path:
    pd.DataFrame(columns).to_csv(folder / name, index=False)
    return folder / name


def assert_same(one: tuple[Reader, Table], other: tuple[Reader, Table]) -> None:
    (reader, table), (also_reader, also) = one, other
    assert also_reader == reader
    assert (also_reader.notes, also_reader.skipped) == (reader.notes, reader.skipped)
    assert (list(also), len(also), also.infinite) == (list(table), len(table), table.infinite)
    assert also.doubts == table.doubts
    assert {name: [*each] for name, each in also.marks.items()} == {
        name: [*each] for name, each in table.marks.items()
    }
    for name in table:
        values, found = table[name], np.asarray(also[name])
        assert found.dtype == values.dtype
        assert (
            found.tolist() == values.tolist()
            if values.dtype == object
            else found.tobytes() == values.tobytes()
        )
        assert also[name].facts.distinct == len(set(pd.Series(values).dropna()))


def late(first: str, last: str) -> list[str]:
    """Return a column whose last value is of another sort."""
    return [first] * (ROWS - 1) + [last]


COLUMNS: dict[str, list[Any]] = {
    "plain": [str(row) for row in range(ROWS)],
    "text at the end": late("1.5", "many"),
    "date at the end": late("2024", "2024-05-31"),
    "thousands at the end": late("1234", "1,234.5"),
    "code at the end": late("12", "007"),
    "code after fractions": ["1.5", *late("12", "007")[1:]],
    "gap at the end": late("7", "?"),
    "two gaps": ["?", *late("7", "-")[1:]],
    "gaps alone": ["?"] * ROWS,
    "gaps first": ["?"] * (ROWS - 1) + ["7"],
    "booleans in order": ["no"] * (ROWS // 2) + ["yes"] * (ROWS // 2),
    "zero, one, true": late("1", "true"),
    "marks in wrong places": late("1,234", "12,34,567"),
    "day at the end": late("02/03/2024", "27/03/2024"),
    "identifiers": [f"u{row:05}" for row in range(ROWS)],
    "large": late("5", "9007199254740993"),
    "infinite": late("1", "inf"),
    "missing": [None] * ROWS,
    "missing first": [None] * (ROWS - 1) + ["x"],
    "one is none": [*late("oops", "1")[:1], *map(str, range(ROWS - 1))],
    "units": [f"{row % 99}.5 kg" for row in range(ROWS)],
    "one other unit": [*(f"{row % 99} kg" for row in range(ROWS - 1)), "5 g"],
    "units and zeros": [*(f"{row % 99} kg" for row in range(ROWS - 1)), "007"],
    "units after numbers": ["5", *(f"{row % 99} kg" for row in range(ROWS - 1))],
    "two units": [f"{row} {['kg', 'g'][row % 2]}" for row in range(ROWS)],
    "few with a unit": [f"{row % 5} doors" for row in range(ROWS)],
    "a mark before units": ["?", *(f"{row % 99} kg" for row in range(ROWS - 1))],
    "digits": [f"2023{row % 12 + 1:02}15" for row in range(ROWS)],
    "digits but one": [*[f"2023{row % 12 + 1:02}15" for row in range(ROWS - 1)], "20231315"],
    "months": [f"2023-{row % 12 + 1:02}" for row in range(ROWS)],
    "one is no date": [*[f"2023-{row % 12 + 1:02}-15" for row in range(ROWS - 1)], "0000-00-00"],
    "words for missing": (["NA", "a", "b", "None", ""] * ROWS)[:ROWS],
    "one currency late": late("5", "$6"),
    "two currencies": ["€5", *late("5", "$6")[1:]],
    "percent and none": late("0.5", "7%"),
    "one percent and zeros": late("0", "7%"),
    "codes with a letter": [f"{row}A" for row in range(ROWS)],
    "amperes": [f"{row}.5A" for row in range(ROWS)],
    "months as numbers": [f"{1990 + row % 30}{row % 12 + 1:02}" for row in range(ROWS)],
    "few months as numbers": [f"20230{row % 3 + 1}" for row in range(ROWS)],
    "digits and zero": [*(f"2023{row % 12 + 1:02}15" for row in range(ROWS - 1)), "0"],
    "digits and a gap": ["?", *(f"2023{row % 12 + 1:02}15" for row in range(ROWS - 1))],
    "months but two": [*(f"2023{row % 12 + 1:02}" for row in range(ROWS - 2)), "202313", "202300"],
    "order is open": [f"{row % 28 + 1:02}-{row % 12 + 1:02}-22" for row in range(ROWS)],
    "years tell the order": [*late("02-03-22", "27-03-22")[1:], "27-03-99"],
    "days of months": [f"{['Jan', 'Mar'][row % 2]}-{row % 31 + 1:02}" for row in range(ROWS)],
    "years after months": late("Jan-05", "Jan-99"),
    "quarters": [f"2023Q{row % 4 + 1}" for row in range(ROWS)],
    "thousands": ["5", *(f"{row}'000.5" for row in range(1, ROWS))],
    "spelled": (["3", "3.0", " 3 ", "x", "TRUE", "é"] * ROWS)[:ROWS],
}


def test_whatever_batches_show_and_when_gives_the_reader_and_the_values_of_the_whole(tmp_path: Path) -> None:
    path = written(tmp_path, {"y": [row % 2 for row in range(ROWS)], **COLUMNS})
    assert_same(Reader.fit(path), mapped.fit(path, cached="always"))


@pytest.mark.parametrize(
    "options",
    [
        Options(wanted={"plain": "text", "text at the end": "text", "day at the end": "time"}),
        Options(missing_values=["7", "many"]),
        Options(decimal=".", thousands=","),
        Options(names=[f"c{place}" for place in range(len(COLUMNS))]),
    ],
)
def test_what_the_user_says_counts_in_files_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Options
) -> None:
    monkeypatch.setattr(sources, "BLOCK", 1 << 17)  # three blocks
    path = written(tmp_path, COLUMNS)
    assert_same(Reader.fit(path, options), mapped.fit(path, options, cached="always"))


@pytest.mark.parametrize("name", ["t.csv.gz", "t.parquet", "t.feather"])
def test_other_formats_are_read_into_files_too(tmp_path: Path, name: str) -> None:
    table = pd.DataFrame({"a": range(100), "b": ["x", None] * 50, "at": pd.date_range("2024", periods=100)})
    path = tmp_path / name
    {"gz": table.to_csv, "parquet": table.to_parquet, "feather": table.to_feather}[path.suffix[1:]](path)
    assert_same(Reader.fit(path), mapped.fit(path, cached="always"))


def test_another_file_is_read_by_the_reader_of_the_training(tmp_path: Path) -> None:
    reader, _ = Reader.fit(written(tmp_path, {"a": ["1,5", "2,5"], "b": ["007", "008"], "c": ["x", "y"]}))
    path = written(tmp_path, {"b": ["7", "10"], "a": ["3", "4,25"]}, "other.csv")
    found = mapped.read(reader, path, only=["a", "b"], cached="always")
    assert isinstance(found["a"], Long)
    assert (found["a"].tolist(), found["b"].tolist()) == ([3, 4.25], ["007", "010"])
    with pytest.raises(DataError, match="lacks columns the model was trained on: c"):
        mapped.read(reader, path, only=["c"], cached="always")


def test_a_value_that_its_column_cannot_hold_is_named_by_its_row(tmp_path: Path) -> None:
    path = written(tmp_path, {"a": late("1", "many")})
    with pytest.raises(DataError, match=f"'a' is used as numeric but holds 'many' in row {ROWS}"):
        mapped.fit(path, Options(wanted={"a": "number"}), cached="always")


def test_a_column_of_lists_is_named_unless_it_is_dropped(tmp_path: Path) -> None:
    pd.DataFrame({"a": range(5), "tags": [[1]] * 5}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="column 'tags' holds lists"):
        mapped.fit(tmp_path / "t.parquet", cached="always")
    reader, table = mapped.fit(tmp_path / "t.parquet", Options(drop=["tags"]), cached="always")
    assert (reader.skipped, list(table)) == (("tags",), ["a"])


def test_a_table_in_memory_and_a_small_one_stay_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, {"a": [1, 2]})
    assert not isinstance(mapped.fit(path)[1]["a"], Long)
    assert not isinstance(mapped.fit(pd.read_csv(path), cached="always")[1]["a"], Long)
    monkeypatch.setattr(mapped, "LARGE", 1)
    assert isinstance(mapped.fit(path)[1]["a"], Long)
    assert not isinstance(mapped.fit(path, cached="never")[1]["a"], Long)


def test_rows_of_a_column_in_a_file_are_those_of_an_array(tmp_path: Path) -> None:
    path = written(tmp_path, {"n": [*range(50)], "t": ["a", "b", None, "c", "a"] * 10})
    (_, memory), (_, files) = Reader.fit(path), mapped.fit(path, cached="always")
    rows = np.array([7, 3, 3, 49])
    for name in ("n", "t"):
        whole, column = memory[name].tolist(), files[name]
        assert column[2:5].tolist() == whole[2:5]
        assert (column[3], column[-1]) == (whole[3], whole[-1])
        assert column[rows].tolist() == [whole[row] for row in rows]
        assert column[rows][np.array([True, False, False, True])].tolist() == [whole[7], whole[49]]
        assert [*column] == whole


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record each time a source is opened."""
    made: list[Any] = []
    opened = sources.source

    def counted(given: Any, *rest: Any, **options: Any) -> Any:
        made.append(given)
        return opened(given, *rest, **options)

    monkeypatch.setattr(sources, "source", counted)
    return made


def entries(folder: Path) -> list[str]:
    return sorted(each.name for each in (folder / "cache/podium/tables").iterdir() if each.suffix != ".lock")


def test_a_table_is_read_once_until_it_changes(tmp_path: Path, passes: list[Any]) -> None:
    path = written(tmp_path, {"a": [1, 2], "b": ["x", "y"]})
    first = mapped.fit(path, cached="always")[1]["a"].tolist()
    assert len(passes) == 2  # what the columns hold, and their values
    assert mapped.fit(path, Options(drop=["b"]), cached="always")[1]["a"].tolist() == first
    assert len(passes) == 2
    mapped.fit(path, Options(wanted={"a": "text"}), cached="always")
    assert len(passes) == 4
    written(tmp_path, {"a": [1, 2, 3], "b": ["x", "y", "z"]})
    assert mapped.fit(path, cached="always")[1]["a"].tolist() == [1, 2, 3]


def test_jobs_that_want_the_same_table_wait_for_the_one_that_reads_it(
    tmp_path: Path, passes: list[Any]
) -> None:
    path = written(tmp_path, {"a": [*range(2000)]})
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(mapped.fit(path, cached="always")[1]["a"].tolist()))
        for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [[*range(2000)]] * 4
    assert len(passes) == 2


def test_a_table_that_was_half_written_is_not_used_and_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, {"a": [1, 2]})
    monkeypatch.setattr(cache, "write_bytes", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        mapped.fit(path, cached="always")
    assert entries(tmp_path) == []
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "cache/podium/tables"
    (folder / "0.part").mkdir()  # as a killed process leaves it
    (folder / "0.lock").touch()
    mapped.fit(path, cached="always")
    assert len(entries(tmp_path)) == 1
    assert ".part" not in entries(tmp_path)[0]


def test_old_tables_make_room_for_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = None
    for place in range(3):
        path = written(tmp_path, {"a": [*range(1000)]}, f"{place}.csv")
        kept = mapped.fit(path, cached="always")[1]["a"]
    assert len(entries(tmp_path)) == 3
    monkeypatch.setenv("PODIUM_CACHE_GIB", "0.00002")  # of two tables
    mapped.fit(written(tmp_path, {"a": [*range(999)]}, "new.csv"), cached="always")
    assert len(entries(tmp_path)) <= 2
    assert kept is not None
    assert kept.tolist() == [*range(1000)]  # who has it open keeps it
    monkeypatch.setenv("PODIUM_CACHE_GIB", "much")
    with pytest.raises(DataError, match="PODIUM_CACHE_GIB=much: allowed is a number of GiB, such as 20"):
        mapped.fit(written(tmp_path, {"a": [*range(998)]}, "last.csv"), cached="always")


def full(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    usage = os.statvfs_result((4096, 4096, 0, 0, 0, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: usage)


def full_while_writing(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    def refuse(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", refuse)


def not_writable(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "file"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (full, r"the disk of .*podium/tables is full; .* XDG_CACHE_HOME .* data\.cache=never"),
        (full_while_writing, r"the disk of .*podium/tables is full"),
        (not_writable, r"podium/tables cannot be written: Not a directory; set XDG_CACHE_HOME"),
    ],
)
def test_a_cache_that_cannot_be_written_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[..., None], message: str
) -> None:
    path = written(tmp_path, {"a": [1, 2]})
    change(monkeypatch, tmp_path)
    with pytest.raises(DataError, match=message):
        mapped.fit(path, cached="always")
    monkeypatch.undo()
    assert not [
        each
        for each in (tmp_path / "cache").rglob("*")
        if each.suffix in ("", ".part") and "0000" in each.name
    ]


@pytest.mark.parametrize("cached", ["always", "never"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: str
) -> None:
    path = written(tmp_path, {"a": [1, 2]})
    parsed = sources._parsed

    def growing(*given: Any) -> Any:
        yield from parsed(*given)
        with path.open("a") as file:
            file.write("3\n")

    monkeypatch.setattr(sources, "_parsed", growing)
    with pytest.raises(DataError, match="changed while it was read; start again once it is complete"):
        mapped.fit(path, cached=cached)


def test_a_long_read_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("trainer.data.reading.reading_progress.EVERY_S", 0)
    path = written(tmp_path, {"a": [*range(3000)]})
    with caplog.at_level("INFO"):
        Reader.fit(path)
    assert "t.csv': 3,000 rows, 0 of 0 MB, 100%" in caplog.messages[-1]
