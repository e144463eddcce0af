"""Numbers as people write them: marks between thousands, decimal commas, currencies, percent, a minus at the end; and their float.

Two parsers may differ in the last bit of a float, and a DataFrame brings what its own parser made. So a value that is
not whole is rounded to 15 significant digits, which is what a float holds of any decimal.
"""

import re
from collections.abc import Iterable, Set
from typing import Any

import numpy as np

from trainer.data.reading.arrow import as_numpy, of_bools, of_texts, scalar

Array = np.ndarray[Any, Any]

DIGITS = 15
WHOLE = 2.0**53  # beyond it a float does not hold every whole number
_CURRENCIES = r"US\$|R\$|C\$|A\$|[$€£¥₹₽₩₺₪฿]|USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|BRL|SEK|NOK|DKK|PLN|CZK|kr\.?|zł|Fr\.|Rs\.?"
PATTERN = (
    rf"^(?P<open>\()?(?P<sign>[-+\x{{2212}}]?)\s*(?P<before>{_CURRENCIES})?\s*(?P<sign2>[-+\x{{2212}}]?)"
    r"(?P<body>[0-9](?:[0-9.,'_\x{2019}\x{a0}\x{202f} ]*[0-9.,])?|[.,][0-9]+)(?P<power>[eE][-+]?[0-9]+)?"
    rf"\s*(?P<last>[-\x{{2212}}]?)\s*(?P<after>[%‰]|{_CURRENCIES})?(?P<close>\))?$"
)
_SAME = {
    "US$": "$", "USD": "$", "EUR": "€", "GBP": "£", "INR": "₹", "Rs": "₹", "Rs.": "₹", "PLN": "zł", "Fr.": "CHF", "BRL": "R$",
    "AUD": "A$", "CAD": "C$", "kr.": "kr",
}  # fmt: skip
SHARES = ("%", "‰")
_BLANKS = r"[\s\x{a0}\x{202f}]*"
_LETTER = r"[A-Za-z\x{b0}\x{b5}\x{c0}-\x{24f}\x{370}-\x{3ff}]"  # of units; all of Unicode is slow to compile
_UNIT = rf"{_BLANKS}(?P<unit>{_LETTER}+[23²³]?(?:/{_LETTER}+[23²³]?)?)$"
GROUPS = "'_\u2019\u00a0\u202f "  # marks between thousands that are nothing else
_TENS = 10.0 ** np.arange(23)  # exact as floats


def canonical(values: Array) -> Array:
    """Return floats rounded to 15 significant digits; whole ones as they are, infinite ones as NaN."""
    values = np.where(np.isfinite(values), values, np.nan)
    rounded = np.rint(values)
    part = np.flatnonzero((rounded != values) & ~np.isnan(values))
    if not len(part):
        return values + 0.0  # no negative zero
    x = values[part]
    exponent = np.floor(np.log10(np.abs(x)))
    exponent -= 10.0**exponent > np.abs(x)  # just below a power of ten the logarithm is rounded up to it
    shift = DIGITS - 1 - exponent.astype(np.int64)
    near = (
        shift <= 22
    )  # there a power of ten is exact, so one division gives the float nearest to the decimal
    x[near] = np.rint(x[near] * _TENS[shift[near]]) / _TENS[shift[near]]
    for index in np.flatnonzero(~near):
        x[index] = float(f"{x[index]:.{DIGITS}g}")
    values[part] = x
    return values + 0.0


def parsed(texts: Any, decimal: str, thousands: str | None, sign: str | None = None) -> tuple[Array, Array]:
    """Return an Arrow array of texts as floats, and which present ones are no numbers.

    Currencies, percent and brackets for a negative number are read past; a percentage stays as it is written. With a
    `sign` a number may have that currency or percent, and no other; "" allows none.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if decimal == "." and thousands is None:
        try:
            return _floats(pc.cast(texts, pa.float64())), np.zeros(len(texts), bool)
        except pa.ArrowInvalid:
            pass
    parts = pc.extract_regex(texts, PATTERN)
    body = pc.struct_field(parts, "body")
    point = "," if decimal == "," else r"\."
    whole = (
        "[0-9]+"
        if thousands is None
        else f"[0-9]+|[0-9]{{1,3}}(?:{_any(thousands)}[0-9]{{2,3}})*{_any(thousands)}[0-9]{{3}}"
    )
    fits = pc.match_substring_regex(body, f"^(?:(?:{whole})(?:{point}[0-9]*)?|{point}[0-9]+)$")
    negative = _is(parts, "sign", "-\u2212") ^ _is(parts, "sign2", "-\u2212")
    last = _is(parts, "last", "-\u2212")  # as SAP writes a negative number
    brackets = _is(parts, "open", "("), _is(parts, "close", ")")
    if thousands is not None:
        body = pc.replace_substring_regex(body, _any(thousands), "")
    if decimal == ",":
        body = pc.replace_substring(body, ",", ".")
    plain = pc.binary_join_element_wise(body, pc.struct_field(parts, "power"), scalar(""))
    good = _mask(fits) & (brackets[0] == brackets[1])
    if last.any():
        good &= ~(last & (brackets[0] | ~(_is(parts, "sign", [""]) & _is(parts, "sign2", [""]))))
    if sign is not None:
        spelled = (sign, "", *(each for each, same in _SAME.items() if same == sign))
        good &= _is(parts, "before", spelled) & _is(parts, "after", spelled)
    values = _floats(pc.cast(pc.if_else(of_bools(good), plain, scalar(None)), pa.float64()))
    values = np.where(negative ^ brackets[0] ^ last, -values, values)
    return values, ~good & _mask(pc.is_valid(texts))


def signs(parts: Any) -> dict[str, int]:
    """Return the currencies, and percent, in numbers that PATTERN has matched, each with the first place that has it.

    "" stands for a number without any that is not zero.
    """
    import pyarrow.compute as pc

    before, after = (pc.struct_field(parts, name) for name in ("before", "after"))
    found: dict[str, int] = {}
    for column in (before, after):
        for each in filter(None, pc.unique(column).to_pylist()):
            place = pc.index(column, each).as_py()
            found[_SAME.get(each, each)] = min(place, found.get(_SAME.get(each, each), place))
    bare = pc.and_(pc.equal(before, ""), pc.equal(after, ""))
    is_some = pc.match_substring_regex(pc.struct_field(parts, "body"), "[1-9]")
    place = pc.index(pc.and_(bare, is_some), True).as_py()
    return found if place < 0 else {**found, "": place}


def units(texts: Any) -> Any:
    """Return the unit of each text that is a number with a unit, else null."""
    import pyarrow.compute as pc

    parts = pc.extract_regex(texts, rf"^(?P<number>.*[0-9.,)]){_UNIT}")
    are_numbers = pc.match_substring_regex(pc.struct_field(parts, "number"), PATTERN)
    return pc.if_else(are_numbers, pc.struct_field(parts, "unit"), scalar(None))


def unit_of(texts: Any) -> str | None:
    """Return the unit after the first of some texts, such as "kg" after "0.5 kg"; None for text that is no such number."""
    unit: str | None = units(texts[:1])[0].as_py()
    return unit


def without_unit(texts: Any, unit: str) -> Any:
    """Return texts without a unit that all of them have; None if one has another, none, or is no number."""
    import pyarrow.compute as pc

    if not pc.all(pc.match_substring_regex(texts, f"[0-9.,)]{_end(unit)}")).as_py():
        return None
    bodies = unit_cut(texts, unit)
    return bodies if pc.all(pc.match_substring_regex(bodies, PATTERN)).as_py() else None


def unit_cut(texts: Any, unit: str) -> Any:
    """Return texts as they are before a unit; those that have none stay."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(texts, _end(unit), "")


