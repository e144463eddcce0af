"""Any CSV or Parquet file as a data set: columns found or given, split by ratio, file or time.

The one idea: what a column is may be inferred from its type (numbers and times are numeric; text, booleans
and categories are categorical), and everything inferred can be said instead. No row is ever dropped silently.
Formats of files are the business of `trainer.data.files`.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.data.check import no_column
from trainer.data.encode import holds_times, label
from trainer.data.files import read
from trainer.data.splits import by_ratio, by_time
from trainer.data.tensors import Splits
from trainer.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]


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
    split at random by ratio. `positive` names the positive label; without it, it is the last of the two
    in sorted order ("no" < "yes", "<=50K" < ">50K", 0 < 1), as in scikit-learn.
    """
    read_all = partial(read, missing_values=missing_values, separator=separator, encoding=encoding)
    table = read_all(path)
    check_columns([target], table.columns, key="data.target")
    tables = [table]
    if test_path is not None:
        tables.append(read_all(test_path))
        check_columns([target], tables[1].columns, key=f"data.target (in {test_path})")
        test_fraction = 0.0
    removed = [*drop, *([time_column] if time_column else [])]
    for each in tables:
        _refuse_nested(each, removed)
    numbers, texts = roles(table, target=target, drop=removed, numeric=numeric, categorical=categorical)
    values, positive_label = binarize(*(each[target] for each in tables), name=target, positive=positive)
    known = values[: len(table)]
    if time_column is None:
        parts = by_ratio(known, val_fraction=val_fraction, test_fraction=test_fraction, seed=data_seed)
    else:
        check_columns([time_column], table.columns, key="data.time_column")
        parts = by_time(_times(table[time_column]), val_fraction=val_fraction, test_fraction=test_fraction)
    train, val, test = (table.iloc[part] for part in parts)
    splits = [train, val, tables[1] if test_path is not None else test]
    return parts_of(splits, numeric=numbers, categorical=texts, target=target, positive=positive_label)


def binarize(
    *columns: "pd.Series[Any]", name: str, positive: str | int | float | bool | None = None
) -> tuple[Array, str]:
    """Turn a two-class target into 0/1 (float32, the columns joined) and the name of the positive class.

    Raises DataError for missing values, one class, more than two, or a `positive` that does not occur.
    """
    raw = [value for column in columns for value in column.tolist()]
    labels = [label(value) for value in raw]
    missing = sum(each is None for each in labels)
    if missing:
        raise DataError(f"target {name!r} is missing in {missing} of {len(labels)} rows; fill or remove them")
    # Numbers sort as numbers, so that 10 comes after 9; a column of mixed types sorts as text.
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
    return np.array([text == chosen for text in labels], np.float32), str(chosen)


def roles(
    table: "pd.DataFrame",
    *,
    target: str,
    drop: Sequence[str] = (),
    numeric: Sequence[str] | None = None,
    categorical: Sequence[str] | None = None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Say which columns are numeric and which categorical; what is given is taken, the rest inferred.

    A column that is neither given nor dropped takes its role from its type; text that holds ISO dates or
    times alone counts as times. Raises DataError for a name that is no column, or is given twice.
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
    """Put three tables together as splits, their targets as 0/1."""
    train, val, test = tables
    for name in (*numeric, *categorical):
        check_columns([name], test.columns, key="the test file")
    targets = [
        np.array([label(value) == positive for value in each[target].tolist()], np.float32) for each in tables
    ]
    return Splits(
        (train, val, test),
        (targets[0], targets[1], targets[2]),
        tuple(numeric),
        tuple(categorical),
        target,
        positive,
    )


def check_columns(names: Iterable[str], columns: Iterable[str], *, key: str) -> None:
    """Raise DataError for a name that is no column: the key, the name, a near match, the columns there are."""
    there = [str(each) for each in columns]
    for name in names:
        if name not in there:
            raise DataError(f"{key}: there is {no_column(name, there)}")


def _refuse_nested(table: "pd.DataFrame", unused: Sequence[str]) -> None:
    """Raise DataError for a column whose values are lists or mappings, as Parquet can hold them."""
    for name in table.columns:
        if name not in unused and table[name].dtype == object:
            for value in table[name]:
                if isinstance(value, list | tuple | dict | np.ndarray):
                    raise DataError(
                        f"column {name!r} holds {'mappings' if isinstance(value, dict) else 'lists'}, and a feature "
                        "is one value per row; name it in data.drop, or spread it over columns of its own"
                    )


def _times(column: "pd.Series[Any]") -> Array:
    """Read a time column as something that sorts: numbers, times, or text that holds times in ISO 8601."""
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
