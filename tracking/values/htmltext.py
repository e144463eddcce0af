"""HTML for notebooks: titled tables, all text escaped. No colours, scripts or files, so that any theme and page suits them."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from tracking.values.celltext import one_line, show
from tracking.values.units import counted

MOST_ROWS = 50
MOST_COLUMNS = 25
LONGEST = 120  # characters of a cell

_CELL = "padding:0.2em 0.8em 0.2em 0;white-space:nowrap;vertical-align:top;text-align:"
_FAINT = "opacity:0.7;font-size:90%;margin:0.2em 0"


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", notes: Sequence[str] = ()
) -> str:
    """Return a table with a title above and notes below; only the first rows and columns of a large one.

    Numbers are rounded as on a terminal and stand to the right.
    """
    rows = list(rows)
    left_out = [
        counted(count, f"more {noun}")
        for count, noun in ((len(rows) - MOST_ROWS, "row"), (len(columns) - MOST_COLUMNS, "column"))
        if count > 0
    ]
    sides = ["right" if _holds_numbers(column) else "left" for column in zip(*rows, strict=True)]
    sides += ["left"] * (len(columns) - len(sides))
    head = _row("th", columns, sides)
    body = "".join(_row("td", row, sides) for row in rows[:MOST_ROWS])
    notes = [*notes, *([", ".join(left_out)] if left_out else [])]
    return _titled(title, f"<thead>{head}</thead><tbody>{body}</tbody>" if rows else "", notes)


def facts(known: Mapping[str, Any], *, title: str = "") -> str:
    """Return a table with a row per fact that is not None."""
    rows = [(name, fact) for name, fact in known.items() if fact is not None]
    body = "".join(_row("td", row, ("left", "left")) for row in rows[:MOST_ROWS])
    notes = [counted(len(rows) - MOST_ROWS, "more row")] if len(rows) > MOST_ROWS else []
    return _titled(title, f"<tbody>{body}</tbody>", notes)


def beside(*parts: str) -> str:
    """Return pieces of HTML next to each other, below each other where there is no room."""
    return f'<div style="display:flex;flex-wrap:wrap;gap:0 2.5em">{"".join(filter(None, parts))}</div>'


def _titled(title: str, content: str, notes: Iterable[str]) -> str:
    # a table of a page without a doctype takes neither colour nor size from around it, unless told so
    style = "border-collapse:collapse;margin:0;color:inherit;font-size:inherit"
    parts = [
        f'<div style="font-weight:bold;margin:0.3em 0">{_text(title)}</div>' if title else "",
        f'<table style="{style}">{content}</table>' if content else "",
        *(f'<div style="{_FAINT}">{_text(note)}</div>' for note in notes),
    ]
    return f'<div style="overflow-x:auto">{"".join(parts)}</div>'


def _row(tag: str, cells: Sequence[Any], sides: Sequence[str]) -> str:
    shown = list(zip(cells, sides, strict=True))[:MOST_COLUMNS]
    inner = "".join(f'<{tag} style="{_CELL}{side}">{_text(show(cell))}</{tag}>' for cell, side in shown)
    return f"<tr>{inner}</tr>"


def _holds_numbers(column: Iterable[Any]) -> bool:
    kinds = {type(value) for value in column if value is not None}
    return bool(kinds) and kinds <= {int, float}


def _text(text: str) -> str:
    shown = one_line(text)
    return escape(shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…")
