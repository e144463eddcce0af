"""Dates and times as text, in the orders that people write them, as seconds since 1970 (UTC) or since midnight."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.data.reading.arrow import as_numpy, scalar

Array = np.ndarray[Any, Any]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = r"(?P<H>[0-9]{1,2})[:.](?P<M>[0-9]{2})(?:[:.](?P<S>[0-9]{2})(?:[.,](?P<F>[0-9]+))?)?(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?"
_REST = rf"(?:(?:[T]|,?\s+){_CLOCK}\s*(?:(?P<utc>Z|UTC)|(?P<sign>[-+])(?P<zh>[0-9]{{2}}):?(?P<zm>[0-9]{{2}})?)?)?$"
_NAME = r"(?P<name>[A-Za-z]{3})[a-z]*\.?"
PATTERNS = {
    "iso": rf"^(?P<y>[0-9]{{4}})[-/.](?P<m>[0-9]{{1,2}})[-/.](?P<d>[0-9]{{1,2}}){_REST}",
    "day": rf"^(?P<d>[0-9]{{1,2}})(?:[-/.](?P<m>[0-9]{{1,2}})[-/.](?P<y>[0-9]{{4}})|[/.](?P<m2>[0-9]{{1,2}})[/.](?P<y2>[0-9]{{2}})){_REST}",
    "month": rf"^(?P<m>[0-9]{{1,2}})(?:[-/.](?P<d>[0-9]{{1,2}})[-/.](?P<y>[0-9]{{4}})|/(?P<d2>[0-9]{{1,2}})/(?P<y2>[0-9]{{2}})){_REST}",
    "day name": rf"^(?P<d>[0-9]{{1,2}})[- ]{_NAME}[-, ]+(?P<y>[0-9]{{4}}){_REST}",
    "name day": rf"^{_NAME}[- ](?P<d>[0-9]{{1,2}}),?[- ]+(?P<y>[0-9]{{4}}){_REST}",
    "clock": rf"^{_CLOCK}$",
    "year month": rf"^(?P<y>(?:1[89]|2[01])[0-9]{{2}})[-/](?P<m>[0-9]{{1,2}}){_REST}",
    "month year": rf"^(?:(?P<m>[0-9]{{1,2}})[-/]|{_NAME}[- ])(?P<y>(?:1[89]|2[01])[0-9]{{2}}){_REST}",
}  # by style; where both "day" and "month" fit, the order is not known
STYLES = tuple(PATTERNS)
FIRST_DIGITS = 19000101
DIGITS = "digits"  # the style of 20230115, 202301151030 and 20230115103059
SHOWN = {
    "iso": "dates, year first",
    "day": "dates, day first",
    "month": "dates, month first",
    "day name": "dates with the name of the month",
    "name day": "dates with the name of the month",
    "clock": "times of day",
    "year month": "months of years",
    "month year": "months of years",
    "digits": "dates written as numbers",
}


@dataclass(frozen=True)
class _Fields:
    parts: Any
    rows: int

    def number(self, *names: str, default: int = -1) -> Array:
        """Return a field as whole numbers; the first of the names that a row has."""
        import pyarrow as pa
        import pyarrow.compute as pc

        values = np.full(self.rows, default, np.int64)
        for name in names:
            if self.has(name):
                texts = pc.struct_field(self.parts, name)
                texts = pc.if_else(pc.equal(texts, scalar("")), scalar(None), texts)
                found = pc.cast(texts, pa.int64())
                values = np.where(as_numpy(pc.is_valid(found)), _ints(found), values)
        return values

    def has(self, name: str) -> bool:
        """Whether the style has a field."""
        return name in {field.name for field in self.parts.type}

    def text(self, name: str) -> Array:
        import pyarrow.compute as pc

        if not self.has(name):
            return np.full(self.rows, "", object)
        letters = pc.fill_null(pc.utf8_lower(pc.struct_field(self.parts, name)), scalar(""))
        return np.array(letters.to_pylist(), object)


def parsed(texts: Any, style: str) -> tuple[Array, Array]:
    """Return an Arrow array of texts as seconds, and which present ones are no time of the style."""
    import pyarrow.compute as pc

    parts = pc.extract_regex(texts, PATTERNS[style])
    matched = as_numpy(pc.is_valid(parts))
    present = as_numpy(pc.is_valid(texts))
    fields = _Fields(parts, len(texts))
    seconds, good = _clock(fields, parts)
    if style != "clock":
        days, real = _days(fields)
        seconds, good = seconds + days * 86400.0, good & real
    good &= matched
    return np.where(good, seconds, np.nan), present & ~good


def _days(fields: _Fields) -> tuple[Array, Array]:
    year, month = fields.number("y"), fields.number("m", "m2")
    day = fields.number("d", "d2") if fields.has("d") else np.ones(fields.rows, np.int64)
    short = fields.number("y2")
    year = np.where(short >= 0, short + np.where(short < 69, 2000, 1900), year)
    if month.max(initial=-1) < 0:
        codes = {name: number for number, name in enumerate(_MONTHS, 1)}
        month = np.array([codes.get(name, -1) for name in fields.text("name")], np.int64)
    return _since_1970(year, month, day)


def of_digits(values: Array) -> tuple[Array, Array]:
    """Return numbers such as 20230115 or 20230115103059 as seconds, and which present ones are no such date."""
    present = ~np.isnan(values)
    whole = np.where(present & (np.abs(values) < 1e15), np.rint(values), 0).astype(np.int64)
    good = present & (whole == values)
    for digits in (8, 12):  # without a time of day, without seconds
        is_short = (whole >= 10 ** (digits - 1)) & (whole < 10**digits)
        whole = np.where(is_short, whole * 10 ** (14 - digits), whole)
    day, clock = np.divmod(whole, 10**6)
    days, real = _since_1970(day // 10000, day // 100 % 100, day % 100)
    hour, minute, second = clock // 10000, clock // 100 % 100, clock % 100
    good &= real & (day >= FIRST_DIGITS) & (day < 21010101) & (hour <= 23) & (minute <= 59) & (second <= 59)
    seconds = days * 86400.0 + hour * 3600 + minute * 60 + second
    return np.where(good, seconds, np.nan), present & ~good


def _since_1970(year: Array, month: Array, day: Array) -> tuple[Array, Array]:
    """Return the days from 1970 to dates, and which of these exist."""
    good = (year >= 0) & (month >= 1) & (month <= 12) & (day >= 1)
    months = (np.where(good, year, 1970) - 1970) * 12 + np.where(good, month, 1) - 1
    first = months.astype("M8[M]").astype("M8[D]").astype(np.int64)
    following = (months + 1).astype("M8[M]").astype("M8[D]").astype(np.int64)
    return first + day - 1, good & (day <= following - first)


def _clock(fields: _Fields, parts: Any) -> tuple[Array, Array]:
    import pyarrow.compute as pc

    hour, minute, second = (fields.number(name, default=0) for name in "HMS")
    half = fields.text("half")
    good = (hour <= 23) & (minute <= 59) & (second <= 59) & ((half == "") | ((hour >= 1) & (hour <= 12)))
    hour = np.where(half == "", hour, hour % 12 + np.where(half == "p", 12, 0))
    fraction = np.zeros(fields.rows)
    digits = pc.struct_field(parts, "F")
    if pc.any(pc.not_equal(digits, scalar(""))).as_py():
        padded = pc.utf8_slice_codeunits(pc.utf8_rpad(pc.fill_null(digits, scalar("")), 6, "0"), 0, 6)
        fraction = _ints(pc.cast(padded, "int64")).astype(np.float64) / 1e6
    zone = (fields.number("zh", default=0) * 60 + fields.number("zm", default=0)) * 60
    zone = np.where(fields.text("sign") == "-", -zone, zone)
    whole = hour * 3600 + minute * 60 + second - zone
    return whole + fraction, good


def _ints(numbers: Any) -> Array:
    import pyarrow.compute as pc

    return as_numpy(pc.fill_null(numbers, scalar(0)))
