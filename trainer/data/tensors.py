"""The data of a training: three splits as tensors.

All work per row and per Python object is done once, before training; a batch is a slice. torch is imported where tensors
are made: a table is read, and shown, without it.
"""

import hashlib
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trainer.data.encode import Array, Encoder, Table, column, numbers
from trainer.data.encoding.categories import distinct
from trainer.data.encoding.hashing import of_rows
from trainer.data.encoding.in_file import encoded_in_file, encodes_in_file
from trainer.data.profile import Profile
from trainer.data.rare import NAMES, check_splits
from trainer.data.reading import cache
from trainer.data.reading.columns import Long
from trainer.data.reading.kinds import spelled_float
from trainer.data.reading.reader import Reader
from trainer.data.reading.reader import Table as ReadTable
from trainer.data.target import Target, TaskKind
from trainer.data.weights import scaled
from trainer.errors import ConfigError

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)


class Shape(NamedTuple):
    """The sizes of a model's input: numeric features, and codes per categorical column."""

    numeric: int
    cardinalities: tuple[int, ...]


@dataclass(frozen=True)
class Split:
    """Encoded rows: float32 [N, F], int64 [N, C], and targets [N].

    Targets are float32 zeros and ones, int64 codes of several classes, or float32 standardised numbers. Weights, if rows
    have any, are float32 of mean 1.
    """

    numeric: "torch.Tensor"
    categorical: "torch.Tensor"
    target: "torch.Tensor"
    weight: "torch.Tensor | None" = None
    mapped: bool = False  # the features are in files

    def __len__(self) -> int:
        return len(self.target)

    @property
    def device(self) -> "torch.device":
        """Where the rows are."""
        return self.target.device

    @property
    def weights(self) -> "tuple[torch.Tensor, ...]":
        """The weights as an argument that is left out if there are none."""
        return () if self.weight is None else (self.weight,)

    def to(self, device: "torch.device") -> "Split":
        """Return the split on a device."""
        weight = None if self.weight is None else self.weight.to(device)
        features = self.numeric.to(device), self.categorical.to(device)
        return Split(*features, self.target.to(device), weight, self.mapped and device.type == "cpu")

    def take(self, rows: "torch.Tensor | slice") -> "Split":
        """Return some rows: a view for a slice, a copy for an index tensor."""
        if isinstance(rows, slice):
            weight = None if self.weight is None else self.weight[rows]
            return Split(self.numeric[rows], self.categorical[rows], self.target[rows], weight, self.mapped)
        # Not by an index in brackets, which takes twice as long.
        target, weight = self.target.index_select(0, rows), self.weight
        weight = None if weight is None else weight.index_select(0, rows)
        if self.mapped:
            numeric, categorical = (_taken(each, rows) for each in (self.numeric, self.categorical))
            return Split(numeric, categorical, target, weight)
        features = self.numeric.index_select(0, rows), self.categorical.index_select(0, rows)
        return Split(*features, target, weight)


@dataclass(frozen=True)
class Folded:
    """The table that was cut into folds, its targets, and the fold of each row (see `Division`)."""

    table: Table
    target: Array
    folds: Array


@dataclass(frozen=True)
class Splits:
    """The result of a loader: three tables as read and the roles of their columns, nothing fitted yet.

    `numeric` and `categorical` name the feature columns; `targets` holds 0/1 arrays, codes of classes or numbers. Both are
    in the order train, val, test; a fourth holds rows that are kept for the gate that promotes models, if any are. `reference` holds numbers to log without a step, such as `bayes_auc`. Without `labels`
    the targets are as the loader found them, and say themselves which task it is. A loader that reads with `Reader`
    returns it, and the profile. `weights` say what each row of each split counts for, and `rows` its number in the file that it
    was read from. A loader of folds returns what was
    `folded`. `told` names what the split keeps to, for messages.
    """

    tables: Sequence[Table]
    targets: Sequence[Array]
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    target: str
    positive: str
    reference: Mapping[str, float] = field(default_factory=dict)
    labels: Target | None = None
    reader: Reader | None = None  # which reads the same columns again, to predict
    profile: Profile | None = None
    weights: Sequence[Array] | None = None
    folded: Folded | None = None
    told: str = ""
    times: tuple[str, ...] = ()  # those of the numeric columns that hold times
    rows: Sequence[Array] | None = None

    @property
    def keeps_some(self) -> bool:
        """Whether rows are kept for the gate."""
        return len(self.tables) > len(NAMES)

    @classmethod
    def cut(
        cls,
        columns: Mapping[str, Array],
        rows: Sequence[Array],
        *,
        target: str,
        positive: str = "1",
        categorical: Sequence[str] = (),
        reference: Mapping[str, float] | None = None,
        folds: Array | None = None,
    ) -> "Splits":
        """Cut columns into the given rows of train, val, test and, if any, promotion; `target` is the column to predict.

        `folds` holds the fold of each row, if the rows were cut into folds (see `Division`). A target of zeros and ones has the positive class 1, whose name is `positive`; one of other values is of several
        classes, or numbers. Columns that are neither the target nor `categorical` are numeric.
        """
        tables = [{name: values[part] for name, values in columns.items()} for part in rows]
        numeric = tuple(name for name in columns if name not in (target, *categorical))
        targets = [table[target] for table in tables]
        folded = None if folds is None else Folded(columns, columns[target], folds)
        return cls(
            tables,
            targets,
            numeric,
            tuple(categorical),
            target,
            positive,
            reference or {},
            folded=folded,
            rows=[*rows],
        )


