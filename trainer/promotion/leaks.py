"""Rows with the same values: those of the deciding rows that a model was trained on, and those that occur among them twice."""

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


_SEED = 0  # of the rows that are drawn to compare as many of both

Facts = dict[str, float]


def equal_rows(predictor: Predictor, rows: DecidingRows, *, is_file: bool) -> tuple[Facts, Facts | None]:
    """Return how many of the deciding rows are the same as another of them, and which share equals a training row.

    Rows of weight 0 are not among them. Two rows are equal if all that the model reads of them is, and their targets.

    The first are the number of `rows` that have an equal, the `share` of them, and the share of the training rows that is
    `expected`, both among `of` rows, as many of each. The second are the `share` of all `rows` that equals a training row, and
    the share that is `expected` to by chance: the share of the training rows that have an equal among the other training
    rows, since other rows of the same source have one about as often. Where the training rows cannot be read again,
    a warning says it. Then, and for rows that are of no file and so no training rows, the first is the number alone, and the
    second is None.
    """
    own = _hashes(predictor, rows.table, rows.target)
    own = own if rows.weight is None else own[rows.weight > 0]  # the others decide nothing
    repeated: Facts = {"rows": float(_repeated(own).sum())}
    if not is_file:
        return repeated, None
    try:
        splits, _, targets = predictor.read_again()
    except TrainerError as error:
        logger.warning("whether rows of %s are among the training rows is not known: %s", rows.name, error)
        return repeated, None
    trained = _hashes(predictor, splits.tables[0], targets[0])
    many = min(len(own), len(trained))
    repeated |= {
        "share": float(_repeated(_drawn(own, many)).mean()),
        "expected": float(_repeated(_drawn(trained, many)).mean()),
        "of": float(many),
    }
    return repeated, {
        "share": float(np.isin(own, trained).mean()),
        "expected": float(_repeated(trained).mean()),
        "rows": float(len(own)),
    }


def _repeated(hashes: Array) -> Array:
    """Return which hashes occur more than once."""
    _, place, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    return counts[place] > 1


def _drawn(hashes: Array, many: int) -> Array:
    """Return so many of the hashes: more rows have more duplicates."""
    if many == len(hashes):
        return hashes
    return np.random.default_rng(_SEED).choice(hashes, many, replace=False)


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
