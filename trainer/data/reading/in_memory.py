"""Tables in memory as columns of Arrow: of pandas, of Arrow, of other libraries, dicts and records of Python."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trainer.errors import DataError


def columns(given: Any) -> dict[str, Any]:
    """Return a table in memory as columns of Arrow."""
    if hasattr(given, "to_batches") and hasattr(given, "schema"):  # of Arrow
        return {
            str(each.name): of_periods(values, each)
            for each, values in zip(given.schema, given.columns, strict=True)
        }
    if hasattr(given, "to_frame") and hasattr(given, "index"):  # a row or a column of pandas
        is_row = any(isinstance(label, str) for label in given.index)
        return _dict(given.to_dict()) if is_row else columns(given.to_frame())
    if hasattr(given, "iloc"):  # of pandas
        found = {str(name): given.iloc[:, index] for index, name in enumerate(given.columns)}
        for level, label in enumerate(given.index.names):
            values = given.index.get_level_values(level)
            counts = (
                getattr(values, "start", None) == 0 and getattr(values, "step", None) == 1
            )  # says nothing
            if label is not None or not counts:
                found.setdefault(str(label or ""), values.to_series())
        return {name: array(values, name) for name, values in found.items()}
    if hasattr(given, "__arrow_c_stream__"):  # of another library
        import pyarrow as pa

        return columns(pa.table(given))
    if isinstance(given, Mapping):
        return _dict(given)
    if isinstance(given, Sequence) and given and all(isinstance(each, Mapping) for each in given):
        names = dict.fromkeys(str(name) for record in given for name in record)
        records = [{str(name): value for name, value in record.items()} for record in given]
        return {name: array([record.get(name) for record in records], name) for name in names}
    raise DataError(
        f"a table is needed, not {given!r:.80}: a path, a DataFrame, a Series of one row, a dict of values or of lists, a "
        "list of dicts, or an Arrow table"
    )


def _dict(given: Mapping[Any, Any]) -> dict[str, Any]:
    """Return columns of lists; values that stand alone are a table of one row."""
    alone = {
        str(name): value is None or np.ndim(value) == 0 if not hasattr(value, "type") else False
        for name, value in given.items()
    }
    if alone and all(alone.values()):
        return {str(name): array([value], str(name)) for name, value in given.items()}
    odd = [name for name, is_alone in alone.items() if is_alone]
    if odd:
        raise DataError(
            f"column {odd[0]!r} is {given[odd[0]]!r}, and others are lists; give all as lists, or all as values"
        )
    return {str(name): array(values, str(name)) for name, values in given.items()}


def array(values: Any, name: str) -> Any:
    """Return values of Python, numpy or pandas as an Arrow array; a mixture becomes text."""
    import pyarrow as pa

    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if getattr(values, "ndim", 1) != 1:
        raise DataError(f"column {name!r} is {values!r:.80}; a column of values is needed")
    if type(getattr(values, "dtype", None)).__name__ == "PeriodDtype":
        return _texts(values.astype("string"))
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        array = pa.array([_spelled(each) for each in values], pa.string())
    return array


def of_periods(values: Any, field: Any) -> Any:
    """Return a column of Arrow that holds periods of pandas, such as the months of years, as text; any other as it is."""
    about = field.metadata or {}
    freq = getattr(field.type, "freq", None)
    if freq is None and about.get(b"ARROW:extension:name") == b"pandas.period":
        freq = json.loads(about[b"ARROW:extension:metadata"])["freq"]
    if not isinstance(freq, str):
        return values
    import pandas as pd

    whole = getattr(values, "storage", values) if not hasattr(values, "combine_chunks") else values
    ordinals = whole.cast("int64").to_pandas()
    present = ordinals.notna().to_numpy()
    texts = pd.Series(pd.NA, range(len(ordinals)), "string")
    known = ordinals.to_numpy()[present].astype(np.int64)
    texts[present] = (
        pd.Series(pd.arrays.PeriodArray(known, dtype=pd.PeriodDtype(freq))).astype(str).to_numpy()
    )
    return _texts(texts)


def _texts(periods: Any) -> Any:
    """Return texts of periods as an Arrow array; a week is written as its first and its last day."""
    import pyarrow as pa

    return pa.array(periods.str.split("/").str[0], pa.string(), from_pandas=True)


def _spelled(value: Any) -> str | None:
    if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
        return None
    if isinstance(value, float | np.floating):
        return repr(float(value))
    if type(value).__name__ == "Period":
        return str(value).partition("/")[0]
    return str(value)
