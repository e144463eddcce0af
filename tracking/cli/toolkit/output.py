"""How commands speak: a table that fits the terminal, plain whole cells for a pipe, or JSON.

rich is loaded only when a terminal is there to use it.
"""

import logging
import math
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from tracking.errors import CorruptFileError
from tracking.values import jsontext
from tracking.values.names import natural_key

log = logging.getLogger("tracking")

Rows = Sequence[Sequence[Any]]

MOST_RANGES = 100  # of run ids in a list; a longer one is cut after HEAD of them
HEAD = 10


def say(text: str = "") -> None:
    """One line of output; characters that would steer the terminal are shown escaped."""
    sys.stdout.write(safe(text) + "\n")


def say_json(value: Any) -> None:
    """A value as indented JSON; NaN and infinities are strings."""
    sys.stdout.write(jsontext.encode(jsontext.readable(value), indent=True).decode() + "\n")


def say_json_line(value: Any) -> None:
    """A value as one line of JSON."""
    sys.stdout.write(jsontext.encode(value).decode() + "\n")


def say_progress(done: int, total: int) -> None:
    """How far a long work is, on stderr, in place; only for terminals. The line goes with the last step."""
    sys.stderr.write(f"\r{done} of {total} runs" if done < total else "\r\x1b[K")
    sys.stderr.flush()


def title(text: str) -> None:
    """A heading between rules, bold on a terminal."""
    if not sys.stdout.isatty():
        rule = "=" * 80
        say(f"{rule}\n{text}\n{rule}")
        return
    _console().print(safe(text), style="bold", markup=False, highlight=False)


def report(left_out: Sequence[CorruptFileError]) -> int:
    """Name on stderr what could not be shown; the exit code that tells of it."""
    for error in left_out:
        log.warning("left out: %s", error)
    return 1 if left_out else 0


def table(columns: Sequence[str], rows: Rows, *, keep: int = 1, wraps: bool = False) -> None:
    """A table of cells; numbers to the right.

    A pipe gets every cell whole. On a terminal too narrow for all columns those after the first `keep` are left
    out from the right, and a line says which. With `wraps` the last column may break its cells at spaces.
    """
    if not sys.stdout.isatty():
        _plain_table(*_texts(columns, rows))
        return
    for part in fitting_table(columns, rows, keep=keep, wraps=wraps):
        _console().print(part)


def fitting_table(columns: Sequence[str], rows: Rows, *, keep: int = 1, wraps: bool = False) -> list[Any]:
    """What rich draws for a table of cells: the table that fits the terminal, and a line about what does not."""
    return _rich_table(*_texts(columns, rows), keep, wraps)


def show(value: Any) -> str:
    """A cell: four decimals for ordinary floats, '-' for nothing."""
    if value is None:
        return "-"
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return f"{value:.4f}" if 0.001 <= abs(value) < 10 else f"{value:.6g}"
    if isinstance(value, dict | list):
        return jsontext.encode(value).decode().replace(",", ", ").replace(":", ": ")
    return str(value)


def param(value: Any) -> str:
    """A parameter as it was given: no rounding."""
    return repr(value) if isinstance(value, float) else show(value)


def ranges(run_ids: Sequence[str], *, whole: bool) -> str:
    """Run ids in a list; unless `whole` neighbours are drawn together as run_001..run_005, and a long list is cut."""
    ids = sorted(run_ids, key=natural_key)
    if whole:
        return ", ".join(ids)
    groups: list[list[str]] = []
    for run_id in ids:
        if groups and _number(run_id) == _number(groups[-1][-1]) + 1:
            groups[-1].append(run_id)
        else:
            groups.append([run_id])
    texts = [group[0] if len(group) == 1 else f"{group[0]}..{group[-1]}" for group in groups]
    if len(texts) > MOST_RANGES:
        rest = sum(map(len, groups[HEAD:-1]))
        texts = [*texts[:HEAD], f"({rest} more)", texts[-1]]
    return ", ".join(texts)


def safe(text: str) -> str:
    """Text with control characters escaped, newlines of our own kept."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def _one_line(text: str) -> str:
    return safe(text).replace("\n", "\\n")


def _texts(columns: Sequence[str], rows: Rows) -> tuple[list[str], list[list[str]], list[bool]]:
    """Names, cells as text, and which columns are numbers throughout."""
    names = [_one_line(name) for name in columns]
    texts = [[_one_line(show(cell)) for cell in row] for row in rows]
    return names, texts, [all(_is_number(row[index]) for row in rows) for index in range(len(columns))]


def _plain_table(columns: Sequence[str], texts: Sequence[Sequence[str]], numeric: Sequence[bool]) -> None:
    widths = [max(len(cell) for cell in cells) for cells in zip(columns, *texts, strict=True)]
    for line in [columns, *texts]:
        cells = zip(line, widths, numeric, strict=True)
        say(
            "  ".join(
                cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells
            ).rstrip()
        )


def _rich_table(
    columns: Sequence[str],
    texts: Sequence[Sequence[str]],
    numeric: Sequence[bool],
    keep: int,
    wraps: bool,
) -> list[Any]:
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    limit = shutil.get_terminal_size().columns
    widths: list[int] = [max(map(cell_len, cells)) for cells in zip(columns, *texts, strict=True)]
    if wraps:
        words = (word for line in texts for word in line[-1].split())
        widths[-1] = max(map(cell_len, [columns[-1], *words]))

    def fits(count: int) -> bool:
        return sum(widths[:count]) + 3 * (count - 1) <= limit  # a divider and a space on either side of it

    count = len(columns)
    while count > keep and not fits(count):
        count -= 1
    rich_table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    for index, name in enumerate(columns[:count]):
        rich_table.add_column(
            Text(name),
            justify="right" if numeric[index] else "left",
            overflow="fold",
            no_wrap=fits(count) and not (wraps and index == len(columns) - 1),
            style="" if index else "bold",
        )
    for line in texts:
        rich_table.add_row(*(Text(cell, style=STATUS_STYLES.get(cell, "")) for cell in line[:count]))
    if count == len(columns):
        return [rich_table]
    return [rich_table, Text(f"not shown for want of width: {', '.join(columns[count:])}", style="dim")]


STATUS_STYLES = {
    "completed": "green",
    "failed": "red",
    "killed": "red",
    "running": "yellow",
    "champion": "green",
}


def _console() -> Any:
    """The terminal as rich sees it; NO_COLOR and TERM are respected."""
    from rich.console import Console

    return Console(file=sys.stdout, width=shutil.get_terminal_size().columns)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _number(run_id: str) -> int:
    digits = run_id.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else -2