@dataclass(frozen=True)
class Dataset:
    """Encoded splits, the encoder fitted on the training rows, and numbers to log about the data."""

    train: Split
    val: Split
    test: Split
    encoder: Encoder
    reference: dict[str, float]
    fingerprint: str
    labels: Target
    reader: Reader | None = None
    profile: Profile | None = None
    promotion_rows: int = 0  # kept for the gate, and not encoded

    @property
    def shape(self) -> Shape:
        """The sizes of a model's input."""
        return Shape(self.train.numeric.shape[1], self.encoder.cardinalities)

    def describe(self) -> dict[str, Any]:
        """Return the fingerprint, the rows of each split and what its targets are, for the record of a run."""
        named = {"train": self.train, "val": self.val, "test": self.test}
        return {
            "fingerprint": self.fingerprint,
            "target": self.encoder.target,
            "positive": self.encoder.positive,
            "rows": sum(len(split) for split in named.values()) + self.promotion_rows,
            **{f"{name}_rows": len(split) for name, split in named.items()},
            "promotion_rows": self.promotion_rows,
            **{f"{name}_{key}": value for name, split in named.items() for key, value in self._told(split)},
        }

    def _told(self, split: Split) -> list[tuple[str, Any]]:
        """Return what is told of the targets of a split, by the task."""
        if self.labels.task is TaskKind.BINARY:
            return [("positive_rate", round(split.target.mean().item(), 6))]
        if self.labels.task is TaskKind.REGRESSION:
            return [
                ("target_mean", split.target.double().mean().item() * self.labels.scale + self.labels.mean)
            ]
        counts = split.target.bincount(minlength=self.labels.outputs).tolist()
        return [("classes", dict(zip(self.labels.classes, counts, strict=True)))]


class Fitted(NamedTuple):
    """What was fitted to splits: the encoder, the target with its scale, and the targets of each split as numbers."""

    encoder: Encoder
    labels: Target
    targets: list[Array]


def fitted(
    splits: Splits,
    *,
    transform: str,
    min_frequency: int,
    hash_bins: int | None = None,
    task: str | None = None,
) -> Fitted:
    """Fit the encoder and the scale of the target on the training table alone; raise as `encode` does."""
    labels, targets = labelled(splits, task=task)
    labels, lines = trainable(splits, labels, targets)
    for line in lines:
        logger.warning("%s", line)
    encoder = Encoder.fit(
        splits.tables[0],
        numeric=splits.numeric,
        categorical=splits.categorical,
        transform=transform,
        min_frequency=min_frequency,
        target=labels.name,
        positive=labels.positive,
        times=splits.times,
        hash_bins=hash_bins,
    )
    return Fitted(encoder, labels, targets)


def encode(
    splits: Splits,
    *,
    transform: str,
    min_frequency: int,
    hash_bins: int | None = None,
    task: str | None = None,
) -> Dataset:
    """Fit the encoder on the training table alone and encode the tables of train, val and test.

    Raise DataError when a split has no rows or too few classes, because no model can be ranked on it, and ConfigError
    when the targets are of another `task`.
    """
    encoder, labels, targets = fitted(
        splits, transform=transform, min_frequency=min_frequency, hash_bins=hash_bins, task=task
    )
    train, val, test = (
        encoded(encoder, table, values, labels, None if splits.weights is None else splits.weights[place])
        for place, (table, values) in enumerate(zip(splits.tables[:3], targets[:3], strict=True))
    )
    reference, told = dict(splits.reference), fingerprint(splits, targets)
    kept = len(targets[3]) if splits.keeps_some else 0
    return Dataset(train, val, test, encoder, reference, told, labels, splits.reader, splits.profile, kept)