def marks(bodies: Any) -> dict[str, int]:
    """Return what the marks in the bodies of numbers show, each with the first place that shows it.

    That is "decimal,", "thousands.", "either,", "group" and so on.
    """
    import pyarrow.compute as pc

    tests = {
        "decimal.": r",.*\.|^0?\.[0-9]|^0\.|^[0-9]{4,}\.[0-9]|^[0-9]+\.(?:[0-9]{0,2}|[0-9]{4,})$",
        "decimal,": r"\..*,|^0?,[0-9]|^0,|^[0-9]{4,},[0-9]|^[0-9]+,(?:[0-9]{0,2}|[0-9]{4,})$",
        "thousands,": r",.*\.|,.*,",
        "thousands.": r"\..*,|\..*\.",
        "either,": r"^[1-9][0-9]{0,2},[0-9]{3}$",
        "either.": r"^[1-9][0-9]{0,2}\.[0-9]{3}$",
        "group": f"[{GROUPS}][0-9]",
    }
    plain = pc.replace_substring_regex(bodies, f"[{GROUPS}]", "")
    found = {
        name: pc.index(pc.match_substring_regex(bodies if name == "group" else plain, test), True).as_py()
        for name, test in tests.items()
    }
    return {name: place for name, place in found.items() if place >= 0}


def marks_of_floats(values: Array) -> frozenset[str]:
    """Return what plain numbers show of a decimal point: one before exactly three digits may part thousands."""
    part = np.abs(values[np.isfinite(values) & (values != np.rint(values))])
    if not len(part):
        return frozenset()
    thousandth = part * 1000
    sure = (np.abs(thousandth - np.rint(thousandth)) > 1e-6 * thousandth) | (part < 1) | (part >= 1000)
    return frozenset(["decimal."] if sure.any() else ["either."])


def decided(seen: Set[str], *, file_decimal: str | None) -> tuple[str, str | None] | None:
    """Return the decimal mark and that of thousands which the values of a column show, or None if they disagree."""
    point = "decimal." in seen or "thousands," in seen
    comma = "decimal," in seen or "thousands." in seen
    if (point and comma) or {"decimal,", "thousands,"} <= seen or {"decimal.", "thousands."} <= seen:
        return None
    group = GROUPS if "group" in seen else None
    if not point and not comma:
        comma = file_decimal == ","
    if comma:
        return ",", "." if seen & {"thousands.", "either."} else group
    return ".", "," if seen & {"thousands,", "either,"} else group


def is_in_doubt(seen: Set[str]) -> bool:
    """Whether the values of a column show a comma that may be a decimal mark, and nothing else."""
    return not seen & {"decimal.", "decimal,", "thousands,", "thousands."} and bool(seen & {"either,"})


def are_plain(texts: Any) -> bool:
    """Whether all texts are numbers as computers write them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _end(unit: str) -> str:
    return f"{_BLANKS}{re.escape(unit)}$"


def _any(thousands: str) -> str:
    return f"[{thousands}]"


def _is(parts: Any, name: str, texts: Iterable[str]) -> Array:
    import pyarrow.compute as pc

    return _mask(pc.is_in(pc.struct_field(parts, name), value_set=of_texts(tuple(texts))))


def _mask(booleans: Any) -> Array:
    import pyarrow.compute as pc

    return as_numpy(pc.fill_null(booleans, scalar(False)))


def _floats(numbers: Any) -> Array:
    return np.array(as_numpy(numbers), np.float64)
