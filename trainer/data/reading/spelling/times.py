"""Dates and times as text, in the orders that people write them, as seconds since 1970 (UTC) or since midnight."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.data.reading.arrow import as_numpy, scalar

Array = np.ndarray[Any, Any]

_MONTHS = (  # how their names begin in English, German, French, Spanish, Italian, Portuguese and Dutch
    "jan gen ene", "feb fév fev", "mar mär mrz maa mrt", "apr avr abr", "may mai mag mei", "jun juin giu", "jul juil lug",
    "aug aoû aou ago", "sep set", "oct okt ott out", "nov", "dec dez déc dic",
)  # fmt: skip
_CLOCK = r"(?P<H>[0-9]{1,2})[:.](?P<M>[0-9]{2})(?:[:.](?P<S>[0-9]{2})(?:[.,](?P<F>[0-9]+))?)?(?:\s*(?P<half>[AaPp])\.?[Mm]\.?|\s*Uhr)?"
_SHORT_CLOCK = r"(?P<H2>[0-9]{2})(?P<M2>[0-9]{2})(?P<S2>[0-9]{2})?"
_ZONE = r"\s*(?:(?P<utc>Z|UTC|GMT)|(?P<zone>[ECMP][SD]T|[CE]ES?T)|(?P<sign>[-+])(?P<zh>[0-9]{2}):?(?P<zm>[0-9]{2})?)?"
_ZONES = {
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "CET": 1,
    "CEST": 2,
    "EET": 2,
    "EEST": 3,
}
_REST = rf"(?:(?:[T:]|,?\s+){_CLOCK}{_ZONE})?$"
_SHORT_REST = rf"(?:(?:[T_]|\s+)(?:{_CLOCK}|{_SHORT_CLOCK}){_ZONE})?$"
_ENGLISH = (
    r"(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?)"
)
_NAME = (
    rf"(?:{_ENGLISH}|(?i:jan(?:uar|vier|v|eiro|uari)|gen(?:naio)?|ene(?:ro)?|feb(?:ruar|rero|braio|ruari)|f[ée]v(?:r|rier|ereiro)?"
    r"|mar(?:s|zo|ço)|märz?|mrz|maart|mrt|aprile|avr(?:il)?|abr(?:il)?|mayo|mai|maio|mag(?:gio)?|mei|juni|jun(?:io|ho)|juin"
    r"|giu(?:gno)?|juli|jul(?:io|ho)|juil(?:l|let)?|lug(?:lio)?|augustus|ao[ûu]t|ago(?:sto)?|se(?:pt?|t)(?:embre|iembre|tembre|embro)"
    r"|sett?|okt(?:ober)?|oct(?:obre|ubre)|ott(?:obre)?|out(?:ubro)?|nov(?:embre|iembre|embro)|dez(?:ember|embro)?|déc(?:embre)?"
    r"|dic(?:iembre|embre)?|décembre|decembre))"
)
_WEEKDAY = r"(?:(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
_YEAR = "(?:1[89]|2[01])[0-9]{2}"
PATTERNS = {
    "iso": rf"^(?P<y>[0-9]{{4}})[-/.](?P<m>[0-9]{{1,2}})[-/.](?P<d>[0-9]{{1,2}}){_REST}",
    "day": rf"^(?P<d>[0-9]{{1,2}})(?:(?:[-/.]|\. )(?P<m>[0-9]{{1,2}})(?:[-/.]|\. )(?P<y>[0-9]{{4}})|[-/.](?P<m2>[0-9]{{1,2}})[-/.](?P<y2>[0-9]{{2}})){_REST}",
    "month": rf"^(?P<m>[0-9]{{1,2}})(?:[-/.](?P<d>[0-9]{{1,2}})[-/.](?P<y>[0-9]{{4}})|[-/](?P<d2>[0-9]{{1,2}})[-/](?P<y2>[0-9]{{2}})){_REST}",
    "year": rf"^(?P<y2>[0-9]{{2}})-(?P<m>[0-9]{{2}})-(?P<d>[0-9]{{2}}){_REST}",
    "compact": rf"^(?P<y>{_YEAR})(?P<m>[0-9]{{2}})(?P<d>[0-9]{{2}}){_SHORT_REST}",
    "day name": rf"^\[?{_WEEKDAY}(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th|er|º)?(?:[-/ ]|\. ?| de )?(?P<name>{_NAME})\.?(?: de )?[-/, ]*(?:(?P<y>[0-9]{{4}})|(?P<y2>[0-9]{{2}})){_REST.removesuffix('$')}\]?$",
    "name day": rf"^{_WEEKDAY}(?P<name>{_NAME})\.?[- ](?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?,?[- ]+(?P<y>[0-9]{{4}}){_REST}",
    "clock": rf"^{_CLOCK}$",
    "year month": rf"^(?P<y>{_YEAR})[-/](?P<m>[0-9]{{1,2}}){_REST}",
    "month year": rf"^(?:(?:(?P<m>[0-9]{{1,2}})[-/]|(?P<name>{_NAME})\.?[- /]?)(?P<y>{_YEAR}){_REST}|(?P<name2>{_ENGLISH})\.?[-'\x{{2019}} /]*(?P<y2>[0-9]{{2}})$)",
    "quarter": rf"^(?:(?P<y>{_YEAR})[- /]?[Qq](?P<q>[1-4])|[Qq](?P<q2>[1-4])[- /]?(?P<y3>{_YEAR}))$",
    "week": rf"^(?P<y>{_YEAR})-?W(?P<w>[0-9]{{2}})(?:-?(?P<wd>[1-7]))?$",
}  # by style; where several of "day", "month" and "year" fit, the order is not known
STYLES = tuple(PATTERNS)
DAY = 86400  # seconds
FIRST_DIGITS = 19000101
CLOCK = "clock"  # the style of 14:30
DIGITS = "digits"  # the style of 20230115, 202301151030 and 20230115103059
MONTHS = "month digits"  # of 202301
_EMPTY = {DIGITS: (0, 99999999), MONTHS: (0, 999999)}  # numbers that stand for a missing date
_FIRST_DAYS = {"years": (10000, 101), MONTHS: (100, 1)}  # what makes numbers those of a day
_SCALES = {"seconds": 1.0, "milliseconds": 1e3}  # since 1970
NUMBERS = (DIGITS, MONTHS, "years", *_SCALES)  # styles of numbers
SHOWN = {
    "iso": "dates, year first",
    "day": "dates, day first",
    "month": "dates, month first",
    "year": "dates, year first",
    "compact": "dates, year first",
    "day name": "dates with the name of the month",
    "name day": "dates with the name of the month",
    "clock": "times of day",
    "year month": "months of years",
    "month year": "months of years",
    "quarter": "quarters of years",
    "week": "weeks of years",
    DIGITS: "dates written as numbers",
    MONTHS: "months written as numbers",
    "years": "years",
    "seconds": "seconds since 1970",
    "milliseconds": "milliseconds since 1970",
}
_DATES = ("iso", "compact", "day name", "name day", DIGITS)
_IN_MONTHS = (*_DATES, "year month", "month year", MONTHS)
_ALIKE = {"clock": ("iso",), "year month": _IN_MONTHS, "month year": _IN_MONTHS, MONTHS: _IN_MONTHS}


def alike(style: str) -> tuple[str, ...]:
    """Return other styles that write what a style does, and have one meaning whatever the column holds."""
    return tuple(each for each in _ALIKE.get(style, _DATES) if each != style)


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

    def month(self) -> Array:
        """Return the months that the row's text names, -1 for none."""
        import pyarrow.compute as pc

        names = [pc.struct_field(self.parts, name) for name in ("name", "name2") if self.has(name)]
        found = pc.dictionary_encode(pc.binary_join_element_wise(*names, ""))
        codes = [_month_of(each.lower()) for each in found.dictionary.to_pylist()]
        return np.array([*codes, -1], np.int64)[
            _ints(pc.fill_null(found.indices, scalar(len(codes)).cast("int32")))
        ]

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
    seconds, good = _clock(fields, parts) if fields.has("H") else (np.zeros(len(texts)), matched)
    if style != CLOCK:
        days, real = _weeks(fields) if style == "week" else _days(fields)
        seconds, good = seconds + days * float(DAY), good & real
    good &= matched
    return np.where(good, seconds, np.nan), present & ~good


