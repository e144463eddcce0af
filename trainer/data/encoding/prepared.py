"""Encoded data sets in the cache: read and encoded once, then mapped by every job that asks for the same.

An entry holds the rows of the three splits in one file, and the rest as JSON. What determines it is the data section, the
state of its files, and the code that reads and encodes. Only data of our own loaders are kept, because those of others may
depend on anything. Without a cache that can be written, or above a size, all is as without this module. Loads no torch before a
data set is asked for.
"""

import contextlib
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trainer.data.encode import Array, Encoder
from trainer.data.encoding.in_file import encodes_in_file
from trainer.data.profile import Profile
from trainer.data.reading import cache
from trainer.data.reading.reader import Reader
from trainer.data.target import Target
from trainer.data.tensors import Dataset, Split, Splits, fingerprint, fitted
from trainer.data.weights import scaled

VERSION = 1  # of an entry
LARGEST = 256 << 20  # bytes of encoded rows; what takes long to write and read is better encoded again
LOADERS: Mapping[
    str, tuple[str, ...]
] = {  # those whose data follow from their arguments: the keys of their files
    "trainer.data.table.load": ("path", "test_path"),
    "trainer.data.adult.load": ("path",),
    "trainer.data.ctr.load": (),
    "trainer.data.breast_cancer.load": (),
}
SETTLED_S = 2.0  # a file that changed later may change again without another size or time
SPLITS = ("train", "val", "test")
_MOST_FILES = 1000
_ALIGNED = 64
_ROWS = "rows.bin"
_FIELDS = ("numeric", "categorical", "target", "weight")

Told = list[tuple[str, int, str]]  # warnings: logger, level, text
Arrays = dict[str, Array]  # by split and field, as in "train.numeric"


def _code() -> list[Any]:
    """Return what tells versions of the code apart: ours by its files, that of others by when any was installed."""
    own = [path.stat() for path in sorted(Path(__file__).parents[2].rglob("*.py"))]
    packages = Path(np.__file__).parents[1].stat().st_mtime_ns
    return [
        VERSION,
        sys.version,
        np.__version__,
        packages,
        *((each.st_size, each.st_mtime_ns) for each in own),
    ]


_CODE = _code()  # at import, because files that are edited later are not the code that runs


class Facts(NamedTuple):
    """What is known of a data set without its rows."""

    encoder: Encoder
    labels: Target
    reference: dict[str, float]
    fingerprint: str
    reader: Reader | None
    profile: Profile | None
    promotion_rows: int = 0


def key_of(section: Mapping[str, Any], task: str | None) -> dict[str, Any] | None:
    """Return what determines an encoded data set, as plain values; None for one that is not kept."""
    files = LOADERS.get(str(section.get("_target_")))
    if files is None or section.get("cache") == "never":
        return None
    try:
        states = [_state(Path(section[key])) for key in files if section.get(key)]
    except (OSError, ValueError, TypeError):  # the loader says what is wrong
        return None
    kept = {key: value for key, value in section.items() if key != "dataset"}
    return {"section": kept, "task": task, "files": states, "code": _CODE}


def facts(key: Mapping[str, Any] | None) -> Facts | None:
    """Return what is known of a data set that the cache holds."""
    known = None if key is None else cache.found(key)
    return None if known is None else _facts(known[1])


def find(key: Mapping[str, Any] | None) -> tuple[Dataset, Told] | None:
    """Return a data set that the cache holds, and what was logged when it was made.

    Its rows are mapped: a change of them stays in this process.
    """
    known = None if key is None else cache.found(key)
    if known is None:
        return None
    place, content = known
    try:
        arrays = _mapped(place / _ROWS, content["rows"])
    except (OSError, ValueError):  # it is damaged, or has just been removed
        shutil.rmtree(place, ignore_errors=True)
        return None
    found = _facts(content)
    train, val, test = (_split(arrays, name) for name in SPLITS)
    data = Dataset(
        train,
        val,
        test,
        found.encoder,
        found.reference,
        found.fingerprint,
        found.labels,
        found.reader,
        found.profile,
        found.promotion_rows,
    )
    return data, [(name, level, text) for name, level, text in content["told"]]


