"""Checks data files before anything heavy is loaded: whether they exist and have the columns.

Reads at most the first bytes of a file, with the standard library alone.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.data.reading import dialect, header
from trainer.data.reading.files import formats, signatures
from trainer.data.reading.files.formats import Format
from trainer.errors import DataError
from trainer.overrides import setting

_READ = ("separator", "encoding", "header", "skip")  # keys that say how a text is written
ADULT_FILES = ("adult.data", "adult.test")
ADULT_SOURCE = (
    "get both files from https://archive.ics.uci.edu/dataset/2/adult and set data.path to their folder"
)
ADULT_COLUMNS = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation",
    "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
)  # fmt: skip


def source_problems(data: Mapping[str, Any], also: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield a line for each file of a `data` section that is missing, empty, or lacks a column of the config.

    `also` are further columns by the keys that name them.
    """
    more = [(column, key) for key, column in (also or {}).items()]
    if data["_target_"] == "trainer.data.adult.load":
        for file in (Path(data["path"]) / name for name in ADULT_FILES):
            if not file.is_file():
                yield f"data.path={data['path']}: {formats.no_file(file, ADULT_SOURCE)}"
        for name in data["drop"]:
            if name not in ADULT_COLUMNS:
                yield f"data.drop: there is {header.no_column(name, ADULT_COLUMNS)}"
        for name, asked in more:
            if name not in ADULT_COLUMNS:
                yield f"{asked}: there is {header.no_column(name, ADULT_COLUMNS)}"
    elif data["_target_"] == "trainer.data.table.load":
        for key in ("path", "test_path"):
            if data.get(key) is not None:
                yield from _table_problems(f"data.{key}={data[key]}", Path(data[key]), key, data, more)


def split_problems(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each way of splitting rows that cannot work, or that contradicts another one."""
    shares = [data.get("val_fraction"), data.get("test_fraction")]
    folds, fold = data.get("folds"), data.get("fold")
    given = [each for each in shares if isinstance(each, float)]
    if len(given) == 2 and sum(given) >= 1 and folds is None and not data.get("test_path"):
        yield f"data.val_fraction={given[0]} and data.test_fraction={given[1]} leave no rows to train on; allowed is a sum below 1"
    if _is_given(data.get("time_column")) and _is_given(data.get("group_column")):
        yield (
            f"data.time_column={data['time_column']} and data.group_column={data['group_column']}: rows are split by one of "
            "them; leave the other out"
        )
    if not isinstance(folds, int):
        if fold is not None:
            yield f"data.fold={fold}: set data.folds, the number of folds"
    elif fold is None:
        yield (
            f"data.folds={folds}: set data.fold, the one to validate on, from 0 to {folds - 1}; all of them are a sweep: "
            f"-m 'data.fold=range(0,{folds})'"
        )
    elif isinstance(fold, int) and fold >= folds:
        yield f"data.fold={fold}: allowed are 0 to {folds - 1}, because data.folds={folds}"


def _table_problems(
    given: str, file: Path, key: str, data: Mapping[str, Any], more: Sequence[tuple[str, str]] = ()
) -> Iterator[str]:
    member = data.get("member") if key == "path" or formats.has_member(file, data.get("member")) else None
    if problem := formats.problem(file, member):
        yield f"{given}: {problem}"
        return
    if formats.format_of(file, member) is not Format.TEXT or formats.compression(file) == signatures.ZSTD:
        return  # the libraries that read these load slowly
    state = file.stat()
    names = tuple(map(str, data["names"])) if data.get("names") else None
    how = {key: data.get(key) for key in _READ}
    try:
        opening = _opening(file, state.st_mtime_ns, state.st_size, names=names, member=member, **how)
    except DataError as error:
        message = str(error)
        yield message if message.startswith("data.") else f"{given}: {_as_sentence(message)}"
        return
    wanted = [*_asked(key, data), *(more if key == "path" else ())]
    absent = [(name, asked) for name, asked in wanted if header.found(name, opening.names) is None]
    separator = opening.dialect.separator
    others = [each for each in ";\t|,^~:" if each != separator and each in opening.names[0]]
    if absent and len(opening.names) == 1 and separator in opening.names[0]:
        yield (
            f"{given}: its first line stands in quotes as a whole, so it is one column, {header.shown(opening.names[0])}; remove the "
            "quotes around whole lines"
        )
        return
    if absent and len(opening.names) == 1 and others:
        words = {mark: word for word, mark in dialect.MARKS.items() if word.isalpha()}
        right = setting("data.separator", words.get(others[0], others[0]))
        yield f"{given}: with the separator {separator!r} its first line is one column, {header.shown(opening.names[0])}; try {right}"
        return
    sample = formats.head(file, member) if absent else b""
    for name, asked in absent:
        hint = _hint(opening, data, dialect.before_names(sample, opening.dialect.encoding, [str(name)]))
        yield f"{asked}: {data[key]} has {header.no_column(name, opening.names)}{hint}"


@functools.lru_cache(maxsize=64)  # all jobs of a sweep ask about the same files
def _opening(
    file: Path, _changed: int, _size: int, *, names: tuple[str, ...] | None, member: str | None, **how: Any
) -> dialect.Opening:
    sample, tabbed = formats.head(file, member), formats.is_tabbed(file, member)
    return dialect.find(sample, names=names, tabbed=tabbed, **how)


def _hint(opening: dialect.Opening, data: Mapping[str, Any], before: int | None) -> str:
    """Return what may be wrong with a header that lacks a column, which so many lines stand before."""
    if before and before != opening.dialect.skip:
        return f"; line {before + 1} has it: data.skip={before} leaves out what stands before"
    if before == 0:
        return "; the first line has it: " + ("data.skip=0" if opening.dialect.skip else "data.header=true")
    if not opening.dialect.header:
        return "; no header line is found: data.header=true if its first line is one"
    if opening.left_out:
        return f"; {opening.left_out}"
    nameless = sum(not cell.strip() for cell in opening.cells)
    if data.get("skip") is None and (len(opening.names) == 1 or nameless > 1):
        return "; if lines such as a title stand before the header, data.skip=N leaves out N of them"
    return ""


def _as_sentence(message: str) -> str:
    return f"the file {message}" if message.startswith("is not") else message


def _is_given(column: object) -> bool:
    return column not in (None, "")  # 0 may be the name of a column


def _asked(key: str, data: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """Yield the columns a file must have, each with the key that names it."""
    yield data["target"], f"data.target={data['target']}"
    # A test file is not split, but its rows have weights.
    serving = ("time_column", "group_column", "weight_column") if key == "path" else ("weight_column",)
    for column in serving:
        if _is_given(data.get(column)):
            yield data[column], f"data.{column}={data[column]}"
    for kind in ("numeric", "categorical", "time", *(["drop", "text", "keep"] if key == "path" else [])):
        for name in data.get(kind) or ():
            yield name, f"data.{kind}"
