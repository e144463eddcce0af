"""What can be said about data files before anything heavy is loaded: are they there, have they the columns.

Reads at most the first line of a file, with the standard library alone.
"""

import csv
import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ADULT_FILES = ("adult.data", "adult.test")
ADULT_SOURCE = (
    "get both files from https://archive.ics.uci.edu/dataset/2/adult and set data.path to their folder"
)
TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".parquet")
_TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".data")  # plain text: the first line can be read
_SHOWN = 20  # columns named in a message


def source_problems(data: Mapping[str, Any]) -> Iterator[str]:
    """Give a line for each file of a `data` section that is missing, empty, or lacks a column it is asked for."""
    if data["_target_"] == "trainer.data.adult.load":
        for name in ADULT_FILES:
            yield from missing(data["path"], Path(data["path"]) / name, ADULT_SOURCE)
    elif data["_target_"] == "trainer.data.table.load":
        for key in ("path", "test_path"):
            if data.get(key) is not None:
                yield from _table_problems(key, data)


def missing(given: str, file: Path, advice: str, *, key: str = "data.path") -> Iterator[str]:
    """Give the problem of a file that is not there, as given and where that is."""
    if not file.is_file():
        yield f"{key}={given}: there is no file {file.absolute()}; {advice}"


def _table_problems(key: str, data: Mapping[str, Any]) -> Iterator[str]:
    file = Path(data[key])
    if not file.is_file():
        yield from missing(
            data[key], file, "give the path of a .csv, .tsv or .parquet file", key=f"data.{key}"
        )
        return
    if not set(TABLE_SUFFIXES) & {each.lower() for each in file.suffixes}:
        yield f"data.{key}={data[key]}: the suffix {file.suffix!r} is not known; allowed are .csv, .tsv and .parquet"
    elif file.stat().st_size == 0:
        yield f"data.{key}={data[key]}: the file is empty; a header line and rows are needed"
    elif file.suffix.lower() in _TEXT_SUFFIXES:
        columns = header(file)
        for name, asked in _asked(key, data):
            if name not in columns:
                yield f"{asked}: {data[key]} has {no_column(name, columns)}"


def _asked(key: str, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The columns a file must have, and the key that asks for each."""
    yield data["target"], f"data.target={data['target']}"
    if key == "path":
        if data.get("time_column"):
            yield data["time_column"], f"data.time_column={data['time_column']}"
        for kind in ("numeric", "categorical", "drop"):
            for name in data.get(kind) or ():
                yield name, f"data.{kind}"


def header(file: Path) -> list[str]:
    """Read the column names in the first line of a text file."""
    separator = "\t" if file.suffix.lower() == ".tsv" else ","
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        return next(csv.reader(lines, delimiter=separator, skipinitialspace=True), [])


def no_column(name: str, columns: Sequence[str]) -> str:
    """Say that a column is not there, with a near match and the first columns that are."""
    near = difflib.get_close_matches(name, columns, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    more = ", ..." if len(columns) > _SHOWN else ""
    return f"no column {name!r}{hint}; columns are {', '.join(columns[:_SHOWN])}{more}"
