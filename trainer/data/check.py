"""Checks data files before anything heavy is loaded: whether they exist and have the columns.

Reads at most the header of a file, with the standard library alone.
"""

import codecs
import csv
import gzip
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.errors import did_you_mean

ADULT_FILES = ("adult.data", "adult.test")
ADULT_SOURCE = (
    "get both files from https://archive.ics.uci.edu/dataset/2/adult and set data.path to their folder"
)
ADULT_COLUMNS = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation",
    "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
)  # fmt: skip
TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".parquet")
EMPTY = "the file is empty; a header line and rows are needed"
NOT_UTF8 = "name its encoding, for example data.encoding=latin-1 or data.encoding=utf-16"
_TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".data")  # plain text, whose header can be read
_SHOWN = 20  # columns named in a message
_LINE = 1 << 20  # characters read of a header line
_LINES = 100  # lines of a header, whose names may hold line breaks
_LETTERS = 60  # shown of a column name in a message


def source_problems(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each file of a `data` section that is missing, empty, or lacks a column of the config."""
    if data["_target_"] == "trainer.data.adult.load":
        for file in (Path(data["path"]) / name for name in ADULT_FILES):
            if not file.is_file():
                yield f"data.path={data['path']}: {no_file(file, ADULT_SOURCE)}"
        for name in data["drop"]:
            if name not in ADULT_COLUMNS:
                yield f"data.drop: there is {no_column(name, ADULT_COLUMNS)}"
    elif data["_target_"] == "trainer.data.table.load":
        try:
            codecs.lookup(data.get("encoding", "utf-8"))
        except (LookupError, ValueError):
            yield f"data.encoding={data['encoding']}: there is no such encoding; usual ones are utf-8, latin-1 and utf-16"
            return
        for key in ("path", "test_path"):
            if data.get(key) is not None:
                file, given = Path(data[key]), f"data.{key}={data[key]}"
                if problem := file_problem(file):
                    yield f"{given}: {problem}"
                elif [each for each in file.suffixes if each.lower() != ".gz"][-1].lower() in _TEXT_SUFFIXES:
                    yield from _header_problems(given, file, key, data)


def file_problem(file: Path) -> str | None:
    """Return why a path is no table file that can be read, or None."""
    if file.is_dir():
        return f"{file.absolute()} is a folder; give the path of a file in it"
    if not file.is_file():
        return no_file(file, "give the path of a .csv, .tsv or .parquet file")
    if not {each.lower() for each in file.suffixes} & {*TABLE_SUFFIXES}:
        return f"the suffix {file.suffix!r} is not known; allowed are .csv, .tsv and .parquet"
    return None if file.stat().st_size else EMPTY


def no_file(file: Path, advice: str) -> str:
    """Return the message for a file that does not exist."""
    return f"there is no file {file.absolute()}; {advice}"


def _header_problems(given: str, file: Path, key: str, data: Mapping[str, Any]) -> Iterator[str]:
    separator = separator_of(file, data.get("separator"))
    encoding = data.get("encoding", "utf-8")
    try:
        columns = header(file, separator=separator, encoding=encoding)
    except UnicodeError:
        yield f"{given}: the file is not {encoding}; {NOT_UTF8}"
        return
    except (OSError, EOFError, LookupError, csv.Error) as error:  # LookupError: base64 encodes no text
        yield f"{given}: its first line cannot be read: {error}"
        return
    if not re.sub(r"\s", "", "".join(columns)).isprintable():
        yield f"{given}: the file is no text: its first line holds control characters"
        return
    absent = [(name, asked) for name, asked in _asked(key, data) if name not in columns]
    others = [each for each in ";\t|," if each != separator and len(columns) == 1 and each in columns[0]]
    if absent and others:
        right = "\\t" if others[0] == "\t" else others[0]
        yield f"{given}: with the separator {separator!r} its first line is one column, {_shown(columns[0])}; try 'data.separator=\"{right}\"'"
        return
    for name, asked in absent:
        yield f"{asked}: {data[key]} has {no_column(name, columns)}"


def _asked(key: str, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the columns a file must have, each with the key that names it."""
    yield data["target"], f"data.target={data['target']}"
    if key == "path" and data.get("time_column"):
        yield data["time_column"], f"data.time_column={data['time_column']}"
    for kind in ("numeric", "categorical", *(["drop"] if key == "path" else [])):
        for name in data.get(kind) or ():
            yield name, f"data.{kind}"


def separator_of(file: Path, given: str | None) -> str:
    """Return the separator of a text file: the given one, where backslash-t is a tab, or that of its suffix."""
    if given is None:
        return "\t" if ".tsv" in [each.lower() for each in file.suffixes] else ","
    return "\t" if given == "\\t" else given


def header(file: Path, *, separator: str = ",", encoding: str = "utf-8") -> list[str]:
    """Return the column names in the first non-blank line of a text file, which gzip may have compressed."""
    marked = (
        "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    )  # a byte order mark may be there
    opened = gzip.open if file.suffix.lower() == ".gz" else open
    with opened(file, "rt", newline="", encoding=marked) as text:
        lines = itertools.islice(iter(lambda: text.readline(_LINE), ""), _LINES)
        rows = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        return next((row for row in rows if row), [])


def no_column(name: str, columns: Sequence[str]) -> str:
    """Return the message for a missing column, with a near match and the first columns there are."""
    hint = did_you_mean(name, columns, repr)
    more = ", ..." if len(columns) > _SHOWN else ""
    return f"no column {name!r}{hint}; columns are {', '.join(map(_shown, columns[:_SHOWN]))}{more}"


def _shown(name: str) -> str:
    """Return a column's name for a message: one line, no control characters, not too long."""
    plain = name if name.isprintable() else repr(name)[1:-1]
    return plain if len(plain) <= _LETTERS else f"{plain[:_LETTERS]}..."