def offer(key: Mapping[str, Any] | None, arrays: Arrays, known: Facts, told: Told) -> None:
    """Keep a data set, unless its files have changed since, may still change, or its rows are too many."""
    size = sum(each.nbytes + _ALIGNED for each in arrays.values())
    if key is None or size > LARGEST or not _is_settled(key):
        return

    def make(folder: Path) -> dict[str, Any]:
        return {
            "rows": _written(folder / _ROWS, arrays),
            "encoder": known.encoder.to_json(),
            "labels": known.labels.to_json(),
            "reference": known.reference,
            "fingerprint": known.fingerprint,
            "reader": known.reader and [known.reader.to_json(), known.reader.notes, known.reader.skipped],
            "profile": known.profile and known.profile.to_json(),
            "promotion_rows": known.promotion_rows,
            "told": told,
        }

    cache.offer(key, make, needed=size)


def offer_dataset(key: Mapping[str, Any] | None, data: Dataset, told: Told) -> None:
    """Keep a data set; see `offer`. One whose features are in files is there already."""
    splits = dict(zip(SPLITS, (data.train, data.val, data.test), strict=True))
    if key is None or any(each.mapped for each in splits.values()):
        return
    tensors = {
        f"{name}.{field}": getattr(split, field) for name, split in splits.items() for field in _FIELDS
    }
    arrays = {name: each.numpy() for name, each in tensors.items() if each is not None}
    known = Facts(
        data.encoder,
        data.labels,
        data.reference,
        data.fingerprint,
        data.reader,
        data.profile,
        data.promotion_rows,
    )
    offer(key, arrays, known, told)


def prepare(
    key: Mapping[str, Any] | None, splits: Splits, how: Mapping[str, Any], *, task: str | None
) -> None:
    """Encode splits and keep them, without torch and without a message; raise as `encode` does."""
    if key is None or not _is_settled(key):
        return
    with hearing(silent=True) as told:
        encoder, labels, targets = fitted(splits, **how, task=task)
        if encodes_in_file(encoder, splits.tables[0]):
            return
        arrays: Arrays = {}
        weights = splits.weights or (None, None, None)
        # Promotion rows, if there are any, come last. No job has a use for them.
        for name, table, target, weight in zip(SPLITS, splits.tables, targets, weights, strict=False):
            rows = (*encoder.arrays(table), labels.standardised(target))
            arrays |= {f"{name}.{field}": each for field, each in zip(_FIELDS, rows, strict=False)}
            if weight is not None:
                arrays[f"{name}.weight"] = scaled(weight)
    told_apart = fingerprint(splits, targets)
    kept = len(targets[3]) if splits.keeps_some else 0
    known = Facts(encoder, labels, dict(splits.reference), told_apart, splits.reader, splits.profile, kept)
    offer(key, arrays, known, told)


