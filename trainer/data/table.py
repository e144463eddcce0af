"""Loads any CSV or Parquet file as a data set, split by ratio, by file or by time.

The role of a column is inferred from its type (numbers and times are numeric; text, booleans and categories
are categorical), unless the config sets it. No row is dropped. `trainer.data.files` reads the formats.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.data.check import no_column
from trainer.data.encode import Array, holds_times, label
from trainer.data.files import read
from trainer.data.splits import by_ratio, by_time
from trainer.data.tensors import Splits
from trainer.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def load(
    *,
    path: str,
    target: str,
    positive: str | int | float | bool | None = None,
    numeric: Sequence[str] | None = None,
    categorical: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    missing_values: Sequence[str] = (),
    separator: str | None = None,
    encoding: str = "utf-8",
    test_path: str | None = None,
    time_column: str | None = None,
    val_fraction: float,
    test_fraction: float,
    data_seed: int,
) -> Splits:
    """Read a file and split it.

    With `test_path` that file is the test split, and `test_fraction` is not used. With `time_column` rows
    go from oldest (train) to newest (test), and the column is no feature. Otherwise each class is
    split at random by ratio. `positive` names the positive label; the default is the last of the two
    in sorted order ("no" < "yes", "<=50K" < ">50K", 0 < 1), as in scikit-learn.
    """
    removed = [*drop, *([time_column] if time_column else [])]
    tables = []
    for key, each in (("data.target", path), (f"data.target (in {test_path})", test_path)):
        if each is not None:
            table = read(each, missing_values=missing_values, separator=separator, encoding=encoding)
            check_columns([target], table.columns, key=key)
            _refuse_nested(table, removed)
            tables.append(table)
    known = tables[0]
    numbers, texts = roles(known, target=target, drop=removed, numeric=numeric, categorical=categorical)
    label_of_positive = positive_class([each[target] for each in tables], name=target, positive=positive)
    fractions = {"val_fraction": val_fraction, "test_fraction": 0.0 if test_path else test_fraction}
    if time_column is None:
        rows = by_ratio(is_positive(known[target], label_of_positive), **fractions, seed=data_seed)
    else:
        check_columns([time_column], known.columns, key="data.time_column")
        rows = by_time(_times(known[time_column]), **fractions)
    train, val, test = (known.iloc[part] for part in rows)
    splits = [train, val, tables[1] if test_path else test]
    return parts_of(splits, numeric=numbers, categorical=texts, target=target, positive=label_of_positive)


def positive_class(
    columns: Sequence["pd.Series[Any]"], *, name: str, positive: str | int | float | bool | None = None
) -> str:
    """Return the label of the positive class of a two-class target.

    Raise DataError for missing values, one class, more than two, or a `positive` that does not occur.
    """
    raw = [value for column in columns for value in column.tolist()]
    labels = [label(value) for value in raw]
    missing = sum(each is None for each in labels)
    if missing:
        raise DataError(f"target {name!r} is missing in {missing} of {len(labels)} rows; fill or remove them")
    # Numbers sort as numbers, so that 10 comes after 9; mixed types sort as text.
    values = {str(text): value for text, value in zip(labels, raw, strict=True)}
    try:
        classes = sorted(values, key=values.__getitem__)
    except TypeError:
        classes = sorted(values)
    if len(classes) != 2:
        shown = ", ".join(repr(text) for text in classes[:5]) + (", ..." if len(classes) > 5 else "")
        raise DataError(
            f"target {name!r} has {len(classes)} class{'es' * (len(classes) != 1)} ({shown}); exactly two are needed"
        )
    chosen = classes[1] if positive is None else label(positive)
    if chosen not in classes:
        raise DataError(
            f"data.positive={positive!r} does not occur in target {name!r}; allowed are {classes[0]!r} and {classes[1]!r}"
        )
    return str(chosen)


def is_positive(column: "pd.Series[Any]", positive: str) -> Array:
    """Return a target as float32, 1 for the positive class and 0 for the other."""
    return np.array([label(value) == positive for value in column.tolist()], np.float32)


def roles(
    table: "pd.DataFrame",
    *,
    target: str,
    drop: Sequence[str] = (),
    numeric: Sequence[str] | None = None,
    categorical: Sequence[str] | None = None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the numeric and the categorical columns.

    A column that is neither named nor dropped takes its role from its type; text of ISO dates or times
    alone is a column of times. Raise DataError for a name that is no column, or is named twice.
    """
    given = {"data.numeric": numeric or (), "data.categorical": categorical or (), "data.drop": drop}
    seen = {target: "data.target"}
    for key, names in given.items():
        check_columns(names, table.columns, key=key)
        for name in names:
            if name in seen:
                raise DataError(f"column {name!r} is named in both {seen[name]} and {key}; name it once")
            seen[name] = key
    numbers, texts = list(numeric or ()), list(categorical or ())
    for name in table.columns:
        if name not in seen:
            (numbers if _is_numeric(table[name]) else texts).append(name)
    if not numbers and not texts:
        raise DataError(f"no feature column is left beside target {target!r}; columns: {list(table.columns)}")
    return tuple(numbers), tuple(texts)


def _is_numeric(column: "pd.Series[Any]") -> bool:
    from pandas import CategoricalDtype
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    kind = column.dtype
    # pandas counts booleans as numbers.
    if is_bool_dtype(kind) or isinstance(kind, CategoricalDtype):
        return False
    return is_numeric_dtype(kind) or getattr(kind, "kind", "O") in "mM" or holds_times(column)


def parts_of(
    tables: Sequence["pd.DataFrame"],
    *,
    numeric: Sequence[str],
    categorical: Sequence[str],
    target: str,
    positive: str,
) -> Splits:
    """Return three tables as splits, with 0/1 targets."""
    check_columns((*numeric, *categorical), tables[-1].columns, key="the test file")
    targets = [is_positive(each[target], positive) for each in tables]
    return Splits(tables, targets, tuple(numeric), tuple(categorical), target, positive)


def check_columns(names: Iterable[str], columns: Iterable[str], *, key: str) -> None:
    """Raise DataError for a name that is no column, with the key, a near match and the columns there are."""
    there = [str(each) for each in columns]
    for name in names:
        if name not in there:
            raise DataError(f"{key}: there is {no_column(name, there)}")


def _refuse_nested(table: "pd.DataFrame", unused: Sequence[str]) -> None:
    """Raise DataError for a column whose values are lists or mappings, as Parquet can hold them."""
    for name in table.columns:
        if name not in unused and table[name].dtype == object:  # nested values have no dtype of their own
            for value in table[name]:
                if isinstance(value, list | tuple | dict | np.ndarray):
                    raise DataError(
                        f"column {name!r} holds {'mappings' if isinstance(value, dict) else 'lists'}, but a feature "
                        "is one value per row; name it in data.drop, or split it into several columns"
                    )


def _times(column: "pd.Series[Any]") -> Array:
    """Return a time column as values that sort: numbers or times, also from text in ISO 8601."""
    import pandas as pd

    if getattr(column.dtype, "kind", "O") not in "iufM":
        times = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce")
        odd = column[times.isna() & column.notna()]
        if len(odd):
            raise DataError(
                f"data.time_column={column.name!r} holds {odd.iloc[0]!r}; "
                "allowed are numbers and times such as 2024-05-31 or 2024-05-31 17:00"
            )
        column = times
    if column.isna().any():
        raise DataError(f"data.time_column={column.name!r} is missing in {int(column.isna().sum())} rows")
    return column.to_numpy()
