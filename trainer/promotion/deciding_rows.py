"""The rows that decide a promotion: those that the loader keeps, the test rows where it keeps none, or those of a file.

They have an identity, so that two versions are known to be scored on the same rows, and a look at rows that decided before is
counted. That of kept rows depends on which rows of which file they are, and on their targets and weights; that of a file on
the values of its rows, in any order. Which columns a model uses and how it encodes them changes nothing.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from trainer.data.check import ADULT_FILES
from trainer.data.encode import Array, Table
from trainer.data.reading import header, mapped
from trainer.data.target import Target, TaskKind, counts
from trainer.data.tensors import Splits, row_hashes
from trainer.data.unlabelled import with_target
from trainer.data.weights import weights_of
from trainer.errors import DataError, LoadError, TrainerError, some_rows
from trainer.promotion.labelled_files import read_adopted
from trainer.promotion.raw_columns import FurtherColumns
from trainer.promotion.row_hashes import hashes_of_rows, identity
from trainer.saved_model import Predictor

OURS, ADULT = "trainer.data.table.load", "trainer.data.adult.load"
_ADVICE = "give promotion.split=FILE, a file of labelled rows that no model trains on"


@dataclass(frozen=True)
class DecidingRows:
    """Rows as they were read, with their targets as numbers, their weights if they have any, and their numbers in the file."""

    table: Table
    target: Array
    weight: Array | None
    numbers: Array
    labels: Target
    name: str
    hash: str
    same: str  # what two versions must agree on: the rows of the same file in the same order
    hashes: Array  # of the values of each row, by which rows that decided before are found
    further: Mapping[str, Array] = field(
        default_factory=dict
    )  # columns of the file that the training table lacks


def deciding_rows(predictor: Predictor, split: str | None) -> DecidingRows:
    """Return the rows of a file, or without one those of the model's own data; raise DataError or LoadError for none."""
    return _of_loader(predictor) if split is None else _of_file(predictor, Path(split))


def _of_loader(predictor: Predictor) -> DecidingRows:
    """Return the rows that the model's loader keeps, else its test rows."""
    try:
        splits, labels, targets = predictor.read_again()
    except (DataError, LoadError) as error:
        raise type(error)(f"the rows that the trainer kept cannot be read: {error}; {_ADVICE}") from error
    place = 3 if splits.keeps_some else 2
    table, target = splits.tables[place], targets[place]
    weight = None if splits.weights is None else np.asarray(splits.weights[place], np.float64)
    numbers = np.arange(len(target)) if splits.rows is None else np.asarray(splits.rows[place], np.int64)
    origin = _file_hash(predictor)
    digest = _identity(origin or _content(splits, place), numbers, target, weight)
    name = _named(predictor, is_kept=splits.keeps_some)
    hashes = _hashes(predictor, table, target, labels)
    return DecidingRows(
        table, target, weight, numbers, predictor.labels or labels, name, digest, digest, hashes
    )


def _named(predictor: Predictor, *, is_kept: bool) -> str:
    if is_kept:
        return "the promotion rows, which the trainer keeps from every job"
    share = predictor.data.get("promotion_fraction") or 0
    few = f" (too few to keep data.promotion_fraction={share:g} of them)" if share else ""
    return f"the test rows{few}, whose figures the sweep has shown, but by which it chose nothing"


