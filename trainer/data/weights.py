"""Weights of rows: read from a column, checked, and scaled for training.

A weight is what a row counts for: a row of weight 2 is as two rows of weight 1, and one of weight 0 as none.
"""

import numpy as np

from trainer.data.encode import Array
from trainer.data.reading.kinds import Number
from trainer.data.reading.reader import Table
from trainer.errors import DataError, some_rows


def weights_of(table: Table, name: str) -> Array:
    """Return the weights of a table's rows; raise DataError, with the rows, for what is no weight."""
    values, key = np.asarray(table[name]), f"data.weight_column={name!r}"
    if not isinstance(table.kinds[name], Number):
        odd = next((each for each in values if each is not None), None)
        raise DataError(f"{key} holds {odd!r}; allowed are numbers, 0 or more")
    for fault, rows in (("is missing or infinite", np.isnan(values)), ("is negative", values < 0)):
        if rows.any():
            raise DataError(f"{key} {fault} in {some_rows(rows)}; allowed are numbers, 0 or more")
    require_some(values, key)
    return np.asarray(values, np.float64)


def require_some(weights: Array, what: str) -> None:
    """Raise DataError for weights that are all 0."""
    if len(weights) and not weights.any():
        raise DataError(f"{what} is 0 in all {len(weights)} rows; a model needs rows that count")


def scaled(weights: Array) -> Array:
    """Return weights whose mean is 1, so that the learning rate means the same as without them."""
    return np.asarray(weights / weights.mean(), np.float32)
