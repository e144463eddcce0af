"""Spans of time and sizes as people write them: 30d, 12h, 1.5GB, 500MiB."""

import re
from datetime import timedelta

from tracking.errors import InvalidValueError, quoted

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
BYTES = {"": 1, "b": 1} | {
    name: base**power
    for power, letter in enumerate("kmgt", 1)
    for name, base in ((letter, 1000), (f"{letter}b", 1000), (f"{letter}ib", 1024))
}

_QUANTITY = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", re.IGNORECASE | re.ASCII)


def time_span(text: str) -> timedelta:
    """The span that `text` names, such as 90s, 30m, 12h, 30d or 2w."""
    number, unit = _parts(text, SECONDS, "a span of time", "90s, 30m, 12h, 30d or 2w")
    try:
        return timedelta(seconds=number * SECONDS[unit])
    except OverflowError:
        raise InvalidValueError(f"{quoted(text)} is longer than a calendar reaches") from None


def byte_count(text: str) -> int:
    """The number of bytes that `text` names, such as 1000, 500MB or 1.5GiB."""
    number, unit = _parts(text, BYTES, "a size", "1000, 500MB or 1.5GiB")
    try:
        return int(number * BYTES[unit])
    except OverflowError:
        raise InvalidValueError(f"{quoted(text)} is more than any disk holds") from None


def size_text(count: int) -> str:
    """A number of bytes for people, such as 12.3 MB."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _parts(text: str, units: dict[str, int], what: str, examples: str) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2].lower() not in units:
        raise InvalidValueError(f"{quoted(text)} is not {what}; write it as {examples}")
    return float(match[1]), match[2].lower()
