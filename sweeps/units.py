"""Durations and sizes as people write them: 90, 90s, 30m, 1.5h; 500MB, 4GB, 2GiB."""

import math
import re

SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {
    "": 1,
    "b": 1,
    "kb": 10**3, "k": 10**3,
    "mb": 10**6, "m": 10**6,
    "gb": 10**9, "g": 10**9,
    "tb": 10**12, "t": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}  # fmt: skip
_QUANTITY = re.compile(r"\s*([0-9]*\.?[0-9]+(?:e[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE)
_PARTS = re.compile(r"(\s*[0-9]*\.?[0-9]+\s*[a-z]+){2,}\s*", re.IGNORECASE)  # 1h30m


def parse_duration(value: float | str) -> float:
    """Give seconds; raises ValueError that says what is allowed."""
    allowed = "seconds (90), or 90s, 30m, 1.5h, 1h30m, 2d"
    if _PARTS.fullmatch(str(value)):
        return sum(_parse(part[0], SECONDS, allowed) for part in _QUANTITY.finditer(str(value)))
    return _parse(value, SECONDS, allowed)


def parse_size(value: float | str) -> int:
    """Give bytes; raises ValueError that says what is allowed."""
    return round(_parse(value, BYTES, "bytes (500000000), or 500MB, 4GB, 4G, 2GiB"))


def format_duration(seconds: float) -> str:
    """Write a duration in the largest unit that keeps it short: 90 s, 30 min, 1.5 h."""
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            return f"{round(seconds / size, 1):g} {unit}"
    return f"{round(seconds / 86400, 1):g} d"


def format_size(count: float) -> str:
    """Write a number of bytes with three digits: 512 MB, 4.2 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _parse(value: float | str, units: dict[str, float] | dict[str, int], allowed: str) -> float:
    found = _QUANTITY.fullmatch(str(value))
    scale = units.get(found[2].lower()) if found else None
    if found is None or scale is None:
        raise ValueError(f"allowed are {allowed}")
    quantity = float(found[1]) * scale
    if not 0 < quantity < math.inf:
        raise ValueError(f"allowed are more than 0: {allowed}")
    return quantity