def labelled(splits: Splits, *, task: str | None = None) -> tuple[Target, list[Array]]:
    """Return the target of splits, not scaled yet, and the values of each split as numbers.

    Raise ConfigError when the targets are of another `task`.
    """
    labels, targets = splits.labels, list(splits.targets)
    if labels is None:
        labels, targets = Target.of_arrays(targets, name=splits.target, positive=splits.positive, task=task)
    if task is not None and task != labels.task:
        raise ConfigError(f"task={task}: target {labels.name!r} of this data set is for task={labels.task}")
    return labels, targets


def trainable(splits: Splits, labels: Target, targets: Sequence[Array]) -> tuple[Target, list[str]]:
    """Return the target with its scale in the training rows, and a line for each thing that scores of splits leave out.

    Raise DataError for splits that no model can be trained or ranked on.
    """
    weights = None if splits.weights is None else splits.weights[:3]
    lines = check_splits(targets[:3], labels, weights=weights, told=splits.told)
    return labels.scaled_by(targets[0]), lines


def encoded(
    encoder: Encoder, table: Table, target: Array, labels: Target, weights: Array | None = None
) -> Split:
    """Return a table, its targets and its weights as tensors; the features of a table in files are in files, too."""
    import torch

    weight = None if weights is None else torch.from_numpy(scaled(weights))
    in_file = encodes_in_file(encoder, table)
    features = encoded_in_file(encoder, table) if in_file else encoder.transform(table)
    return Split(*features, torch.from_numpy(labels.standardised(target)), weight, in_file)


def _taken(features: "torch.Tensor", rows: "torch.Tensor") -> "torch.Tensor":
    """Return rows of features that are in a file."""
    import torch

    return torch.from_numpy(cache.taken(features.numpy(), rows.numpy()))


def fingerprint(splits: Splits, targets: Sequence[Array]) -> str:
    """Hash the targets and the columns of each split as read, before any preprocessing.

    Models with the same fingerprint were scored on the same rows, whatever their encoding and whichever columns they
    use, so their metrics can be compared. Text and Parquet of the same rows have the same hash. Folds of one table have the
    same, too, because what is compared is their mean.
    """
    digest = hashlib.sha256()
    tables = [*zip(splits.tables, targets, strict=True)]
    if splits.folded is not None:
        tables[:2] = [(splits.folded.table, splits.folded.target)]
        digest.update(splits.folded.folds.astype(np.int64).tobytes())
    for weights in splits.weights or ():
        digest.update(np.asarray(weights, np.float64).tobytes())
    for table, target in tables:
        digest.update(np.asarray(target, dtype=np.float32).tobytes())
        names = [*table] if isinstance(table, ReadTable) else [*splits.numeric, *splits.categorical]
        for name in sorted(names):
            digest.update(repr(name).encode())  # quoted, so that no two lists of names look the same
            for block in row_hashes(table, name, is_numeric=name in splits.numeric):
                digest.update(block.tobytes())
    return f"sha256:{digest.hexdigest()}"


def row_hashes(table: Table, name: str, *, is_numeric: bool) -> Iterator[Array]:
    """Yield a hash of each row's value in a column, uint64, one array or a block of rows at a time."""
    from pandas import Series
    from pandas.util import hash_pandas_object

    values = column(table, name)
    if isinstance(values, Long):
        yield from of_rows(values)
        return
    if isinstance(table, ReadTable):
        values = _as_numbers(values)
    elif is_numeric and values.dtype.kind not in "biuf":
        values = numbers(table, name)
    yield np.asarray(hash_pandas_object(Series(values), index=False).to_numpy())


def _as_numbers(values: Array) -> Array:
    """Return labels that are all numbers as numbers, so that numbers used as categories are no other data."""
    if values.dtype != object:
        return values
    inverse, labels = distinct(values)
    try:
        floats = [math.nan if each is None else float(each) for each in labels]
    except ValueError:
        return values
    spelled = [None if each != each else spelled_float(each) for each in floats]
    return np.array(floats)[inverse] if spelled == labels else values
