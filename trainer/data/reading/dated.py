"""Whether the values of a column are dates or times: facts gathered batch by batch, and the style that they leave.

Text tells its style by how it is written. Numbers are dates only if all are: 20230115, or 202301 in several months. Years
and seconds since 1970 are numbers like others, unless the user says that the column holds times.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainer.data.reading.kinds import Array, Kind, Time, Values
from trainer.data.reading.spelling import times

_SAMPLE = 200  # values tried before a whole batch
_ENOUGH = 6  # different numbers from which those that look like dates are dates, where there may be doubt
_YEARS = 20  # different numbers from which Jan-05 is a day of January
_DAYS = {f"{day:02}" for day in range(1, 32)}
_FOUND = (times.DIGITS, times.MONTHS)  # styles of numbers that are found without being asked for

Chosen = tuple[Time, list[str]]


@dataclass
class Dated:
    """The styles of times that all values seen so far may have."""

    texts: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(times.STYLES, True))
    numbers: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(times.NUMBERS, True))
    different: set[float] = field(default_factory=set)  # of the numbers that are times, the first few
    example: float | None = None  # the first of these
    empty: set[float] = field(default_factory=set)  # numbers seen that stand for a missing date
    ends: set[str] = field(default_factory=set)  # two digits after the name of a month
    parsed: dict[Kind, Values] = field(default_factory=dict)  # the last batch of texts, by styles that fit

    @property
    def may_be_numbers(self) -> bool:
        """Whether all values so far may be dates that are written as numbers."""
        return any(self.numbers[style] for style in _FOUND)

    def rule_out(self) -> None:
        """Note that the values are no times."""
        self.texts, self.numbers = dict.fromkeys(self.texts, False), dict.fromkeys(self.numbers, False)

    def see_texts(self, texts: Any) -> None:
        """Take in an Arrow array of texts."""
        import pyarrow.compute as pc

        self.parsed = {}
        for style in [style for style, fits in self.texts.items() if fits]:
            looks = pc.match_substring_regex(texts[:_SAMPLE], times.PATTERNS[style])
            if pc.all(looks).as_py() is False:  # parsing takes longer
                self.texts[style] = False
                continue
            for part in (texts[:_SAMPLE], texts):
                read = Values(*times.parsed(part, style))
                if read.bad.any():
                    self.texts[style] = False
                    break
            else:
                self.parsed[Time(style)] = read
                self.ends |= _digits_after(texts) if style == "month year" else set()

    def see_numbers(self, values: Array, *, wanted: bool) -> None:
        """Take in present numbers; styles that are not found by themselves are looked at if times are `wanted`."""
        for style in [style for style, fits in self.numbers.items() if fits]:
            if not wanted and style not in _FOUND:
                continue
            for part in (values[:_SAMPLE], values):
                seconds, bad = times.of_numbers(part, style)
                if bad.any():
                    self.numbers[style] = False
                    break
            else:
                self._see_fitting(values, ~np.isnan(seconds))

    def _see_fitting(self, values: Array, are: Array) -> None:
        if are.any() and self.example is None:
            self.example = float(values[int(np.argmax(are))])
        if len(self.different) < _ENOUGH:
            self.different |= {*np.unique(values[are])[:_ENOUGH].tolist()}
        self.empty |= {*np.unique(values[~are]).tolist()}

    def of_numbers(self, *, wanted: bool, gap: str | None) -> Chosen | None:
        """Return the kind of a column of numbers that are times, and what to tell of it."""
        for style in [style for style, fits in self.numbers.items() if fits]:
            certain = wanted or (style == times.DIGITS and not self.empty and gap is None)
            found = wanted or style in _FOUND
            if self.example is None or not found or len(self.different) < (1 if certain else _ENOUGH):
                continue
            marks = [*(f"{each:.0f}" for each in sorted(self.empty)), *([repr(gap)] if gap else [])]
            missing = f"; {' and '.join(marks)} counts as missing" if marks else ""
            return Time(style, gap), [f"{times.SHOWN[style]} ({self.example:.0f}), read as times{missing}"]
        return None

    def may_be_told(self) -> list[str]:
        """Return what to tell of numbers that are too few to be taken as dates."""
        if not self.may_be_numbers or len(self.different) < 2:
            return []
        return [
            f"numbers that may be dates ({self.example:.0f}); name the column in data.time to have them read as times"
        ]

    def of_texts(self, date_order: str | None, example: str, *, wanted: bool) -> Chosen | None:
        """Return the kind of a column of texts that are times, and what to tell of it; None if the order is open."""
        styles = [style for style, fits in self.texts.items() if fits]
        orders = [style for style in ("day", "month", "year") if style in styles]
        if not styles or (self.is_open and date_order is None and not wanted):
            return None
        if len(orders) < 2:
            shown = f" ({example!r})" if styles[0] in ("month year", "day name") else ""
            said = f"{times.SHOWN[styles[0]]}{shown}, read as times"
            return Time(styles[0]), [] if styles[0] == "iso" else [said]
        if date_order in orders:
            return Time(date_order), []
        style = "day" if "." in example or "month" not in orders else "month"
        what = "dates whose day, month and year" if "year" in orders else "dates whose day and month"
        return Time(style), [
            f"{what} cannot be told apart, read with the {style} first; set data.date_order to another if that is wrong"
        ]

    @property
    def is_open(self) -> bool:
        """Whether the year may come first or last, or be a day: so many are no years of one table."""
        may_be_days = self.texts["month year"] and len(self.ends) > _YEARS and self.ends <= _DAYS
        return may_be_days or (self.texts["year"] and (self.texts["day"] or self.texts["month"]))

    def open_told(self, example: str) -> str:
        """Return what to tell of dates that may mean several days."""
        if self.texts["month year"]:
            return (
                f"dates such as {example!r} that seem to lack a year, taken as text; name the column in data.time if the number is "
                "the year"
            )
        orders = [style for style in ("day", "month", "year") if self.texts[style]]
        return (
            f"dates such as {example!r} whose order cannot be told, taken as text; set data.date_order to what comes first "
            f"({', '.join(orders[:-1])} or {orders[-1]}) to have them read as times"
        )


def _digits_after(texts: Any) -> set[str]:
    """Return the two digits that follow the names of months, where no year of four does."""
    import pyarrow.compute as pc

    short = texts.filter(pc.match_substring_regex(texts, "[^0-9][0-9]{2}$"))
    return {*pc.unique(pc.utf8_slice_codeunits(short, -2)).to_pylist()}
