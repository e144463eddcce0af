"""Encodes table columns as numbers; fitted on the training rows alone and saved with the model.

Every numeric transform is a piecewise-linear map given by knots, so one `np.interp` applies it, JSON holds
it, and a column of one value or with many ties needs no special case. A missing number becomes the median,
with an extra 0/1 feature if the training rows had any. A time is a number, and what a calendar says of it.
Categories get codes: 0 unseen in training or rarer than `min_frequency`, 1 missing, then the categories in
sorted order. Of more than `hash_bins` categories each has the code of a bin, by a hash.
"""

import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from trainer.data.encoding.categories import CategoricalColumn, distinct, fit_categories, label
from trainer.data.encoding.moments import Calendar
from trainer.data.encoding.ranks import Sample, clipped
from trainer.data.reading.columns import Long
from trainer.errors import DataError

if TYPE_CHECKING:
    import torch

Array = np.ndarray[Any, Any]

_KNOTS = 256
_BINS = 16
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LIKE = 0.97  # squared correlation of a curve with a line, below which a column gets both
_BEYOND = 10  # ranges of the training rows that the line goes on
_ENOUGH = 100_000  # values that tell it
_REACH = 1e6  # standardised values are clipped at this many standard deviations


class Table(Protocol):
    """Columns by name: a dict of arrays or lists, or a pandas DataFrame."""

    def __getitem__(self, name: str, /) -> Any: ...

    def __contains__(self, name: object, /) -> bool: ...


class Transform(StrEnum):
    """How numeric columns become features."""

    STANDARD = "standard"  # minus the mean, divided by the standard deviation
    ROBUST = "robust"  # minus the median, divided by the quartile range; outliers level off at 3
    QUANTILE = "quantile"  # rank among the training values, as a normal score
    BINS = "bins"  # quantile bins, each a feature that rises from 0 to 1 across its bin


@dataclass(frozen=True)
class NumericColumn:
    """One numeric column: missing values become `fill`, then the knots map each value.

    A column that the knots bend much has a second feature, a line, because what is linear in skewed values is not linear in
    bent ones.
    """

    name: str
    fill: float
    flag_missing: bool
    bins: bool
    x: tuple[float, ...]
    y: tuple[float, ...]
    line_x: tuple[float, ...] = ()  # its ends
    line_y: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """The number of features of the column."""
        return (len(self.x) - 1 if self.bins else 1) + bool(self.line_x) + self.flag_missing

    def transform(self, values: Array) -> Array:
        """Return the column's features, float32 [N, width]."""
        missing = np.isnan(values)
        filled = np.where(missing, self.fill, values)
        x = np.asarray(self.x)
        if self.bins:
            features = np.clip((filled[:, None] - x[:-1]) / np.diff(x), 0, 1)
        else:
            features = np.interp(filled, x, np.asarray(self.y))[:, None]
        if self.line_x:
            line = np.interp(filled, np.asarray(self.line_x), np.asarray(self.line_y))
            features = np.concatenate([features, line[:, None]], axis=1)
        if self.flag_missing:
            features = np.concatenate([features, missing[:, None]], axis=1)
        return np.asarray(features, np.float32)


