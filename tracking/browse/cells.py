"""Values as pages get them: JSON that any browser reads without loss.

Non-finite numbers are the strings of jsontext, whole numbers that a double does not hold are strings of digits, times
are ISO 8601, and text is text that UTF-8 holds. So the answers of this room can be encoded as they are.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tracking.values.jsontext import non_finite_text, readable

EXACT = 1 << 53  # beyond it a browser rounds a whole number
LONGEST = 1000  # characters of a text in a table
LONGEST_VALUE = 65536  # characters of a text anywhere else
DEEPEST = 16  # levels of a nested value

_AS_THEY_ARE = {bool, type(None)}


def value(given: Any, *, longest: int = LONGEST_VALUE, depth: int = DEEPEST) -> Any:
    """Return a value as pages get it; a longer text and what is nested deeper are cut, and end with '...'."""
    kind = type(given)
    if kind in _AS_THEY_ARE:
        return given
    if kind is float:
        return given if math.isfinite(given) else non_finite_text(given)
    if kind is int:
        return given if -EXACT <= given <= EXACT else _digits(given)
    if isinstance(given, str):
        return _text(given, longest)
    if isinstance(given, datetime):
        return given.isoformat()
    if isinstance(given, Mapping | list | tuple) and depth <= 0:
        return "..."
    if isinstance(given, Mapping):
        return {
            _text(str(key), longest): value(item, longest=longest, depth=depth - 1)
            for key, item in given.items()
        }
    if isinstance(given, list | tuple):
        return [value(item, longest=longest, depth=depth - 1) for item in given]
    return _text(str(given), longest)


def column(values: list[Any]) -> list[Any]:
    """Return the values of a column of a table; the same list where nothing needs another form."""
    kinds = set(map(type, values))
    if kinds <= {float, int, type(None), bool}:
        numbers = [each for each in values if each is not None]
        # one sum tells of most columns that every value is finite and that no whole number is too large
        if not numbers or (math.isfinite(_sum(numbers)) and min(numbers) >= -EXACT and max(numbers) <= EXACT):
            return values
    elif kinds <= {str, type(None)}:
        texts = [each for each in values if each is not None]
        if all(map(str.isascii, texts)) and max(map(len, texts), default=0) <= LONGEST:
            return values
    return [value(each, longest=LONGEST) for each in values]


def moment(given: datetime | None) -> str | None:
    """Return a time as pages get it."""
    return None if given is None else given.isoformat()


def is_number(given: Any) -> bool:
    """Return whether a value of the store is a number, and no boolean."""
    return isinstance(given, int | float) and not isinstance(given, bool)


def _sum(numbers: Iterable[Any]) -> float:
    try:
        return float(sum(numbers))
    except OverflowError:
        return math.inf


def _digits(number: int) -> str:
    try:
        return str(number)
    except ValueError:  # Python writes no more than 4300 digits
        return hex(number)


def _text(text: str, longest: int) -> str:
    if len(text) > longest:
        text = f"{text[:longest]}..."
    return text if text.isascii() else str(readable(text))
