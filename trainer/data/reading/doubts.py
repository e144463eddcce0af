"""What nearly all values of a column are, where a few keep it from being read as numbers or times.

One such value makes a column of numbers categories, and one of dates such as 20230115 plain numbers, so its user is told
which value that is, and where.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from trainer.data.reading import resembling
from trainer.data.reading.arrow import of_many_texts
from trainer.data.reading.columns import Array, Long
from trainer.data.reading.kinds import spelled_float
from trainer.data.reading.spelling import durations, numbers, times
from trainer.overrides import override

SHARE = 0.8  # of the values, from which a column is nearly of a kind
FEW = 20  # numbers with a unit that are no more are categories, such as "36 months"
_SAMPLE = 200  # values tried before all of them
_SHOWN = 3
_UNITS = "numbers of several units"
_LETTERS = "gmlkhsKMBGT"  # that are units; others, such as A to F of seats, are parts of codes
_SEVERAL, _ALIKE = "several numbers", "numbers or times"

Test = Callable[[Any], Array]  # which of some texts are of a kind


@dataclass(frozen=True)
class Doubt:
    """What nearly all values of a column are, how many, and those that are not."""

    what: str  # such as "numbers"
    fitting: int
    present: int
    distinct: int  # of the fitting values
    row: int = 0  # of the first other value, from 1; 0 if there is none
    others: tuple[str, ...] = ()  # distinct, the first few
    count: int = 0  # of distinct others

    @property
    def is_resemblance(self) -> bool:
        """Whether the values look like numbers or times, and are read as neither; `others` are examples then."""
        return self.what in (_SEVERAL, _ALIKE)

    @property
    def way(self) -> str:
        """What makes the values numbers or times."""
        if self.what == _SEVERAL:
            return "give each number a column of its own to have them read"
        if self.is_resemblance:
            return "write them in one form, such as 12.5 or 2024-05-31, to have them read"
        numbers = "numbers" if self.is_number else "times"
        if not self.row:
            return f"write them in one unit to have them read as {numbers}"
        if self.count == len(self.others):
            return f"set {override('data.missing_values', *self.others)} to have it read as {numbers}"
        return f"name them in data.missing_values to have it read as {numbers}"

    @property
    def told(self) -> str:
        """Say what the values are, and which is the first that is not."""
        if self.is_resemblance:
            what = "hold" if self.what == _SEVERAL else "look like"
            return f"its values {what} {self.what} ({' and '.join(map(repr, self.others))})"
        if not self.row:
            return f"its values are {self.what}"
        more = self.present - self.fitting - 1
        rest = (
            f", as do {more:,} more"
            if self.count == 1
            else f", and {more:,} more hold such values ({self.count:,} differ)"
        )
        return (
            f"{self.fitting:,} of {self.present:,} values are {self.what}, but row {self.row:,} holds {self.others[0]!r}"
            f"{rest * (more > 0)}"
        )

    @property
    def is_number(self) -> bool:
        """Whether the values would be numbers rather than times."""
        return self.what.startswith("numbers")


def doubt(values: Any, *, told: bool = False) -> Doubt | None:
    """Return the doubt about a column of text or numbers, in memory or in a file; None for plain text and numbers.

    If it was `told` why it is text, that its values look like numbers is no news.
    """

    if values.dtype != object:
        return _of_numbers(values)
    some = np.asarray(values[np.arange(0, len(values), max(len(values) // _SAMPLE, 1))])
    sample = of_many_texts([each for each in some.tolist() if each is not None])
    return _nearly(values, sample) or (None if told else _resembling(values, sample))


def _resembling(values: Any, sample: Any) -> Doubt | None:
    """Return the doubt about many texts that look like numbers or times, each in few rows."""
    import pyarrow as pa

    different = sample.unique()
    if not len(different) or not (resembling.are_alike(different) or resembling.are_several(different)):
        return None
    codes, labels = _coded(values)
    rows = np.bincount(codes[codes >= 0], minlength=len(labels))
    present, places = int(rows.sum()), np.flatnonzero(rows)
    if len(places) <= resembling.MANY or len(places) * resembling.OFTEN <= present:
        return None
    found = labels.take(pa.array(places))
    what = _SEVERAL if resembling.are_several(found) else _ALIKE if resembling.are_alike(found) else ""
    return Doubt(what, 0, present, len(places), others=resembling.examples(found)) if what else None


def _nearly(values: Any, sample: Any) -> Doubt | None:
    """Return the doubt about a column of which nearly all values are of one kind."""
    what, fits = max(_kinds(sample), key=lambda each: int(each[1](sample).sum()), default=("", _are_numbers))
    # By chance a sample has a few more others than the column.
    if not what or fits(sample).sum() < (SHARE - 0.2) * len(sample):
        return None
    codes, labels = _coded(values)
    rows, are = np.bincount(codes[codes >= 0], minlength=len(labels)), fits(labels)
    present, fitting, distinct = int(rows.sum()), int(rows[are].sum()), int(np.count_nonzero(rows[are]))
    if fitting < SHARE * present or distinct < 2 or ("unit" in what and distinct <= FEW):
        return None
    if fitting == present:
        return Doubt(what, fitting, present, distinct) if what.startswith(_UNITS) else None
    odd = np.flatnonzero((codes >= 0) & ~are[codes])
    others = [*dict.fromkeys(codes[odd].tolist())]
    shown = tuple(str(labels[code].as_py()) for code in others[:_SHOWN])
    return Doubt(what, fitting, present, distinct, int(odd[0]) + 1, shown, len(others))


def _of_numbers(values: Any) -> Doubt | None:
    """Return the doubt about numbers that nearly all are dates."""
    sample = np.asarray(values[np.arange(0, len(values), max(len(values) // _SAMPLE, 1))])
    for style in (times.DIGITS, times.MONTHS):
        seconds, bad = times.of_numbers(sample, style)
        if np.count_nonzero(~np.isnan(seconds)) > (SHARE - 0.2) * np.count_nonzero(~np.isnan(sample)):
            break
    else:
        return None
    fitting, odd = 0, 0
    row, seen = 0, 0
    some: set[float] = set()
    others: dict[float, None] = {}
    for block in values.blocks() if isinstance(values, Long) else [values]:
        seconds, bad = times.of_numbers(block, style)
        are = ~np.isnan(seconds)
        row = row or (seen + int(np.argmax(bad)) + 1 if bad.any() else 0)
        seen += len(block)
        fitting, odd = fitting + int(are.sum()), odd + int(bad.sum())
        some |= {*np.unique(block[are])[:FEW].tolist()}
        others |= dict.fromkeys(block[bad].tolist())
    if not row or fitting < SHARE * (fitting + odd):
        return None
    shown = tuple(spelled_float(each) for each in [*others][:_SHOWN])
    return Doubt(times.SHOWN[style], fitting, fitting + odd, min(len(some), FEW), row, shown, len(others))


def _kinds(sample: Any) -> Iterator[tuple[str, Test]]:
    """Yield what a sample of texts may be, and the test of it."""
    import pyarrow.compute as pc

    if not pc.any(pc.match_substring_regex(sample, "[0-9]")).as_py():
        return
    yield "numbers", _are_numbers
    units = Counter(numbers.units(sample).drop_null().to_pylist()).most_common(_SHOWN + 1)
    if units:
        yield f"numbers of the unit {units[0][0]!r}", partial(_have_unit, unit=units[0][0])
    if 1 < len(units) <= _SHOWN and all(len(unit) > 1 or unit in _LETTERS for unit, _ in units):
        yield f"{_UNITS} ({', '.join(repr(unit) for unit, _ in units)})", _have_units
    if durations.are_sure(sample) and np.any(~durations.parsed(sample)[1]):
        yield "elapsed times", _are_elapsed
    for style in times.STYLES:
        if pc.any(pc.match_substring_regex(sample, times.PATTERNS[style])).as_py():  # parsing takes longer
            yield times.SHOWN[style], partial(_are_times, style=style)


def _are_numbers(texts: Any) -> Array:
    import pyarrow.compute as pc

    bodies = pc.struct_field(pc.extract_regex(texts, numbers.PATTERN), "body").drop_null()
    if not len(bodies):
        return np.zeros(len(texts), bool)
    marks = numbers.decided({*numbers.marks(bodies)}, file_decimal=None) or (".", None)
    return ~numbers.parsed(texts, *marks)[1]


def _have_unit(texts: Any, unit: str) -> Array:
    return np.array([each == unit for each in numbers.units(texts).to_pylist()], bool)


def _have_units(texts: Any) -> Array:
    return np.array([each is not None for each in numbers.units(texts).to_pylist()], bool)


def _are_elapsed(texts: Any) -> Array:
    return ~durations.parsed(texts)[1]


def _are_times(texts: Any, style: str) -> Array:
    return ~times.parsed(texts, style)[1]


def _coded(values: Any) -> tuple[Array, Any]:
    """Return the code of each row, -1 for missing, and the label of each code."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(values, Long):
        return np.concatenate([*values.blocks()]), values.labels.cast("string")
    codes, labels = pd.factorize(values)
    return np.asarray(codes), pa.array(labels, pa.string())
