"""How commands speak: a table or JSON on stdout, one line per fault on stderr."""

import sys
from collections.abc import Sequence

from rich.text import Text

from sweeps.display.console import make_console
from sweeps.display.tables import Column, fitting_table
from tracking.values.jsontext import encode


def say(text: str, style: str = "") -> None:
    """Print a line, brackets and all, however long it is."""
    make_console().print(Text(text, style=style), soft_wrap=True)


def say_json(value: object) -> None:
    """Print a value as indented JSON; NaN and infinities are strings."""
    sys.stdout.write(encode(value, indent=True).decode() + "\n")


def say_table(columns: Sequence[Column], row_styles: Sequence[str] = ()) -> None:
    """Print a table; what a narrow terminal has no room for is named below it."""
    console = make_console()
    table, dropped = fitting_table(columns, console.width, row_styles=row_styles)
    console.print(table)
    if dropped:
        say(f"no room for: {', '.join(dropped)}; --json gives all", "dim")


def warn(text: str) -> None:
    """Say on stderr what had to be left out."""
    sys.stderr.write(f"sweeps: {' '.join(text.split())}\n")
