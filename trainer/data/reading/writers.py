"""Write the values of one column to files, a batch at a time, and find on the way what is to be known of all of them.

Memory grows with the batch alone: labels that were seen are known by their hashes, in files without a name once they are many.
"""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from trainer.data.reading import cache
from trainer.data.reading.columns import BLOCK, NONE, Array, Facts, Long
from trainer.data.reading.kinds import Coded, Kind, Values

_IN_MEMORY = 1 << 20  # hashes kept in memory


class Seen:
    """What is known of all numbers of a column, seen a block at a time."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self._whole = self._rises = self._falls = True
        self._last = np.empty(0)
        self._present = 0

    def see(self, values: Array) -> None:
        """Take in more numbers, NaN for missing."""
        self._hash.update(np.ascontiguousarray(values, np.float64).tobytes())
        self._present += int(np.count_nonzero(~np.isnan(values)))
        self._whole = self._whole and bool((values == np.rint(values)).all())
        if self._rises or self._falls:
            steps = np.diff(values, prepend=self._last)
            self._rises = self._rises and bool((steps > 0).all())
            self._falls = self._falls and bool((steps < 0).all())
            self._last = values[-1:]

    def facts(self, values: Long, *, infinite: int) -> Facts:
        """Return what is known; `values` are those that were seen."""
        distinct, ordered = _distinct(values, self._present), self._rises or self._falls
        return Facts(self._present, distinct, self._whole, ordered, self._hash.hexdigest(), infinite)


class Numbers:
    """Numbers or times: float64, NaN for missing."""

    def __init__(self, place: Path, kind: Kind) -> None:
        self._place, self._kind = place, kind
        self._file: IO[bytes] = place.open("wb")
        self._seen, self._infinite = Seen(), 0

    def add(self, raw: Any, missing: tuple[str, ...]) -> int | None:
        """Write a batch; return the first row of it that is not of the column's kind."""
        read: Values = self._kind.read(raw, missing)
        if read.bad.any():
            return int(np.argmax(read.bad))
        values = np.ascontiguousarray(read.values, np.float64)
        self._file.write(values.tobytes())
        self._infinite += read.infinite
        self._seen.see(values)
        return None

    def close(self) -> None:
        """Close the files of a column that is not wanted any more."""
        self._file.close()

    def finish(self) -> Facts:
        """Close the file, and return what is known of all values."""
        _sync(self._file)
        values = Long(cache.mapped(self._place, np.float64), Facts(0, 0, False, False, ""))
        return self._seen.facts(values, infinite=self._infinite)


class Labels:
    """Text: an int32 code per row, -1 for missing, in the order in which the labels appear; beside them the labels."""

    def __init__(self, place: Path, kind: Any) -> None:
        self._kind = kind
        self._file: IO[bytes] = place.open("wb")
        self._texts: IO[bytes] = place.with_suffix(".text").open("wb")
        self._ends: IO[bytes] = place.with_suffix(".ends").open("wb")
        self._ends.write(np.zeros(1, np.int64).tobytes())
        self._length = self._present = self._count = 0
        self._known = Known()
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, raw: Any, missing: tuple[str, ...]) -> int | None:
        """Write a batch; return the first row of it that is not of the column's kind."""
        import pandas as pd

        coded: Coded = self._kind.coded(raw, missing)
        if coded.bad.any() and (bad := coded.bad[coded.codes]).any():
            return int(np.argmax(bad))
        places, texts = pd.factorize(np.array(coded.labels, object))
        used = np.zeros(len(texts) + 1, bool)
        codes = places[coded.codes]
        used[codes] = True
        table = np.full(len(texts) + 1, NONE, np.int32)  # the last is for missing
        table[:-1][used[:-1]] = self._codes(texts[used[:-1]])
        written = table[codes].tobytes()
        self._file.write(written)
        self._hash.update(written)
        self._present += int(np.count_nonzero(codes >= 0))
        return None

    def _codes(self, texts: Array) -> Array:
        """Return the codes of distinct texts, of which some may be new."""
        from pandas.util import hash_array

        hashes = hash_array(texts, categorize=False)
        codes = self._known.find(hashes)
        new = codes < 0
        if new.any():
            codes[new] = np.arange(self._count, self._count + int(new.sum()))
            self._count += int(new.sum())
            self._known.add(hashes[new], codes[new])
            encoded = [each.encode() for each in texts[new]]
            ends = self._length + np.cumsum([len(each) for each in encoded])
            self._length = int(ends[-1])
            self._ends.write(ends.astype(np.int64).tobytes())
            self._texts.write(b"".join(encoded))
            self._hash.update(b"\0".join(encoded))
        return codes

    def close(self) -> None:
        """Close the files of a column that is not wanted any more."""
        for file in (self._file, self._texts, self._ends):
            file.close()

    def finish(self) -> Facts:
        """Close the files, and return what is known of all values."""
        for file in (self._file, self._texts, self._ends):
            _sync(file)
        return Facts(self._present, self._count, False, False, self._hash.hexdigest())


