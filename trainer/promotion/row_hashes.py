"""Hashes of the deciding rows by their values: the same whatever the order of the rows, and whichever of them a model uses.

Numbers count with six significant digits, whole ones with all, and none finer than a millionth: noise below makes no row a new one.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from trainer.data.encode import Array, Table
from trainer.data.encoding.categories import distinct
from trainer.data.encoding.hashing import as_number, by_label, text_hashes
from trainer.data.reading.columns import Long

DIGITS, MOST_DIGITS = 6, 15
FINEST, LARGE = -6, 1e-3  # the finest power of ten in a column that has a number of LARGE or more
LEAST = 1e-290  # numbers below are 0: their power of ten is beyond a float
_MISSING = np.uint64(0x5851F42D4C957F2D)


def hashes_of_rows(table: Table, target: Array, *, but: frozenset[str]) -> Array:
    """Return a hash of each row, uint64: of its target, and its values in all columns but those named `but`."""
    total = _mixed(_of_numbers(np.asarray(target, np.float64)))
    for name in _names(table):
        if name not in but:
            # a sum, so that the order of the columns says nothing; the name, so that two columns are not exchanged
            total = total + _mixed(_of_column(table[name]) ^ text_hashes([name])[0])
    return _mixed(total)


def identity(hashes: Array, weight: Array | None) -> str:
    """Return the identity of a set of rows with their weights, whatever their order."""
    digest = hashlib.sha256(f"rows by value {weight is not None}".encode())
    weights = np.ones(len(hashes)) if weight is None else weight
    hashes, weights = hashes[weights > 0], weights[weights > 0]  # a row of weight 0 decides nothing
    digest.update(np.sort(_mixed(hashes ^ _of_numbers(np.asarray(weights, np.float64)))).tobytes())
    return digest.hexdigest()


def _rounded(values: Array) -> tuple[Array, Array]:
    """Return numbers as whole multiples of powers of ten, and these powers: six significant digits, at least all before the point.

    None is finer than a millionth in a column that has a number of LARGE or more, so that 0 with tiny noise is 0.
    """
    size = np.where(np.abs(values) < LEAST, 0.0, np.abs(values))
    place = np.floor(np.log10(np.where(size == 0, 1.0, size))).astype(np.int64)
    power = np.where((place >= DIGITS) & (place <= MOST_DIGITS), 0, place - (DIGITS - 1))
    if np.max(size, initial=0.0) >= LARGE:
        power = np.maximum(power, FINEST)
    whole = np.rint(size * 10.0 ** np.maximum(-power, 0) / 10.0 ** np.maximum(power, 0)).astype(np.int64)
    is_next = (whole == 10**DIGITS) & (power < 0)  # as 9.9999999, which is 10
    signed = np.copysign(np.where(is_next, whole // 10, whole), values).astype(np.int64)
    return signed, np.where(whole == 0, 0, power + is_next)


def _names(table: Any) -> Iterator[str]:
    yield from map(str, table)


def _of_column(values: Array) -> Array:
    if isinstance(values, Long):
        if values.labels is None:
            return _of_numbers(np.asarray(values))
        known = by_label(values, _of_labels, np.uint64, missing=_MISSING)
        return np.concatenate([np.empty(0, np.uint64), *(known[each] for each in values.blocks())])
    array = np.asarray(values)
    if array.dtype.kind in "mM":
        array = array.astype(np.int64) / 1e6
    if array.dtype.kind in "biuf":
        return _of_numbers(array.astype(np.float64))
    codes, labels = distinct(array)
    return np.asarray(_of_labels(labels)[codes])


def _of_labels(labels: list[str | None]) -> Array:
    """Return the hashes of texts; one that is a number has the hash of the number, whichever way a model reads it."""
    found = np.where(np.array([each is None for each in labels], bool), _MISSING, text_hashes(labels))
    numbers = [None if each is None else as_number(each) for each in labels]
    places = [place for place, each in enumerate(numbers) if each is not None]
    if places:
        found[places] = _of_numbers(np.array([numbers[place] for place in places], np.float64))
    return found


def _of_numbers(values: Array) -> Array:
    is_known = np.isfinite(values)
    whole, power = _rounded(np.where(is_known, values, 0.0))
    bits = _mixed(whole.view(np.uint64)) + power.astype(np.int64).view(np.uint64)
    return np.where(is_known, _mixed(bits), _MISSING)


def _mixed(bits: Array) -> Array:
    """Spread bits evenly, as SplitMix64 does: of the smallest hashes a sketch is made."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))