def have_clock(texts: Any) -> Array:
    """Return which texts end in a time of day without a zone."""
    import pyarrow.compute as pc
    import pyarrow.types as pt

    if not pt.is_string(texts.type):
        return np.zeros(len(texts), bool)
    return as_numpy(pc.match_substring_regex(texts, r"[T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?$"))


def _days(fields: _Fields) -> tuple[Array, Array]:
    year, month = fields.number("y", "y3"), fields.number("m", "m2")
    day = fields.number("d", "d2") if fields.has("d") else np.ones(fields.rows, np.int64)
    short = fields.number("y2")
    year = np.where(short >= 0, short + np.where(short < 69, 2000, 1900), year)
    if fields.has("q"):
        month = fields.number("q", "q2") * 3 - 2
    elif fields.has("name"):
        month = np.where(month < 0, fields.month(), month)
    return _since_1970(year, month, day)


def _weeks(fields: _Fields) -> tuple[Array, Array]:
    """Return the days of weeks as ISO 8601 counts them: the first has the year's first Thursday."""
    year, week, weekday = fields.number("y"), fields.number("w"), fields.number("wd", default=1)
    ones = np.ones(fields.rows, np.int64)
    (fourth, good), (following, _) = (_since_1970(each, ones, ones * 4) for each in (year, year + 1))
    first, end = fourth - (fourth + 3) % 7, following - (following + 3) % 7  # 1970 began on a Thursday
    monday = first + (week - 1) * 7
    return monday + weekday - 1, good & (week >= 1) & (monday < end)


