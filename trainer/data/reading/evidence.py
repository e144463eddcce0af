"""Which kind a column is: facts gathered batch by batch, and the decision once all of them, and other columns, are known."""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainer.data.reading.arrow import as_numpy, of_bools, of_texts
from trainer.data.reading.dated import Dated
from trainer.data.reading.doubts import FEW
from trainer.data.reading.first_row import GAPS
from trainer.data.reading.kinds import NUMBER, SECONDS, Boolean, Kind, Number, Text, Time, Values, cut
from trainer.data.reading.spelling import numbers, truths
from trainer.data.reading.spelling.durations import Elapsed

_CODE = r"^0[0-9]+$"
_SAMPLE = 200  # values tried before a whole batch


@dataclass
class Evidence:
    """What the values seen so far of one column allow; `typed` is the kind of a column that is no text."""

    present: int = 0
    typed: Kind | None = None
    plain: bool = True  # all values are numbers as computers write them
    written: bool = True  # all values are numbers as people write them
    whole: bool = True
    codes: bool = False  # a whole number begins with a zero
    numbers: bool = False  # a value is none of the gaps
    late: bool = False  # something was found that earlier batches should have been seen with
    lengths: set[int] = field(default_factory=set)  # of whole numbers in a column with codes, or of text
    large: bool = False  # a whole number that a float does not hold
    marks: dict[str, str] = field(
        default_factory=dict
    )  # what the marks show, each with the first value that does
    signs: dict[str, str] = field(
        default_factory=dict
    )  # currencies and percent, "" for none, each with the first value that has it
    unit: str | None = None  # what ends each number of a column; "" for none, None before any was seen
    few: set[str] | None = field(default_factory=set)  # distinct numbers with a unit, while they are few
    words: set[str] | None = field(default_factory=set)  # distinct values, while they may be booleans
    dated: Dated = field(default_factory=Dated)
    elapsed: Elapsed = field(default_factory=Elapsed)
    example: str = ""  # the first value
    odd: str = ""  # the first number that is not as computers write it
    gone: tuple[str, ...] = ()  # words that count as missing values, such as NA
    gaps: frozenset[str] = frozenset()  # of GAPS, those seen
    parsed: dict[Kind, Values] = field(
        default_factory=dict
    )  # the last batch, as kinds whose parser has read it

    def see(self, raw: Any, missing: tuple[str, ...], *, wanted: str | None = None) -> None:
        """Take in the values of a batch: an Arrow array that `kinds.simplified` returned."""
        import pyarrow.types as pt

        if not pt.is_string(raw.type):
            self._see_typed(raw, missing, wanted)
            return
        whole = cut(raw, missing)
        self._see_missing(raw, whole, missing)
        texts = whole.drop_null()
        self.parsed = {}
        if not len(texts):
            return
        before = self.present and (self.plain, self.codes)
        self.present += len(texts)
        self._see_numbers(whole, texts, missing, wanted)
        was_plain, had_codes = before or (self.plain, self.codes)
        self.late |= was_plain and (not self.plain or had_codes != self.codes)
        self.example = self.example or texts[0].as_py()
        if not self.plain or wanted not in (None, "number"):
            self._see_words(texts)
            self.dated.see_texts(whole)
            self.elapsed.see(texts)
            self.parsed |= self.dated.parsed

    def again(self) -> "Evidence":
        """Return evidence to see all batches with once more, where the first ones lacked what a later one showed."""
        return Evidence(plain=self.plain, codes=self.codes, unit=None if self.unit else self.unit)

    def decide(
        self, wanted: str | None, file_decimal: str | None, date_order: str | None
    ) -> tuple[Kind, list[str]]:
        """Return the kind of the column, and what was decided that its user might not expect."""
        if wanted in (None, "time") and (moments := self._numbers_as_times(wanted)) is not None:
            return moments
        if self.typed is not None:
            said = self.dated.may_be_told() if isinstance(self.typed, Number) and wanted is None else []
            return _as_wanted(self.typed, wanted), said
        if self.plain and not self.numbers:  # every value is a gap
            self.plain = self.written = False
            self.dated.rule_out()
            self.words = None
        if wanted == "text" or (wanted is None and not self.present):
            return self.text(), []
        dated = None
        if self.present and (not self.plain or wanted == "time"):
            dated = self.dated.of_texts(date_order, self.example, wanted=wanted == "time")
        if wanted == "number" and not self.plain and dated is not None:
            return dated
        if wanted == "time":
            return dated if dated is not None else (Time(), [])
        if wanted is None and (self.plain or self.written) and (self.codes or self.large):
            return self.text(), []
        if wanted is None and self.words and (pair := truths.spelled(self.words)) is not None:
            return Boolean(*pair), []
        if not self.plain and dated is not None:
            return dated
        if not self.plain and self.elapsed.are_found:
            return Number(unit=SECONDS), [self.elapsed.told]
        if not self.plain and self.dated.is_open and wanted is None:
            return self.text(), [self.dated.open_told(self.example)]
        if self.unit and wanted is None and (self.few is not None or self._are_codes):
            return self.text(), [self._coded()] if self._are_codes and self.few is None else []
        if self.plain or self.written or wanted == "number":
            if (marked := numbers.decided({*self.marks}, file_decimal=file_decimal)) is not None:
                gap, sign = next(iter(self.gaps), None), self._sign
                if sign is None and wanted is None:
                    return self.text(), [self._several_signs()]
                said = [f"numbers with {gap!r} for a missing value"] if gap else []
                said += self.dated.may_be_told() if self.plain and wanted is None else []
                return Number(*marked, gap, self.unit or None, sign), [*self._said(*marked), *said]
            if wanted == "number":
                return Number(), []
            shown = self._contradicted()
            return self.text(), [shown] if shown else []
        return self.text(), []

    def _numbers_as_times(self, wanted: str | None) -> tuple[Kind, list[str]] | None:
        """Return the kind of a column whose numbers, or text of them, are dates such as 20230115."""
        are_numbers = self.plain and self.numbers if self.typed is None else isinstance(self.typed, Number)
        if not self.present or not are_numbers:
            return None
        return self.dated.of_numbers(wanted=wanted == "time", gap=next(iter(self.gaps), None))

    @property
    def _sign(self) -> str | None:
        """The currency, or percent, of all numbers; None if they have several."""
        found = [each for each in self.signs if each]
        if len(found) > 1 or (self.signs.keys() >= {""} and {*found} & {*numbers.SHARES}):
            return None
        return found[0] if found else ""

    @property
    def _are_codes(self) -> bool:
        """Whether the unit may be a letter of codes, such as A of 50494A."""
        are_whole = not any(mark.startswith("decimal") for mark in self.marks)
        return are_whole and re.search(r"[0-9][A-Z]$", self.example) is not None and len(self.unit or "") == 1

    def read_as(self, kind: Kind) -> Values | None:
        """Return the values of the one batch seen as a kind, if its parser has read them."""
        plain = isinstance(kind, Number) and "either." not in self.marks
        return self.parsed.get(Number() if plain else kind)

    def is_sure(self, wanted: str | None) -> bool:
        """Whether nothing about other columns can change that these are plain numbers, all of them parsed."""
        doubts = self.codes or self.large or self.dated.may_be_numbers or "either." in self.marks
        return Number() in self.parsed and not doubts and wanted in (None, "number")

    def _see_missing(self, raw: Any, whole: Any, missing: tuple[str, ...]) -> None:
        import pyarrow.compute as pc

        if whole.null_count > raw.null_count:
            texts = pc.unique(pc.utf8_trim_whitespace(raw.filter(pc.is_null(whole)))).to_pylist()
            words = [each for each in texts if each and each not in missing]
            self.gone = tuple(dict.fromkeys([*self.gone, *words]))

    def _see_typed(self, raw: Any, missing: tuple[str, ...], wanted: str | None) -> None:
        import pyarrow.types as pt

        kind = raw.type
        self.present += len(raw) - raw.null_count
        if pt.is_boolean(kind):
            self.typed = Boolean()
        elif pt.is_timestamp(kind) or pt.is_date(kind):
            self.typed = Time()
        elif pt.is_time(kind):
            self.typed = Time("clock")
        elif pt.is_duration(kind):
            self.typed = Number(unit=SECONDS)
        else:
            self.typed = Number()
            self._see_typed_dates(raw.drop_null(), missing, wanted)
            if pt.is_integer(kind) and _reaches(raw, numbers.WHOLE):
                self.typed = Text()

    def _see_numbers(self, whole: Any, texts: Any, missing: tuple[str, ...], wanted: str | None) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        forced = wanted == "number"
        if self.plain:
            try:
                floats = pc.cast(whole, pa.float64())
            except pa.ArrowInvalid:
                texts = self._without_gaps(texts)
                self.plain = bool(self.gaps) and numbers.are_plain(texts)
                self.numbers |= self.plain and bool(len(texts))
                if self.plain:
                    self._see_plain(texts, as_numpy(pc.cast(texts, pa.float64())), wanted)
                self.unit = "" if self.numbers else self.unit
            else:
                self.numbers, self.unit = True, ""
                self._see_plain(texts, as_numpy(floats.drop_null()), wanted)
                self.parsed[Number()] = Number().read(floats, missing)
        if not self.plain and (self.written or forced):
            shown = self._without_gaps(texts)
            texts = self._without_unit(shown)
            if not forced and not pc.all(pc.match_substring_regex(texts[:_SAMPLE], numbers.PATTERN)).as_py():
                self.written = False
            else:
                self._see_written(texts, shown, forced=forced)
        if not self.plain and not self.written:
            self._see_codes(pc.unique(texts))

    def _without_gaps(self, texts: Any) -> Any:
        """Return texts without one mark that may stand for a missing value; a second mark is a value."""
        import pyarrow.compute as pc

        is_gap = pc.is_in(texts, value_set=of_texts(GAPS))
        self.gaps |= set(pc.unique(texts.filter(is_gap)).to_pylist())
        return texts.filter(pc.invert(is_gap)) if len(self.gaps) == 1 else texts

    def _without_unit(self, texts: Any) -> Any:
        """Return texts without the unit that all numbers of the column end in, if they do."""
        import pyarrow.compute as pc

        if self.unit is None and len(texts):
            plain = pc.all(pc.match_substring_regex(texts[:_SAMPLE], numbers.PATTERN)).as_py()
            self.unit = "" if plain else numbers.unit_of(texts) or ""
        if not self.unit:
            return texts
        bodies = numbers.without_unit(texts, self.unit)
        if bodies is None:  # those seen before are no numbers then
            self.unit, self.codes, self.late = "", False, True
            return texts
        if self.few is not None:
            self.few |= set(pc.unique(bodies).to_pylist())
            self.few = self.few if len(self.few) <= FEW else None
        return bodies

    def _see_plain(self, texts: Any, values: Any, wanted: str | None) -> None:
        import pyarrow.compute as pc

        self.dated.see_numbers(values, wanted=wanted == "time")
        if "" not in self.signs and values.any():
            self.signs[""] = texts[int(np.argmax(values != 0))].as_py()
        whole = values == np.rint(values)
        for mark in numbers.marks_of_floats(values):
            self.marks.setdefault(mark, texts[int(np.argmin(whole))].as_py())
        self.whole &= bool(whole.all())
        if whole.any():
            self.large |= bool((np.abs(values[whole & np.isfinite(values)]) >= numbers.WHOLE).any())
            if whole.all():
                ends = pc.min_max(pc.binary_length(texts)).as_py()
                self.lengths |= set(ends.values())
            if self.codes or pc.any(pc.starts_with(texts.filter(of_bools(values >= 1)), "0")).as_py():
                self._see_codes(texts)

    def _see_typed_dates(self, raw: Any, missing: tuple[str, ...], wanted: str | None) -> None:
        import pyarrow.types as pt

        if not (pt.is_integer(raw.type) or pt.is_floating(raw.type)):
            self.dated.rule_out()
        for part in (raw[:_SAMPLE], raw):  # reading all takes longer
            if wanted == "time" or self.dated.may_be_numbers:
                values = Number().read(part, missing).values
                self.dated.see_numbers(values[~np.isnan(values)], wanted=wanted == "time")

    def _see_written(self, texts: Any, shown: Any, *, forced: bool) -> None:
        """Take in numbers as people write them, and what messages show of them: the texts with their unit."""
        import pyarrow.compute as pc

        parts = pc.extract_regex(texts, numbers.PATTERN)
        if parts.null_count and not forced:
            self.written = False
            return
        shown, parts = shown.filter(pc.is_valid(parts)), parts.drop_null()
        for sign, place in numbers.signs(parts).items():
            self.signs.setdefault(sign, shown[place].as_py())
        for mark, place in numbers.marks(pc.struct_field(parts, "body")).items():
            self.marks.setdefault(mark, shown[place].as_py())
        if not self.odd and (place := pc.index(pc.match_substring_regex(shown, NUMBER), False).as_py()) >= 0:
            self.odd = shown[place].as_py()
        self._see_codes(texts)

    def _see_codes(self, texts: Any) -> None:
        """Note how long whole numbers are; they are codes of one width if one begins with a zero."""
        import pyarrow.compute as pc

        digits = texts.filter(pc.match_substring_regex(texts, "^[0-9]+$"))
        self.codes |= bool(pc.any(pc.match_substring_regex(digits, _CODE)).as_py())
        self.lengths |= set(pc.min_max(pc.binary_length(digits)).as_py().values()) - {None}

    def _see_words(self, texts: Any) -> None:
        import pyarrow.compute as pc

        if self.words is not None:
            self.words |= set(pc.unique(texts[:_SAMPLE]).to_pylist())
            if truths.may_be(self.words):
                self.words |= set(pc.unique(texts).to_pylist())
            if not truths.may_be(self.words):
                self.words = None

    def text(self) -> Text:
        """Return the kind of the column as text."""
        return Text(next(iter(self.lengths)) if self.codes and len(self.lengths) == 1 else 0)

    def _several_signs(self) -> str:
        """Say which two numbers have not the same currency, or percent and none."""
        what = "numbers in several currencies"
        found = sorted(each for each in self.signs if each)
        if shares := [each for each in found if each in numbers.SHARES]:
            what, found = "numbers with percent and without", [*shares, *sorted({*self.signs} - {*shares})]
        shown = " and ".join(repr(self.signs[each]) for each in found[:2])
        return (
            f"{what} ({shown}), taken as text; write all in one way, or name the column in data.numeric to have them read as they "
            "stand"
        )

    def _coded(self) -> str:
        return (
            f"codes that end in {self.unit!r} ({self.example!r}), taken as text; name the column in data.numeric to have them "
            "read as numbers"
        )

    def _contradicted(self) -> str:
        """Say which two numbers no one decimal mark can write; nothing of values that are two numbers each."""
        points = (self.marks.get(mark) for mark in ("decimal.", "thousands,"))
        commas = (self.marks.get(mark) for mark in ("decimal,", "thousands."))
        shown = [*filter(None, (*points, *commas))]
        if shown[0] == shown[-1]:
            return ""
        return (
            f"numbers with marks that contradict each other ({shown[0]!r} and {shown[-1]!r}), taken as text; write all with one "
            "decimal mark to have them read as numbers"
        )

    def _said(self, decimal: str, thousands: str | None) -> list[str]:
        if (self.plain and thousands is None) or self.example.lower() in ("true", "false"):
            return []
        example = self.odd or self.marks.get("decimal" + decimal) or self.example
        marks = [f"decimal {decimal!r}"] if "decimal" + decimal in self.marks else []
        if thousands is not None:
            found = (self.marks.get(name + thousands) for name in ("thousands", "either"))
            example = next(filter(None, found), None) or self.marks.get("group", example)
            mark = next((each for each in example if each in thousands), thousands)
            marks.append("blanks between thousands" if mark.isspace() else f"thousands {mark!r}")
        marks += ["a minus at the end"] if example[-1] in "-\u2212" else []
        marks += [f"the unit {self.unit!r}"] if self.unit else []
        marks += (
            ["several signs (" + ", ".join(each or "none" for each in sorted(self.signs)) + ")"]
            if self._sign is None
            else []
        )
        doubt = (
            " (a decimal mark is possible, too: data.decimal decides)"
            if numbers.is_in_doubt({*self.marks})
            else ""
        )
        return [
            f"numbers written as text ({example!r}): read as numbers with {', '.join(marks) or 'no marks'}{doubt}"
        ]


def file_decimal(columns: dict[str, Evidence]) -> str | None:
    """Return the decimal mark that most columns of a file show for sure, or None."""
    points = sum("decimal." in each.marks for each in columns.values() if each.plain or each.written)
    commas = sum("decimal," in each.marks for each in columns.values() if each.written and not each.plain)
    return None if points == commas == 0 else "," if commas > points else "."


def _as_wanted(kind: Kind, wanted: str | None) -> Kind:
    if wanted == "text":
        return Text()
    if wanted == "time" and not isinstance(kind, Time):
        return Time()
    return Number() if wanted == "number" and not isinstance(kind, Number | Time) else kind


def _reaches(raw: Any, limit: float) -> bool:
    import pyarrow.compute as pc

    ends = pc.min_max(raw).as_py()
    return any(abs(each or 0) >= limit for each in ends.values())
