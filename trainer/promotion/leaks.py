"""How many of the deciding rows a model was trained on: rows of a file whose values are those of a training row."""

import logging
from collections.abc import Iterator

import numpy as np

from trainer.data.encode import Array, Table, numbers
from trainer.data.encoding.categories import distinct
from trainer.data.encoding.hashing import by_label, text_hashes
from trainer.data.encoding.ranks import clipped
from trainer.data.reading.columns import Long
from trainer.errors import TrainerError
from trainer.promotion.deciding_rows import DecidingRows
from trainer.saved_model import Predictor

logger = logging.getLogger(__name__)

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no bit of a hash is lost


def trained_on(predictor: Predictor, rows: DecidingRows) -> dict[str, float] | None:
    """Return which share of the rows equals a training row, and which share is `expected` to by chance.

    Two rows are equal if all that the model reads of them is, and their targets. Expected is the share of the training rows
    that have an equal among the other training rows: other rows of the same source have one about as often. Return None, with a
    warning, where the training rows cannot be read again.
    """
    try:
        splits, _, targets = predictor.read_again()
    except TrainerError as error:
        logger.warning("whether rows of %s are among the training rows is not known: %s", rows.name, error)
        return None
    trained = _hashes(predictor, splits.tables[0], targets[0])
    _, place, counts = np.unique(trained, return_inverse=True, return_counts=True)
    found = np.isin(_hashes(predictor, rows.table, rows.target), trained)
    return {
        "share": float(found.mean()),
        "expected": float((counts[place] > 1).mean()),
        "rows": float(len(found)),
    }


def _hashes(predictor: Predictor, table: Table, target: Array) -> Array:
    """Return a hash for each row, of the columns that the model reads and of the target."""
    names = [each.name for each in predictor.encoder.numeric]
    total = _of_numbers(np.asarray(target, np.float64))
    for name in predictor.encoder.names:
        total = total * _MULTIPLIER + (_numeric if name in names else _categorical)(table, name)
    return total


def _numeric(table: Table, name: str) -> Array:
    values = table[name]
    if not isinstance(values, Long):
        return _of_numbers(numbers(table, name))
    return np.concatenate([np.empty(0, np.uint64), *(_of_numbers(clipped(each)) for each in values.blocks())])


def _categorical(table: Table, name: str) -> Array:
    values = table[name]
    if isinstance(values, Long):
        known = by_label(values, text_hashes, np.uint64, missing=text_hashes([None])[0])
        return np.concatenate([np.empty(0, np.uint64), *_taken(known, values)])
    codes, labels = distinct(np.asarray(values))
    return text_hashes(labels)[codes]


def _taken(known: Array, values: Long) -> Iterator[Array]:
    yield from (known[each] for each in values.blocks())  # -1 is the last


def _of_numbers(values: Array) -> Array:
    from pandas import Series
    from pandas.util import hash_pandas_object

    return np.asarray(hash_pandas_object(Series(values), index=False).to_numpy())
