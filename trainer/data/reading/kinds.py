"""The kind of a column, fixed at training, and the one form of its values, whatever brought them.

A number is a float (NaN for missing), a time is its seconds since 1970 in UTC, anything else is text (None for
missing). Text of a file, values of Python, numpy, pandas and Parquet all come here as Arrow arrays.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from trainer.data.reading.arrow import as_numpy, of_bools, of_texts, scalar
from trainer.data.reading.first_row import MISSING
from trainer.data.reading.spelling import durations, numbers, times, truths
from trainer.errors import DataError

Array = np.ndarray[Any, Any]

NUMBER = r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"
_WHOLE = re.compile(r"([-+]?)([0-9]+)(?:\.0*)?")
SECONDS = "s"  # the unit of durations
_KEPT_AS_TEXT = r"""^(?:="([^"]*)"|'([-+]?[0-9][-+0-9.,:/ ]*))$"""  # by a spreadsheet: ="007", '007
_MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0+)?)?$")


@dataclass(frozen=True)
class Values:
    """The values of one column, and which present ones are not of its kind."""

    values: Array
    bad: Array
    infinite: int = 0


@dataclass(frozen=True)
class Coded:
    """The values of one column as codes of labels, of which several may be the same; `bad` ones are not of its kind."""

    codes: Array
    labels: list[str | None]
    bad: Array  # by code

    @property
    def values(self) -> Values:
        """The values, one by one."""
        return Values(np.array(self.labels, object)[self.codes], self.bad[self.codes])


@dataclass(frozen=True)
class Number:
    """Numbers, with the marks in which text writes them."""

    decimal: str = "."
    thousands: str | None = None
    gap: str | None = None  # what stands for a missing value in this column alone, such as "?"
    unit: str | None = None  # what may stand after each number, such as "kg"
    sign: str | None = ""  # the currency, or percent, that a number may have; None for any

    def read(self, raw: Any, missing: Sequence[str] = ()) -> Values:
        """Return an Arrow array as float64."""
        import pyarrow.types as pt

        kind = raw.type
        if pt.is_string(kind):
            texts = cut(raw, [*missing, *([self.gap] if self.gap else [])])
            cut_texts = numbers.unit_cut(texts, self.unit) if self.unit else texts
            values, bad = numbers.parsed(cut_texts, self.decimal, self.thousands, self.sign)
            if self.unit == SECONDS and bad.any():
                odd = np.flatnonzero(bad)
                values[odd], bad[odd] = durations.parsed(texts.filter(of_bools(bad)))
            values, bad = truths.as_numbers(raw, values, bad)
        elif pt.is_integer(kind) or pt.is_boolean(kind) or pt.is_float64(kind):
            values, bad = _floats(raw), np.zeros(len(raw), bool)
        elif pt.is_floating(kind) or pt.is_decimal(
            kind
        ):  # the nearest float to their decimal, not to their bits
            values, bad = (
                _floats(raw.cast("float32" if pt.is_float16(kind) else kind).cast("string")),
                np.zeros(len(raw), bool),
            )
        elif pt.is_duration(kind) and self.unit == SECONDS:
            values, bad = _seconds(raw), np.zeros(len(raw), bool)
        else:
            values, bad = _none(raw)
        infinite = int(np.isinf(values).sum())
        values = numbers.canonical(values)
        for mark in missing:
            if (number := _float(mark)) is not None:
                values[values == number] = np.nan
        return Values(values, bad, infinite)


@dataclass(frozen=True)
class Time:
    """Dates, times, or times of day; `style` is how text writes them."""

    style: str = "iso"
    gap: str | None = None  # what stands for a missing value in this column alone, such as "?"

    def read(self, raw: Any, missing: Sequence[str] = ()) -> Values:
        """Return an Arrow array as seconds, float64; another style of one meaning is read, too."""
        import pyarrow.types as pt

        if pt.is_temporal(raw.type):
            return Values(*self._typed(raw))
        gap = [self.gap] if self.gap else []
        given = cut(raw, [*missing, *gap]) if pt.is_string(raw.type) else raw
        seconds, bad = _timed(given, self.style, missing)
        for style in times.alike(self.style):
            if not bad.any():
                break
            part = given.filter(of_bools(bad))
            again, wrong = _timed(part, style, missing)
            if self.style == "clock":
                again, wrong = again % times.DAY, wrong | ~times.have_clock(part)
            odd = np.flatnonzero(bad)
            bad[odd] = wrong | np.isnan(again)
            seconds[odd] = np.where(bad[odd], np.nan, again)
        return Values(seconds, bad)

    def _typed(self, raw: Any) -> tuple[Array, Array]:
        """Return times of Arrow as seconds; pandas gives a time of day the date of the day on which it is read."""
        import pyarrow.compute as pc
        import pyarrow.types as pt

        if self.style != "clock":
            fits = pt.is_timestamp(raw.type) or pt.is_date(raw.type)
            return (_seconds(raw), np.zeros(len(raw), bool)) if fits else _none(raw)
        if pt.is_date(raw.type):
            return _none(raw)
        if pt.is_timestamp(raw.type):
            return _seconds(pc.local_timestamp(raw) if raw.type.tz else raw) % times.DAY, np.zeros(
                len(raw), bool
            )
        seconds = _seconds(raw)
        bad = (seconds < 0) | (seconds >= times.DAY)
        return np.where(bad, np.nan, seconds), bad