def _of_file(predictor: Predictor, file: Path) -> DecidingRows:
    """Return the labelled rows of a file, read as the training read its table."""
    section, labels = predictor.data, predictor.labels or _of_two(predictor)
    digest = _sha256(file)
    try:
        if predictor.reader is None:
            table, target = read_adopted(predictor.encoder, labels, file)
            numbers = np.arange(len(target))
            return _read(
                predictor, file, digest, labels, table=table, target=target, numbers=numbers, weight=None
            )
        weighing = section.get("weight_column")
        weighing = None if weighing is None else header.found(weighing, predictor.reader.names)
        used = [*predictor.encoder.names, labels.name, *([weighing] if weighing else [])]
        present = predictor.reader.present(str(file))
        only = [name for name in predictor.reader.names if name in present or name in used]
        read = mapped.read(predictor.reader, str(file), only=only, cached=section.get("cache", "auto"))
        known = with_target(read, labels.name, file.name, missing=section.get("missing_target", "error"))
    except TrainerError as error:
        raise DataError(f"promotion.split={file}: {error}") from error
    _check_classes(labels, known.table[labels.name], file)
    target = labels.codes(known.table[labels.name])
    weight = None if weighing is None else weights_of(known.table, weighing)
    numbers = np.arange(len(target)) if known.rows is None else known.rows
    rows = _read(
        predictor, file, digest, labels, table=known.table, target=target, numbers=numbers, weight=weight
    )
    return replace(rows, further=FurtherColumns(predictor.reader, file, numbers))


def _read(
    predictor: Predictor,
    file: Path,
    digest: str,
    labels: Target,
    *,
    table: Table,
    target: Array,
    numbers: Array,
    weight: Array | None,
) -> DecidingRows:
    """Return the rows of a file with their identity."""
    hashes = _hashes(predictor, table, target, labels)
    return DecidingRows(
        table, target, weight, numbers, labels, f"the file {file.name}", identity(hashes, weight),
        _identity(digest, numbers, target, weight), hashes,
    )  # fmt: skip


def _hashes(predictor: Predictor, table: Table, target: Array, labels: Target) -> Array:
    weighing = predictor.data.get("weight_column")
    return hashes_of_rows(table, target, but=frozenset({labels.name, str(weighing)}))


def _check_classes(labels: Target, values: Array, file: Path) -> None:
    """Raise DataError for a class that the model does not know; of one class against the rest, any is known."""
    if labels.task is TaskKind.REGRESSION or labels.classes[0] == f"not {labels.positive}":
        return
    unknown = replace(labels, task=TaskKind.MULTICLASS).codes(values) < 0
    if unknown.any():
        (odd, *_) = (each for each in counts(values) if each not in labels.classes)
        raise DataError(
            f"promotion.split={file}: target {labels.name!r} holds {odd!r} in {some_rows(unknown)}, which is no class of the "
            f"model; it knows {', '.join(map(repr, labels.classes[:10]))}"
        )


def _of_two(predictor: Predictor) -> Target:
    """Return the target of a model of podium 0.1.0, which names its positive class alone."""
    return Target(predictor.encoder.target, classes=predictor.classes)


def _identity(origin: str, numbers: Array, target: Array, weight: Array | None) -> str:
    """Hash where rows come from, which ones they are, their targets and their weights."""
    digest = hashlib.sha256(json.dumps(["rows", origin, len(target), weight is not None]).encode())
    for values, dtype in ((numbers, "<i8"), (target, "<f8"), (weight, "<f8")):
        if values is not None:
            digest.update(np.ascontiguousarray(values, dtype).tobytes())
    return digest.hexdigest()


def _content(splits: Splits, place: int) -> str:
    """Hash the values of the rows, where no file says which they are."""
    digest = hashlib.sha256()
    for name in sorted([*splits.numeric, *splits.categorical]):
        digest.update(repr(name).encode())
        for block in row_hashes(splits.tables[place], name, is_numeric=name in splits.numeric):
            digest.update(block.tobytes())
    return digest.hexdigest()


def _file_hash(predictor: Predictor) -> str | None:
    """Hash the file that the deciding rows of one of our own loaders are in; None where they are in none."""
    section = {**predictor.data, **predictor.files()}
    if section.get("_target_") == OURS:
        return _sha256(Path(section.get("test_path") or section["path"]))
    if section.get("_target_") == ADULT:
        return _sha256(Path(section["path"]) / ADULT_FILES[1])
    return None


def _sha256(path: Path) -> str:
    """Hash a file, or the files of a folder with their names; raise DataError if they cannot be read."""
    digest = hashlib.sha256()
    try:
        for each in _files(path):
            if path.is_dir():
                digest.update(json.dumps(str(each.relative_to(path))).encode())
            with each.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    yield from sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