@dataclass(frozen=True)
class Encoder:
    """The fitted preprocessing of one data set, as plain values that JSON holds exactly."""

    numeric: tuple[NumericColumn, ...]
    categorical: tuple[CategoricalColumn, ...]
    target: str
    positive: str
    calendars: tuple[Calendar, ...] = ()  # of those numeric columns that are times

    @property
    def features(self) -> "list[NumericColumn | Calendar]":
        """What makes the numeric features, in their order."""
        return [*self.numeric, *self.calendars]

    @property
    def width(self) -> int:
        """The number of numeric features."""
        return sum(each.width for each in self.features)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """The number of codes per categorical column, with the two reserved ones."""
        return tuple(column.cardinality for column in self.categorical)

    @property
    def names(self) -> list[str]:
        """The columns that it encodes."""
        return [*(each.name for each in self.numeric), *(each.name for each in self.categorical)]

    @classmethod
    def fit(
        cls,
        table: Table,
        *,
        numeric: Sequence[str],
        categorical: Sequence[str],
        transform: str,
        min_frequency: int,
        target: str,
        positive: str,
        times: Sequence[str] = (),
        hash_bins: int | None = None,
    ) -> "Encoder":
        """Fit medians, knots and categories to a table, which must be the training rows alone.

        `times` are those of the `numeric` columns that hold times.
        """
        fitted = [_fit_numeric(name, _sample(table, name), Transform(transform)) for name in numeric]
        fills = {each.name: each.fill for each in fitted}
        calendars = [Calendar.fit(name, _blocks(table, name), fill=fills[name]) for name in times]
        return cls(
            tuple(fitted),
            fit_categories({name: column(table, name) for name in categorical}, min_frequency, hash_bins),
            target,
            positive,
            tuple(each for each in calendars if each.width),
        )

    def transform(self, table: Table) -> "tuple[torch.Tensor, torch.Tensor]":
        """Return rows encoded as float32 [N, F] and int64 [N, C]; raise as `arrays` does."""
        import torch  # not at the top: a prediction encodes its first rows while torch is loaded

        numeric, categorical = self.arrays(table)
        return torch.from_numpy(numeric), torch.from_numpy(categorical)

    def arrays(self, table: Table) -> tuple[Array, Array]:
        """Return rows encoded as float32 [N, F] and int64 [N, C].

        Raise DataError for a column that is missing, is no column of values, or differs in length.
        """
        names = self.names
        absent = [name for name in names if name not in table]
        if absent:
            raise DataError(f"the table lacks columns the model was trained on: {', '.join(absent)}")
        columns = {name: column(table, name) for name in names}
        rows = len(columns[names[0]])
        for name, values in columns.items():
            if len(values) != rows:
                raise DataError(f"column {name!r} has {len(values)} rows, column {names[0]!r} has {rows}")
        features = [each.transform(numbers(columns, each.name)) for each in self.features]
        codes = [each.transform(columns[each.name]) for each in self.categorical]
        return (
            np.concatenate([np.empty((rows, 0), np.float32), *features], axis=1),
            np.stack(codes, axis=1) if codes else np.empty((rows, 0), np.int64),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        lists = ("numeric", "categorical", "calendars")
        # Not by `asdict`, which copies every number.
        return vars(self) | {name: [_fields(each) for each in getattr(self, name)] for name in lists}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Encoder":
        """Return the encoder that `to_json` wrote; floats keep their last digit."""
        lists = ("x", "y", "line_x", "line_y")  # the last two since models have lines
        numeric = [{**each, **{key: tuple(each.get(key, ())) for key in lists}} for each in value["numeric"]]
        categorical = [{**each, "categories": tuple(each["categories"])} for each in value["categorical"]]
        calendars = [
            {**each, "years": each["years"] and tuple(each["years"]), "cycles": tuple(each["cycles"])}
            for each in value.get("calendars", ())  # before format 2 there were none
        ]
        return cls(
            tuple(NumericColumn(**each) for each in numeric),
            tuple(CategoricalColumn(**each) for each in categorical),
            value["target"],
            value["positive"],
            tuple(Calendar(**each) for each in calendars),
        )


def _fields(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass, whose values are plain, without what it remembers."""
    return {each.name: getattr(record, each.name) for each in fields(record)}


def column(table: Table, name: str) -> Any:
    """Return a column as an array or a pandas series; raise DataError for a bare value."""
    values = table[name]
    if isinstance(values, list | tuple):
        values = np.fromiter(values, dtype=object, count=len(values))
    if getattr(values, "ndim", 0) != 1:
        raise DataError(
            f"column {name!r} is {values!r}; a column of values is needed, for one row a list of one"
        )
    return values


def numbers(table: Table, name: str) -> Array:
    """Return a column as float64 with NaN for missing; times, also as ISO 8601 text, are in seconds.

    Raise DataError for a value that is no number.
    """
    values = column(table, name)
    kind = getattr(values.dtype, "kind", "O")
    if kind in "mM":  # seconds keep the knots readable
        seconds = np.asarray(values, dtype=f"{'datetime64' if kind == 'M' else 'timedelta64'}[us]")
        return np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64) / 1e6)
    if kind in "biuf":
        # numpy does not know the missing value of pandas.
        to_numpy = getattr(values, "to_numpy", None)
        values = to_numpy(np.float64, na_value=np.nan) if to_numpy else np.asarray(values, np.float64)
    else:
        values = np.array([_number(name, value) for value in np.asarray(values, dtype=object)], np.float64)
    return clipped(values)


def holds_times(values: Any) -> bool:
    """Whether all present values of a column are ISO 8601 dates or times."""
    present = [each for each in distinct(values)[1] if each is not None]
    return bool(present) and all(moment(each) is not None for each in present)


def moment(text: str) -> float | None:
    """Return a date or time such as 2024-05-31 17:00 in seconds since 1970, or None; UTC without a zone."""
    if not _ISO.fullmatch(text):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:  # a 13th month
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - _EPOCH) // timedelta(microseconds=1) / 1e6


def _number(name: str, value: Any) -> float:
    if label(value) is None:
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError):
        time = moment(str(value))
    if time is None:
        raise DataError(
            f"column {name!r} is used as numeric but holds {value!r}; "
            "name it in data.categorical or data.drop instead"
        )
    return time


def _sample(table: Table, name: str) -> Sample:
    values = table[name]
    return Sample(values if isinstance(values, Long) else numbers(table, name))


def _blocks(table: Table, name: str) -> Iterator[Array]:
    values = table[name]
    yield from map(clipped, values.blocks()) if isinstance(values, Long) else [numbers(table, name)]


def _fit_numeric(name: str, values: Sample, transform: Transform) -> NumericColumn:
    flag_missing = values.has_missing
    if len(values) == 0:
        return NumericColumn(name, 0.0, flag_missing, False, (0.0, 1.0), (0.0, 0.0))
    fill = values.median
    if transform is Transform.STANDARD:
        mean, spread = values.mean_and_spread
        spread = spread or 1.0
        ends = (mean - _REACH * spread, mean + _REACH * spread)
        return NumericColumn(name, fill, flag_missing, False, ends, (-_REACH, _REACH))
    if transform is Transform.ROBUST:
        x, y = _bent(values.present)
        return NumericColumn(name, fill, flag_missing, False, x, y, *_line(values, x, y))
    if transform is Transform.QUANTILE:
        knots, ranks = values.spread(_KNOTS)
        normal = statistics.NormalDist()
        scores = [normal.inv_cdf(rank) for rank in ranks]
        return NumericColumn(name, fill, flag_missing, False, tuple(knots.tolist()), tuple(scores))
    edges, _ = values.spread(_BINS + 1)
    if len(edges) == 1:
        edges = np.array([edges[0], edges[0] + max(1.0, abs(edges[0]))])
    return NumericColumn(name, fill, flag_missing, True, tuple(edges.tolist()), ())


def _bent(present: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the knots of a curve that is a line within the usual values, levels off at 3 quartile ranges, and has spread one.

    Source: the smooth clipping of Holzmueller, Grinsztajn, Steinwart, "Better by Default" (NeurIPS 2024, arXiv:2407.04491).
    """
    low, middle, high = np.quantile(present, [0.25, 0.5, 0.75])
    scale = (high - low) or np.ptp(present) / 2 or 1.0
    ranges = np.sinh(np.linspace(-6, 6, 129))  # dense where the curve bends
    x = middle + scale * ranges
    kept = np.append(np.diff(x) > 0, True)  # a range that is tiny beside its median has fewer knots
    y = ranges / np.sqrt(1 + (ranges / 3) ** 2)
    # Where most values are the same the spread is small, and the others must not become outliers again.
    spread = max(0.5, float(np.interp(present, x[kept], y[kept]).std()))
    return tuple(x[kept].tolist()), tuple((y[kept] / spread).tolist())


def _line(values: Sample, x: tuple[float, ...], y: tuple[float, ...]) -> tuple[tuple[float, ...], ...]:
    """Return the ends of a standardised line for a column that a curve bends much, or of none."""
    mean, spread = values.mean_and_spread
    some = values.present[:: -(-len(values) // _ENOUGH)]
    bent = np.interp(some, x, y)
    if spread == 0 or bent.std() == 0 or np.corrcoef(some, bent)[0, 1] ** 2 > _LIKE:
        return (), ()
    low, high = float(values.present.min()), float(values.present.max())
    beyond = _BEYOND * (high - low)
    low, high = low - beyond, high + beyond
    return (low, high), ((low - mean) / spread, (high - mean) / spread)
