"""Elapsed times as text, in seconds: `45:12:33`, `2 days, 3:20:00`, `3h 20m` and `PT3H20M`."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainer.data.reading.arrow import as_numpy, scalar

Array = np.ndarray[Any, Any]

_N = r"[0-9]+(?:[.,][0-9]+)?"
_CLOCK = (
    r"^(?:(?P<d>-?[0-9]+) days?,? +\+?|(?P<minus>-))?(?P<h>[0-9]+):(?P<m>[0-5][0-9])"
    r"(?::(?P<s>[0-5][0-9](?:[.,][0-9]+)?))?$"
)
_WORDS = (
    rf"^(?P<minus>-)?(?:(?P<w>{_N}) ?(?i:w|wks?|weeks?)[, ]*)?(?:(?P<d>{_N}) ?(?i:d|days?)[, ]*)?"
    rf"(?:(?P<h>{_N}) ?(?i:h|hrs?|hours?|std\.?)[, ]*)?(?:(?P<m>{_N}) ?(?i:m|mins?\.?|minutes?)[, ]*)?"
    rf"(?:(?P<s>{_N}) ?(?i:s|secs?\.?|sek\.?|seconds?))?$"
)
_ISO = (
    rf"^(?P<minus>-)?P(?:(?P<w>{_N})W)?(?:(?P<d>{_N})D)?"
    rf"(?:T(?:(?P<h>{_N})H)?(?:(?P<m>{_N})M)?(?:(?P<s>{_N})S)?)?$"
)
_SECONDS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_LOOKS = r"(?i)^-?(?:[0-9]+(?:[.,][0-9]+)? ?[a-z:]|P[T0-9])"
_SURE = r"^(?:2[5-9]|[3-9][0-9]|[0-9]{3,}):|[^0-9:.,]"
_SAMPLE = 200  # values tried before a whole batch


@dataclass
class Elapsed:
    """Whether all texts of a column seen so far are elapsed times, and in which units."""

    fits: bool = True
    units: set[str] = field(default_factory=set)
    example: str = ""
    sure: bool = False  # a value is no time of day with one number wrong, as 24:00 is
    short: bool = True  # all are two numbers, as 45:12

    def see(self, texts: Any) -> None:
        """Take in present texts."""
        import pyarrow.compute as pc

        if not self.fits or not len(texts):
            return
        looks = pc.all(pc.match_substring_regex(texts[:_SAMPLE], _LOOKS)).as_py()
        for part in (texts[:_SAMPLE], texts) if looks else ():
            seconds, units = _read(part)
            looks = looks and not np.isnan(seconds).any()
            if not looks:
                break
        if not looks:
            self.fits = False
            return
        self.units |= units
        self.example = self.example or texts[0].as_py()
        self.sure = self.sure or are_sure(texts)
        if self.short:
            self.short = bool(pc.all(pc.match_substring_regex(texts, "^-?[0-9]+:[0-9]+$")).as_py())

    @property
    def are_found(self) -> bool:
        """Whether the texts can mean nothing else: those of one unit, such as `45m`, may be lengths."""
        return self.fits and self.sure and len(self.units) > 1 and bool(self.units & {"h", "s"})

    @property
    def told(self) -> str:
        """What to tell of the column."""
        return f"elapsed times ({self.example!r}), read as {'minutes and ' * self.short}seconds"


def are_sure(texts: Any) -> bool:
    """Whether some of the texts are more than times of day, of which one may be 24:00."""
    import pyarrow.compute as pc

    return bool(pc.any(pc.match_substring_regex(texts, _SURE)).as_py())


def parsed(texts: Any) -> tuple[Array, Array]:
    """Return an Arrow array of texts as seconds, and which present ones are no elapsed time."""
    import pyarrow.compute as pc

    seconds, _ = _read(texts)
    return seconds, as_numpy(pc.is_valid(texts)) & np.isnan(seconds)


def _read(texts: Any) -> tuple[Array, set[str]]:
    """Return texts as seconds, NaN for others, and the units that they have."""
    import pyarrow.compute as pc

    seconds = np.full(len(texts), np.nan)
    units: set[str] = set()
    for mark, pattern in ((":", _CLOCK), ("", _WORDS), ("P", _ISO)):
        if mark and not pc.any(pc.match_substring(texts, mark)).as_py():
            continue
        parts, fields = _fields(texts, pattern)
        found = {unit: _numbers(part) for unit, part in fields.items()}
        total = sum((np.nan_to_num(found[unit]) * _SECONDS[unit] for unit in found), np.zeros(len(texts)))
        if pattern is _CLOCK:  # 45:12 has minutes first
            short = np.isnan(found["s"]) & np.isnan(found["d"])
            total = np.where(short, total / 60, total)
        some = ~np.all([np.isnan(each) for each in found.values()], axis=0)
        minus = as_numpy(pc.fill_null(pc.equal(pc.struct_field(parts, "minus"), scalar("-")), scalar(False)))
        seconds = np.where(some, np.where(minus, -total, total), seconds)
        units |= {unit for unit, each in found.items() if not np.isnan(each).all()}
        units |= {"h", "m"} if mark and some.any() else set()
    return seconds, units


def _fields(texts: Any, pattern: str) -> tuple[Any, dict[str, Any]]:
    """Return the parts of texts, and those of them that hold a number, by unit."""
    import pyarrow.compute as pc

    parts = pc.extract_regex(texts, pattern)
    names = {each.name for each in parts.type}
    return parts, {unit: pc.struct_field(parts, unit) for unit in _SECONDS if unit in names}


def _numbers(part: Any) -> Array:
    """Return the numbers of one unit, NaN where a text has none."""
    import pyarrow.compute as pc

    texts = pc.if_else(pc.equal(part, scalar("")), scalar(None), part)
    if texts.null_count == len(texts):
        return np.full(len(texts), np.nan)
    texts = pc.replace_substring(texts, ",", ".")
    return np.array(as_numpy(pc.cast(texts, "float64")), np.float64)
