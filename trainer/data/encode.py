"""Encodes table columns as numbers; fitted on the training rows alone and saved with the model.

Every numeric transform is a piecewise-linear map given by knots, so one `np.interp` applies it, JSON holds
it, and a column of one value or with many ties needs no special case. A missing number becomes the median,
with an extra 0/1 feature if the training rows had any. Categories get codes: 0 unseen in training or rarer
than `min_frequency`, 1 missing, then the categories in sorted order.
"""

import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from trainer.errors import DataError

if TYPE_CHECKING:
    import torch

Array = np.ndarray[Any, Any]

UNSEEN, MISSING, FIRST = 0, 1, 2  # category codes; FIRST is the first category
_KNOTS = 256
_BINS = 16
_LARGEST = 1e100  # larger numbers are clipped, so that the sum of their squares is finite
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
    """One numeric column: missing values become `fill`, then the knots map each value."""

    name: str
    fill: float
    flag_missing: bool
    bins: bool
    x: tuple[float, ...]
    y: tuple[float, ...]

    @property
    def width(self) -> int:
        """The number of features of the column."""
        return (len(self.x) - 1 if self.bins else 1) + self.flag_missing

    def transform(self, values: Array) -> Array:
        """Return the column's features, float32 [N, width]."""
        missing = np.isnan(values)
        filled = np.where(missing, self.fill, values)
        x = np.asarray(self.x)
        if self.bins:
            features = np.clip((filled[:, None] - x[:-1]) / np.diff(x), 0, 1)
        else:
            features = np.interp(filled, x, np.asarray(self.y))[:, None]
        if self.flag_missing:
            features = np.concatenate([features, missing[:, None]], axis=1)
        return np.asarray(features, np.float32)


@dataclass(frozen=True)
class CategoricalColumn:
    """One categorical column: its categories in the order of their codes, which start at 2."""

    name: str
    categories: tuple[str, ...]

    def transform(self, values: Any) -> Array:
        """Return the codes, int64 [N]."""
        codes = {label: code for code, label in enumerate(self.categories, FIRST)}
        inverse, labels = distinct(values)
        table = np.array([MISSING if each is None else codes.get(each, UNSEEN) for each in labels], np.int64)
        return np.take(table, inverse)


@dataclass(frozen=True)
class Encoder:
    """The fitted preprocessing of one data set, as plain values that JSON holds exactly."""

    numeric: tuple[NumericColumn, ...]
    categorical: tuple[CategoricalColumn, ...]
    target: str
    positive: str

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """The number of codes per categorical column, with the two reserved ones."""
        return tuple(len(column.categories) + FIRST for column in self.categorical)

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
    ) -> "Encoder":
        """Fit medians, knots and categories to a table, which must be the training rows alone."""
        return cls(
            tuple(_fit_numeric(name, numbers(table, name), Transform(transform)) for name in numeric),
            tuple(_fit_categorical(name, column(table, name), min_frequency) for name in categorical),
            target,
            positive,
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
        features = [each.transform(numbers(columns, each.name)) for each in self.numeric]
        codes = [each.transform(columns[each.name]) for each in self.categorical]
        return (
            np.concatenate([np.empty((rows, 0), np.float32), *features], axis=1),
            np.stack(codes, axis=1) if codes else np.empty((rows, 0), np.int64),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Encoder":
        """Return the encoder that `to_json` wrote; floats keep their last digit."""
        numeric = [{**each, "x": tuple(each["x"]), "y": tuple(each["y"])} for each in value["numeric"]]
        categorical = [(each["name"], tuple(each["categories"])) for each in value["categorical"]]
        return cls(
            tuple(NumericColumn(**each) for each in numeric),
            tuple(CategoricalColumn(*each) for each in categorical),
            value["target"],
            value["positive"],
        )


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
    finite = np.where(np.isfinite(values), values, np.nan)
    return np.clip(finite, -_LARGEST, _LARGEST)


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


def distinct(values: Any) -> tuple[Array, list[str | None]]:
    """Return codes [N] for the distinct values of a column, and the label of each code; None for missing.

    Labels are text; 3, 3.0 and "3" have the same label.
    """
    if getattr(values.dtype, "kind", "O") in "iub" and isinstance(values, np.ndarray):
        found, inverse = np.unique(values, return_inverse=True)
        return inverse, [label(value) for value in found.tolist()]
    texts = _texts(values)
    if texts is not None:
        return texts
    import pandas as pd  # takes half a second to load, so not for what a reader returns

    codes, uniques = pd.factorize(pd.Series(values), use_na_sentinel=False)
    return codes, [label(value) for value in uniques]


def _texts(values: Any) -> tuple[Array, list[str | None]] | None:
    """Return what `distinct` does, of an array of nothing but text and None, as a reader returns it; else None."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "OU":
        return None
    places: dict[Any, int] = {}
    codes = [places.setdefault(value, len(places)) for value in values.tolist()]
    labels = [*places]
    if not {*map(type, labels)} <= {str, type(None)}:
        return None
    return np.array(codes, np.int64), labels


def label(value: Any) -> str | None:
    """Return one category as text, or None for a missing one (None, NaN, NaT, NA)."""
    # The missing values of pandas are known by name, so that plain arrays do not load pandas.
    if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
        return None
    if isinstance(value, float | np.floating) and value.is_integer():
        value = int(value)
    return str(value)


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


def _fit_numeric(name: str, values: Array, transform: Transform) -> NumericColumn:
    present = values[~np.isnan(values)]
    flag_missing = len(present) < len(values)
    if len(present) == 0:
        return NumericColumn(name, 0.0, flag_missing, False, (0.0, 1.0), (0.0, 0.0))
    fill = float(np.median(present))
    if transform is Transform.STANDARD:
        mean, spread = float(present.mean()), float(present.std()) or 1.0
        x = [mean - _REACH * spread, mean + _REACH * spread]
        return NumericColumn(name, fill, flag_missing, False, tuple(x), (-_REACH, _REACH))
    found, counts = np.unique(present, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2) / len(present)
    if transform is Transform.ROBUST:
        return NumericColumn(name, fill, flag_missing, False, *_bent(present))
    if transform is Transform.QUANTILE:
        chosen = _spread(ranks, _KNOTS)
        normal = statistics.NormalDist()
        scores = [normal.inv_cdf(rank) for rank in ranks[chosen]]
        return NumericColumn(name, fill, flag_missing, False, tuple(found[chosen].tolist()), tuple(scores))
    edges = found[_spread(ranks, _BINS + 1)]
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


def _spread(ranks: Array, count: int) -> Array:
    """Return the indices of at most `count` distinct values, evenly in rank, with the first and the last."""
    wanted = np.linspace(ranks[0], ranks[-1], count)
    return np.unique(np.searchsorted(ranks, wanted).clip(0, len(ranks) - 1))


def _fit_categorical(name: str, values: Any, min_frequency: int) -> CategoricalColumn:
    inverse, labels = distinct(values)
    counts = np.bincount(inverse, minlength=len(labels))
    kept = {each for each, count in zip(labels, counts, strict=True) if count >= min_frequency}
    return CategoricalColumn(name, tuple(sorted(each for each in kept if each is not None)))