def of_numbers(values: Array, style: str) -> tuple[Array, Array]:
    """Return numbers such as 20230115 as seconds, and which present ones are no such time.

    Those that stand for a missing date, such as 0 and 99999999, are NaN.
    """
    present = ~np.isnan(values) & ~np.isin(values, _EMPTY.get(style, ()))
    if style in _SCALES:
        seconds = values / _SCALES[style]
        good = present & (seconds >= 1e8) & (seconds < 1e10)  # from 1973 to 2286
        return np.where(good, seconds, np.nan), present & ~good
    whole = np.where(present & (np.abs(values) < 1e15), np.rint(values), 0).astype(np.int64)
    good = present & (whole == values)
    if style in _FIRST_DAYS:
        scale, first_day = _FIRST_DAYS[style]
        whole = whole * scale + first_day
    for digits in (8, 12):  # without a time of day, without seconds
        is_short = (whole >= 10 ** (digits - 1)) & (whole < 10**digits)
        whole = np.where(is_short, whole * 10 ** (14 - digits), whole)
    day, clock = np.divmod(whole, 10**6)
    first = FIRST_DIGITS if style != "years" else 10000101
    days, real = _since_1970(day // 10000, day // 100 % 100, day % 100)
    hour, minute, second = clock // 10000, clock // 100 % 100, clock % 100
    good &= real & (day >= first) & (day < 21010101) & (hour <= 23) & (minute <= 59) & (second <= 59)
    seconds = days * float(DAY) + hour * 3600 + minute * 60 + second
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

    hour, minute, second = (fields.number(name, f"{name}2", default=0) for name in "HMS")
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
    if fields.has("zone"):
        names = pc.struct_field(parts, "zone")
        for name in filter(None, pc.unique(names).to_pylist()):
            is_named = as_numpy(pc.fill_null(pc.equal(names, scalar(name)), scalar(False)))
            zone = np.where(is_named, _ZONES[name] * 3600, zone)
    whole = hour * 3600 + minute * 60 + second - zone
    return whole + fraction, good


def _month_of(name: str) -> int:
    """Return the month of a name in small letters, -1 for none; four letters tell juin from juillet."""
    for length in (4, 3):
        for month, starts in enumerate(_MONTHS, 1):
            if name[:length] in starts.split():
                return month
    return -1


def _ints(numbers: Any) -> Array:
    import pyarrow.compute as pc

    return as_numpy(pc.fill_null(numbers, scalar(0)))
