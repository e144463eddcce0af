"""Values as cells of tables: what a person reads on a terminal or in a notebook."""

import math
from datetime import datetime
from typing import Any

from tracking.values import jsontext

LONGEST = 1000  # characters of a cell; whole texts are for --json and files


def show(value: Any) -> str:
    """Return a value as a cell: four decimals for ordinary floats, '-' for None, times to the second.

    A text of more than LONGEST characters is cut in the middle.
    """
    if value is None:
        return "-"
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return f"{value:.4f}" if 0.001 <= abs(value) < 10 else f"{value:.6g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dict | list):
        return _bounded(jsontext.encode(value).decode().replace(",", ", ").replace(":", ": "))
    return _bounded(str(value))


def _bounded(text: str) -> str:
    """Return a text whole or, when it is very long, its beginning, its length and its end."""
    if len(text) <= LONGEST:
        return text
    return (
        f"{text[: LONGEST // 2]} ... ({len(text):,} characters; --json has all) ... {text[-LONGEST // 4 :]}"
    )


def param(value: Any) -> str:
    """Return a parameter as a cell, without rounding."""
    return repr(value) if isinstance(value, float) else show(value)


def safe(text: str) -> str:
    """Return text with control characters escaped, except newlines."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def one_line(text: str) -> str:
    """Return text with control characters and newlines escaped."""
    return safe(text).replace("\n", "\\n")
