"""Tables: whole cells in a pipe, as many columns as fit on a terminal.

rich is loaded only when a table is drawn on a terminal.
"""

import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

from tracking.cli.toolkit import output
from tracking.cli.toolkit.fitting import ELLIPSIS, Column, fit, fits

if TYPE_CHECKING:
    from rich.table import Table

JSON_HAS_ALL = "--json shows all columns"

PADDED = 120  # a cell in a pipe is padded to at most this

STATUS_COLUMNS = ("status", "state")
STATUS_STYLES = {
    "completed": "green",
    "finished": "green",
    "reused": "green",
    "failed": "red",
    "killed": "red",
    "ended": "yellow",
    "pruned": "blue",
    "cancelled": "yellow",
    "interrupted": "yellow",
    "running": "cyan",
}


def columns_of(
    names: Sequence[str], rows: Sequence[Sequence[Any]], *, keep: int = 1, wraps: bool = False
) -> list[Column]:
    """Return the columns of rows of values, numbers to the right; those after the first `keep` may be left out.

    With `wraps` the last column may break its cells.
    """
    return [
        Column(
            name,
            [output.show(row[index]) for row in rows],
            drop=max(0, index - keep + 1),
            left=not all(_is_number(row[index]) for row in rows),
            wraps=wraps and index == len(names) - 1,
        )
        for index, name in enumerate(names)
    ]


def say_rows(
    names: Sequence[str], rows: Sequence[Sequence[Any]], *, keep: int = 1, wraps: bool = False
) -> None:
    """Write rows of values as a table; see `columns_of`."""
    say_table(columns_of(names, rows, keep=keep, wraps=wraps))


def say_table(
    columns: Sequence[Column],
    *,
    row_styles: Sequence[str] = (),
    hint: str = JSON_HAS_ALL,
    file: IO[str] | None = None,
) -> None:
    """Write a table to stdout or `file`.

    A terminal gets the columns that fit and a line that names the others, with `hint` on where to find them.
    """
    out = file or sys.stdout
    if not out.isatty():
        encoding = getattr(out, "encoding", None) or "utf-8"
        for line in zip(*(_padded(_escaped(column, encoding)) for column in columns), strict=True):
            out.write("  ".join(line).rstrip() + "\n")
        return
    console = output.console(out)
    table, note = fitting_table(
        [_escaped(column, console.encoding) for column in columns],
        console.width,
        row_styles=row_styles,
        hint=hint,
        ellipsis=output.ellipsis(console.encoding),
    )
    console.print(table)
    if note:  # may hold a path, which stays whole
        lines = textwrap.wrap(note, console.width, break_long_words=False, break_on_hyphens=False)
        output.say("\n".join(lines), "dim", file=out)


def fitting_table(
    columns: Sequence[Column],
    width: int,
    *,
    row_styles: Sequence[str] = (),
    hint: str = JSON_HAS_ALL,
    ellipsis: str = ELLIPSIS,
) -> tuple["Table", str]:
    """Return a table of the columns that fit into `width`, and a line about what is left out or cut; '' if nothing is.

    Without `row_styles` the first column is bold.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    columns = [_escaped(column) for column in columns]
    kept = fit(columns, width, ellipsis)
    is_whole = fits([cut for _, cut in kept], width)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    for column, cut in kept:
        table.add_column(
            Text(cut.name),
            justify="left" if column.left else "right",
            overflow="fold",
            no_wrap=is_whole and not column.wraps,
            style="bold" if column is columns[0] and not row_styles else "",
        )
    for index, style in enumerate(row_styles or [""] * len(columns[0].cells)):
        table.add_row(
            *(Text(cut.cells[index], _style_of(column, index)) for column, cut in kept), style=style
        )
    shown = {id(column) for column, _ in kept}  # two columns may be equal
    left_out = output.listed([column.name for column in columns if id(column) not in shown])
    notes = [f"no room for: {left_out}"] if left_out else []
    notes += ["some cells are cut"] if any(column.cells != cut.cells for column, cut in kept) else []
    return table, "; ".join([*notes, hint]) if notes else ""


def _style_of(column: Column, row: int) -> str:
    """Return the style of a cell: the colour of a status, else none."""
    # Only in these columns: a run or a sweep may be named like a status.
    return STATUS_STYLES.get(column.cells[row], "") if column.name in STATUS_COLUMNS else ""


def _escaped(column: Column, encoding: str = "utf-8") -> Column:
    """Return a column as it will be written, before it is measured; what `encoding` lacks is escaped as streams do it."""
    texts = [output.one_line(text) for text in (column.name, column.brief, *column.cells)]
    if not encoding.lower().replace("-", "").startswith("utf"):
        texts = [text.encode(encoding, "backslashreplace").decode(encoding) for text in texts]
    name, brief, *cells = texts
    return replace(column, name=name, brief=brief, cells=cells)


def _padded(column: Column) -> list[str]:
    cells = [column.name, *column.cells]
    # not cell_len of rich, whose import slows every command; few long cells must not widen all others
    width = min(max(map(len, cells)), PADDED)
    return [cell.ljust(width) if column.left else cell.rjust(width) for cell in cells]


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