class Known:
    """Hashes with a code each, as sorted runs of growing length. Two labels of 10^7 share a hash once in 10^5 tables."""

    def __init__(self) -> None:
        self._runs: list[tuple[Array, Array]] = []

    def find(self, hashes: Array) -> Array:
        """Return the code of each hash, -1 for one that is not known."""
        codes = np.full(len(hashes), -1, np.int32)
        for keys, values in self._runs:
            places = np.searchsorted(keys, hashes).clip(0, len(keys) - 1)
            hit = keys[places] == hashes
            codes[hit] = values[places[hit]]
        return codes

    def add(self, hashes: Array, codes: Array) -> None:
        """Take in hashes that are not known."""
        order = np.argsort(hashes)
        self._runs.append((hashes[order], codes[order]))
        while len(self._runs) > 1 and len(self._runs[-2][0]) <= 2 * len(self._runs[-1][0]):
            (keys, values), (others, theirs) = self._runs.pop(), self._runs.pop()
            keys, values = np.concatenate([others, keys]), np.concatenate([theirs, values])
            order = np.argsort(keys, kind="stable")
            self._runs.append((_kept(keys, order), _kept(values, order)))


def opened(folder: Path, name: str, facts: Facts, *, is_text: bool) -> Long:
    """Return a column that was written."""
    import pyarrow as pa

    if not is_text:
        return Long(cache.mapped(folder / name, np.float64), facts)
    ends = cache.mapped((folder / name).with_suffix(".ends"), np.int64)
    texts = cache.mapped((folder / name).with_suffix(".text"), np.uint8)
    labels = pa.LargeStringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(texts))
    return Long(cache.mapped(folder / name, np.int32), facts, labels)


def with_own_facts(values: Long) -> Long:
    """Return some rows of a column with what is known of them, found a block at a time."""
    if values.labels is None:
        seen = Seen()
        for block in values.blocks():
            seen.see(block)
        return replace(values, facts=seen.facts(values, infinite=values.facts.infinite), own=True)
    import pandas as pd

    digest = hashlib.blake2b(digest_size=16)
    places = np.full(
        len(values.labels) + 1, NONE, np.int32
    )  # of labels as they appear; the last is for missing
    present = count = 0
    for block in values.blocks():
        found = pd.unique(block[block != NONE])
        new = found[places[found] == NONE]
        places[new] = np.arange(count, count + len(new))
        count += len(new)
        present += int(np.count_nonzero(block != NONE))
        digest.update(places[block].tobytes())
        digest.update(b"\0".join(each.encode() for each in values.valued(new)))
    return replace(values, facts=Facts(present, count, False, False, digest.hexdigest()), own=True)


def sorted_in_file(values: Long, present: int) -> Array:
    """Return the present numbers of a column in order, in a file without a name."""
    found = gathered_in_file(values, present)
    found.sort()
    return found


def gathered_in_file(values: Long, present: int) -> Array:
    """Return the present numbers of a column, in a file without a name."""
    found, count = cache.scratch(present, np.float64), 0
    for block in values.blocks():
        block = block[~np.isnan(block)]
        found[count : count + len(block)] = block
        count += len(block)
    return found


def _distinct(values: Long, present: int) -> int:
    """Return how many present numbers differ."""
    found = sorted_in_file(values, present)
    starts = range(0, max(present - 1, 0), BLOCK)
    changes = (np.count_nonzero(np.diff(found[start : start + BLOCK + 1])) for start in starts)
    return sum(map(int, changes)) + (present > 0)


def _kept(values: Array, order: Array) -> Array:
    if len(order) < _IN_MEMORY:
        return values[order]
    kept = cache.scratch(len(order), values.dtype)
    np.take(values, order, out=kept)
    return kept


def _sync(file: IO[bytes]) -> None:
    import os

    file.flush()
    os.fdatasync(file.fileno())  # pages that wait to be written would count as the memory of who maps them
    file.close()
