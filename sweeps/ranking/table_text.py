"""The text of a table's cells and the names of its columns, for the files of a leaderboard."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from tracking.cli.toolkit.output import one_line
from tracking.values.csvtext import csv_line, no_formula

METRICS, PARAMS = "metrics.", "params."  # as a filter writes them
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # all but tab and the ends of lines
# What Markdown reads as more than text: an underscore only at the edge of a word, a colon and a dot only in an address.
_MARKUP = re.compile(r"[\\`*\[\]<>|~&$#!@{}]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.")


def told_apart(values: Sequence[Any], text: Callable[[Any], str]) -> list[str]:
    """Return the `text` of each value of a column; values that differ and would read alike are written exactly.

    So 1, 1.0 and the text 1 are `1`, `1.0` and `'1'` where they stand in one column.
    """
    texts = [text(value) for value in values]
    meanings: dict[str, set[str]] = {}
    for value, shown in zip(values, texts, strict=True):
        meanings.setdefault(shown, set()).add(repr(value))
    return [
        _exactly(value) if len(meanings[shown]) > 1 else shown
        for value, shown in zip(values, texts, strict=True)
    ]


def _exactly(value: Any) -> str:
    if isinstance(value, str):
        return f"'{value}'"
    return "null" if value is None else repr(value)


def unique_names(columns: Sequence[tuple[str, str]]) -> list[str]:
    """Return a name for each column, given as its kind and its own name, of which no two are equal."""
    names: dict[int, str] = {}
    for kind in (
        "",
        METRICS,
        PARAMS,
    ):  # a column of ours keeps its name, and the objective before a swept key
        for index, (own, name) in enumerate(columns):
            if own == kind:
                while name in names.values():
                    name = f"{kind}{name}"
                names[index] = name
    return [names[index] for index in range(len(columns))]


def csv_row(cells: Sequence[str]) -> str:
    """Return cells as a line of CSV that no spreadsheet or terminal obeys."""
    return csv_line(no_formula(_no_control(cell)) for cell in cells)


def _no_control(cell: str) -> str:
    """Return a cell with the control characters escaped that a terminal would obey."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], cell)


def markdown_text(text: str) -> str:
    """Return Markdown that shows a text as it is, on one line."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))