def remembered(key: Mapping[str, Any] | None, find_out: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return plain values that follow from a key, as `key_of` makes it: those that are kept, or what `find_out` returns."""
    if key is None:
        return find_out()
    known = cache.found(key)
    if known is not None:
        return known[1]
    values = find_out()
    if _is_settled(key):
        cache.offer(key, lambda _folder: values, needed=0)
    return values


def remembered_arrays(key: Mapping[str, Any], find_out: Callable[[], Arrays]) -> Arrays:
    """Return arrays that follow from a key of plain values and from our code: those that are kept, or what `find_out` returns."""
    whole = {**key, "code": _CODE}
    known = cache.found(whole)
    if known is not None:
        with contextlib.suppress(OSError, ValueError):  # it has just been removed, or is damaged
            return _mapped(known[0] / _ROWS, known[1]["rows"])
        shutil.rmtree(known[0], ignore_errors=True)
    arrays = find_out()
    size = sum(each.nbytes for each in arrays.values())
    cache.offer(whole, lambda folder: {"rows": _written(folder / _ROWS, arrays)}, needed=size)
    return arrays


def tell(told: Told) -> None:
    """Log warnings again."""
    for name, level, text in told:
        logging.getLogger(name).log(level, "%s", text)


@contextlib.contextmanager
def hearing(*, silent: bool = False) -> Iterator[Told]:
    """Collect the warnings that reading and encoding log inside the block; with `silent`, nothing of it is shown."""
    logger = logging.getLogger("trainer.data")
    handler, before = _Hearing(), logger.propagate
    logger.addHandler(handler)
    logger.propagate = before and not silent
    try:
        yield handler.told
    finally:
        logger.propagate = before
        logger.removeHandler(handler)


class _Hearing(logging.Handler):
    """Keeps warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: Told = []
        self._thread = threading.get_ident()  # another may read other data

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one warning."""
        if record.thread == self._thread:
            self.told.append((record.name, record.levelno, record.getMessage()))


def _state(path: Path) -> list[Any]:
    """Return the state of a file, or of the files in a folder; raise OSError for what is neither, ValueError for too many."""
    paths = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    if len(paths) > _MOST_FILES:
        raise ValueError
    states = [each.stat() for each in paths]
    told = [[each.st_dev, each.st_ino, each.st_size, each.st_mtime_ns, each.st_ctime_ns] for each in states]
    return [str(path.absolute()), [str(each) for each in paths], told]


def _is_settled(key: Mapping[str, Any]) -> bool:
    try:
        now = [_state(Path(path)) for path, _, _ in key["files"]]
    except (OSError, ValueError):
        return False
    newest = max((max(told[3:]) for _, _, files in now for told in files), default=0)
    return [each[1:] for each in now] == [each[1:] for each in key["files"]] and (
        newest < time.time_ns() - SETTLED_S * 1e9
    )


def _facts(content: Mapping[str, Any]) -> Facts:
    reader, profile = content["reader"], content["profile"]
    return Facts(
        Encoder.from_json(content["encoder"]),
        Target.from_json(content["labels"]),
        content["reference"],
        content["fingerprint"],
        reader and Reader.from_json(reader[0], notes=reader[1], skipped=reader[2]),
        profile and Profile.from_json(profile),
        content["promotion_rows"],
    )


def _split(arrays: Arrays, name: str) -> Split:
    import torch

    numeric, categorical, target, weight = (
        None if (array := arrays.get(f"{name}.{field}")) is None else torch.from_numpy(array)
        for field in _FIELDS
    )
    assert numeric is not None and categorical is not None and target is not None  # noqa: S101, PT018 - as `offer` wrote them
    return Split(numeric, categorical, target, weight)


def _written(file: Path, arrays: Arrays) -> dict[str, Any]:
    """Write arrays one after the other; return where each is."""
    places: dict[str, Any] = {}
    with file.open("wb") as stream:
        for name, array in arrays.items():
            stream.seek(-(-stream.tell() // _ALIGNED) * _ALIGNED)
            places[name] = [stream.tell(), array.dtype.str, array.shape]
            stream.write(np.ascontiguousarray(array).data)
        stream.truncate(max(stream.tell(), _ALIGNED))
        stream.flush()
        os.fsync(stream.fileno())
    return places


def _mapped(file: Path, places: Mapping[str, Any]) -> Arrays:
    """Return the arrays of a file; what is written to them stays in this process."""
    whole = np.asarray(np.memmap(file, np.uint8, "c"))
    found = {}
    for name, (start, dtype, shape) in places.items():
        end = start + int(np.prod(shape)) * np.dtype(dtype).itemsize
        found[name] = whole[start:end].view(dtype).reshape(shape)
    return found