@dataclass(frozen=True)
class Boolean:
    """Two words for true and false, as the column writes them."""

    true: str = "true"
    false: str = "false"

    def coded(self, raw: Any, missing: Sequence[str] = ()) -> Coded:
        """Return an Arrow array as codes of the two words; other words for true and false mean the same."""
        words = truths.meant(self.true, self.false)
        codes, labels = coded(raw, missing)
        found = [None if each is None else words.get(each.lower()) for each in labels]
        bad = [each is not None and each.lower() not in words for each in labels]
        return Coded(codes, found, np.array(bad, bool))

    def read(self, raw: Any, missing: Sequence[str] = ()) -> Values:
        """Return an Arrow array as the two words."""
        return self.coded(raw, missing).values


@dataclass(frozen=True)
class Text:
    """Categories, codes and free text; `width` is the length of whole numbers that begin with zeros."""

    width: int = 0

    def coded(self, raw: Any, missing: Sequence[str] = ()) -> Coded:
        """Return an Arrow array as codes of labels: 3, 3.0 and "3" are one, as are True and "TRUE"."""
        codes, labels = coded(raw, missing, self.width)
        return Coded(codes, labels, np.zeros(len(labels), bool))

    def read(self, raw: Any, missing: Sequence[str] = ()) -> Values:
        """Return an Arrow array as labels."""
        return self.coded(raw, missing).values


Kind = Number | Time | Boolean | Text
_KINDS: dict[str, type[Any]] = {"number": Number, "time": Time, "boolean": Boolean, "text": Text}


def to_json(kind: Kind) -> dict[str, Any]:
    """Return a kind as plain values for a JSON file."""
    return {"kind": name_of(kind), **asdict(kind)}


def from_json(value: dict[str, Any]) -> Kind:
    """Return the kind that `to_json` wrote."""
    fields = {key: each for key, each in value.items() if key != "kind"}
    made: Kind = _KINDS[value["kind"]](**fields)
    return made


def name_of(kind: Kind) -> str:
    """Return the word for a kind: number, time, boolean or text."""
    return type(kind).__name__.lower()


def coded(raw: Any, missing: Sequence[str] = (), width: int = 0) -> tuple[Array, list[str | None]]:
    """Return an Arrow array as codes of its distinct labels; two codes may have the same label."""
    import pyarrow.compute as pc
    import pyarrow.types as pt

    if pt.is_boolean(raw.type):
        raw = raw.cast("string")
    elif not pt.is_string(raw.type):
        raw = _spelled(raw)
    dictionary = pc.dictionary_encode(cut(raw, missing))
    found = dictionary.dictionary
    alike = as_numpy(pc.match_substring_regex(found, NUMBER))
    words = as_numpy(pc.is_in(pc.utf8_lower(found), value_set=of_texts(("true", "false"))))
    labels = [*found.to_pylist(), None]
    for index in np.flatnonzero(alike):
        labels[index] = spelled_number(labels[index], width)
    for index in np.flatnonzero(words):
        labels[index] = labels[index].lower()
    marks = {spelled_number(mark, width) for mark in missing if _float(mark) is not None}
    if marks:
        labels = [None if each in marks else each for each in labels]
    return as_numpy(pc.fill_null(dictionary.indices, scalar(len(found)).cast("int32"))), labels


def cut(texts: Any, missing: Sequence[str] = ()) -> Any:
    """Return an Arrow array of texts without the blanks around them, and null for the marks of missing values."""
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(texts)
    if pc.any(pc.or_(pc.starts_with(trimmed, '="'), pc.starts_with(trimmed, "'"))).as_py():
        trimmed = pc.replace_substring_regex(trimmed, _KEPT_AS_TEXT, r"\1\2")
    marks = of_texts((*MISSING, *(each.strip() for each in missing)))
    return pc.if_else(pc.is_in(trimmed, value_set=marks), scalar(None), trimmed)


def simplified(raw: Any, name: str) -> Any:
    """Return an Arrow array whose type is one that kinds know; raise DataError for nested values."""
    import pyarrow as pa
    import pyarrow.types as pt

    if isinstance(raw, pa.ChunkedArray):
        raw = raw.combine_chunks()
    if isinstance(raw, pa.ChunkedArray):  # of no or several chunks
        raw = pa.concat_arrays(raw.chunks) if raw.num_chunks else pa.array([], raw.type)
    if isinstance(raw, pa.ExtensionArray):
        raw = raw.storage
    if pt.is_dictionary(raw.type):
        raw = raw.dictionary_decode()
    if pt.is_large_string(raw.type) or pt.is_string_view(raw.type) or pt.is_null(raw.type):
        return raw.cast("string")
    if (what := held(raw.type)) is not None:
        raise DataError(f"column {name!r} holds {what}, but a feature is one number or text per row")
    return raw


