"""Durations, sizes and counts as people write and read them: 1h30m, 2w, 4G, 2GiB; 3 jobs."""

import math
import re

from tracking.errors import InvalidValueError, quoted

SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
BYTES = {"": 1, "b": 1} | {
    name: base**power
    for power, letter in enumerate("kmgt", 1)
    for name, base in ((letter, 1000), (f"{letter}b", 1000), (f"{letter}ib", 1024))
}

_QUANTITY = re.compile(r"\s*((?:\d+(?:\.\d*)?|\.\d+)(?:e\d+)?)\s*([a-z]*)\s*", re.IGNORECASE | re.ASCII)
_PARTS = re.compile(r"(\s*\d+(?:\.\d*)?\s*[a-z]+){2,}\s*", re.IGNORECASE | re.ASCII)  # 1h30m


def parse_duration(value: float | str, *, needs_unit: bool = False) -> float:
    """Return the seconds that `value` names: 90, 90s, 30m, 1.5h, 1h30m, 2d, 2w.

    With `needs_unit` a bare number is refused. Raise InvalidValueError for anything else, and for a duration that is not finite.
    """
    allowed = f"{'' if needs_unit else 'seconds (90), or '}90s, 30m, 1.5h, 1h30m, 2d or 2w"
    units = SECONDS if needs_unit else {"": 1, **SECONDS}
    text = str(value)
    if _PARTS.fullmatch(text):
        return sum(_parse(part[0], units, "duration", allowed) for part in _QUANTITY.finditer(text))
    return _parse(text, units, "duration", allowed)


def parse_size(value: float | str) -> int:
    """Return the bytes that `value` names: 1000, 500MB, 4G, 2GiB.

    Raise InvalidValueError for anything else, and for a size that is not finite.
    """
    return round(_parse(str(value), BYTES, "size", "bytes (1000), or 500MB, 4G or 2GiB"))


def format_duration(seconds: float) -> str:
    """Write a limit in the largest unit that keeps it short: 90 s, 30 min, 1.5 h."""
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            return f"{round(seconds / size, 1):g} {unit}"
    return f"{round(seconds / 86400, 1):g} d"


def format_clock(seconds: float | None) -> str:
    """Write the time that something took: ``8.3 s``, ``4:05``, ``2:10:00``; ``-`` for None."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_size(count: float) -> str:
    """Write a number of bytes with three digits: 512 MB, 4.21 GB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3f}".rstrip("0").rstrip(".") + " TB" if count >= 1000 else f"{count:.3g} TB"


def counted(count: int, noun: str) -> str:
    """Write a number of things: ``1 job``, ``3 jobs``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _parse(text: str, units: dict[str, int], what: str, allowed: str) -> float:
    found = _QUANTITY.fullmatch(text)
    scale = units.get(found[2].lower()) if found else None
    if found is None or scale is None:
        raise InvalidValueError(f"{quoted(text)} is not a {what}; write {allowed}")
    quantity = float(found[1]) * scale
    if not math.isfinite(quantity):
        raise InvalidValueError(f"{quoted(text)} is too large for a {what}")
    return quantity