def held(kind: Any) -> str | None:
    """Return what an Arrow type holds that no column of a table may: lists, mappings or bytes."""
    import pyarrow as pa
    import pyarrow.types as pt

    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pt.is_dictionary(kind):
        kind = kind.value_type
    if pt.is_nested(kind):
        return "mappings" if pt.is_struct(kind) or pt.is_map(kind) else "lists"
    is_bytes = pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_fixed_size_binary(kind)
    return "bytes" if is_bytes else None


def unusable(columns: Mapping[str, str]) -> str:
    """Return the message for the columns of a table that hold lists, mappings or bytes."""
    named = [f"{name!r} ({what})" for name, what in columns.items()]
    if len(named) == 1:
        ((name, what),) = columns.items()
        return (
            f"column {name!r} holds {what}, but a feature is one number or text per row; name it in data.drop, or split "
            "it into several columns"
        )
    return (
        f"columns {', '.join(named[:-1])} and {named[-1]} hold what is not one number or text per row; name them in "
        "data.drop, or split them into several columns"
    )


def spelled_number(text: str, width: int = 0) -> str:
    """Return the one spelling of a number that stands among texts; codes keep their zeros."""
    whole = _WHOLE.fullmatch(text)
    if whole:
        digits = whole[2].lstrip("0") or "0"
        return ("-" if whole[1] == "-" and digits != "0" else "") + digits.zfill(width)
    value = float(text)
    if abs(value) == float("inf"):
        return text
    value = float(numbers.canonical(np.array([value]))[0])
    return str(int(value)).zfill(width) if value.is_integer() and abs(value) < 1e17 else repr(value)


def spelled_float(value: float) -> str:
    """Return the one spelling of a float that is not missing."""
    return str(int(value)) if value.is_integer() else repr(value)


def label(value: Any) -> str | None:
    """Return the label that one value of Python has among texts, None for a missing one."""
    import pyarrow as pa

    if value is None:
        return None
    codes, labels = coded(pa.array([value]))
    return labels[int(codes[0])]


def _spelled(raw: Any) -> Any:
    """Return typed values as text."""
    import pyarrow as pa
    import pyarrow.types as pt

    if pt.is_integer(raw.type):
        return raw.cast("string")
    if pt.is_floating(raw.type) or pt.is_decimal(raw.type):
        values = Number().read(raw).values
        found, codes = np.unique(values, return_inverse=True)
        # str of a whole float beyond 1e16 has an exponent
        texts = [None if each != each else spelled_float(each) for each in found.tolist()]
        return pa.array(np.array(texts, object)[codes], pa.string())
    texts = [None if each is None else _MIDNIGHT.sub("", str(each)) for each in raw.to_pylist()]
    return pa.array(texts, pa.string())


def _timed(given: Any, style: str, missing: Sequence[str]) -> tuple[Array, Array]:
    """Return texts or numbers of one style as seconds, and which present ones are not of it."""
    import pyarrow.types as pt

    if style in times.NUMBERS and not pt.is_boolean(given.type):
        found = Number().read(given, missing)
        seconds, bad = times.of_numbers(found.values, style)
        return seconds, bad | found.bad
    return times.parsed(given, style) if pt.is_string(given.type) else _none(given)


def _seconds(raw: Any) -> Array:
    """Return times, dates and durations of Arrow in seconds."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as pt

    kind, scale = raw.type, 1e6
    if pt.is_timestamp(kind):
        raw = raw.cast(pa.timestamp("us", kind.tz), safe=False)
    elif pt.is_date(kind):
        raw = raw.cast("timestamp[us]")
    elif pt.is_duration(kind):
        raw = raw.cast(pa.duration("us"), safe=False)
    else:
        raw = raw.cast("time64[us]") if pt.is_time32(kind) else raw.cast(pa.time64("us"), safe=False)
    whole = raw.cast("int64")
    missing = as_numpy(pc.is_null(whole))
    values = as_numpy(pc.fill_null(whole, scalar(0))) / scale
    return np.where(missing, np.nan, values)


def _none(raw: Any) -> tuple[Array, Array]:
    """Return values none of which is of the kind of their column."""
    import pyarrow.compute as pc

    return np.full(len(raw), np.nan), as_numpy(pc.is_valid(raw)).copy()


def _floats(raw: Any) -> Array:
    return np.array(as_numpy(raw.cast("float64", safe=False)), np.float64)


def _float(text: Any) -> float | None:
    try:
        return float(Decimal(str(text).strip()))
    except ArithmeticError:
        return None
