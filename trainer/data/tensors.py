"""What the loop trains on: three splits that already are tensors.

The one idea: everything that is per row and per Python object happens before training, once; a batch is
a slice. Knows nothing of files or column names.
"""

import hashlib
import logging
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from trainer.data.encode import Encoder, Table, column, numbers
from trainer.errors import DataError

logger = logging.getLogger(__name__)


class Shape(NamedTuple):
    """What a model must know of its input: the numeric features, and the codes per categorical column."""

    numeric: int
    cardinalities: tuple[int, ...]


@dataclass(frozen=True)
class Split:
    """Rows of one purpose: float32 [N, F], int64 [N, C] and float32 targets [N] of zeros and ones."""

    numeric: torch.Tensor
    categorical: torch.Tensor
    target: torch.Tensor

    def __len__(self) -> int:
        return len(self.target)

    def to(self, device: torch.device) -> "Split":
        """Copy the split to a device; itself when it is there already."""
        return Split(self.numeric.to(device), self.categorical.to(device), self.target.to(device))

    def take(self, rows: torch.Tensor | slice) -> "Split":
        """Pick rows: a view for a slice, a copy for an index tensor."""
        return Split(self.numeric[rows], self.categorical[rows], self.target[rows])


@dataclass(frozen=True)
class Splits:
    """What a loader gives: three tables as read, with the columns' roles, nothing fitted yet.

    `numeric` and `categorical` name the feature columns; `target` holds 0/1 arrays in the order train,
    val, test. `reference` holds facts about the data to log without a step, such as `bayes_auc`.
    """

    tables: tuple[Table, Table, Table]
    targets: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    target: str
    positive: str
    reference: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """Encoded splits, the encoder fitted on the training rows, and facts to log about the data."""

    train: Split
    val: Split
    test: Split
    encoder: Encoder
    reference: dict[str, float]
    fingerprint: str

    @property
    def shape(self) -> Shape:
        """The sizes a model needs to know."""
        return Shape(self.train.numeric.shape[1], self.encoder.cardinalities)

    def describe(self) -> dict[str, Any]:
        """Facts for the record of a run: the fingerprint, rows and positive rate of each split."""
        named = {"train": self.train, "val": self.val, "test": self.test}
        return {
            "fingerprint": self.fingerprint,
            "rows": sum(len(split) for split in named.values()),
            **{f"{name}_rows": len(split) for name, split in named.items()},
            **{
                f"{name}_positive_rate": round(split.target.mean().item(), 6) for name, split in named.items()
            },
        }


def encode(splits: Splits, *, transform: str, min_frequency: int) -> Dataset:
    """Fit the encoder on the training table alone and turn the three tables into tensors.

    Raises DataError when a split has no rows or only one class: no model can be ranked on it.
    """
    for name, values in zip(("training", "validation", "test"), splits.targets, strict=True):
        _check_classes(name, values, splits)
    encoder = Encoder.fit(
        splits.tables[0],
        numeric=splits.numeric,
        categorical=splits.categorical,
        transform=transform,
        min_frequency=min_frequency,
        target=splits.target,
        positive=splits.positive,
    )
    for each in encoder.categorical:
        if not each.categories:
            logger.warning(
                "column %r has no category that occurs in %d training rows, so it says next to nothing; name it in "
                "data.drop or data.numeric, or lower data.min_frequency",
                each.name,
                min_frequency,
            )
    train, val, test = (
        Split(*encoder.transform(table), torch.from_numpy(np.asarray(values, dtype=np.float32)))
        for table, values in zip(splits.tables, splits.targets, strict=True)
    )
    return Dataset(train, val, test, encoder, dict(splits.reference), fingerprint(splits))


def fingerprint(splits: Splits) -> str:
    """Hash the rows as read, split by split: their targets and feature columns, before any preprocessing.

    Models with the same fingerprint were scored on the same rows, however each of them encodes these, so
    their metrics can be compared. Times used as numbers hash as numbers: a text file gives what Parquet gives.
    """
    from pandas import Series
    from pandas.util import hash_pandas_object

    digest = hashlib.sha256()
    for table, target in zip(splits.tables, splits.targets, strict=True):
        digest.update(np.asarray(target, dtype=np.float32).tobytes())
        for name in sorted((*splits.numeric, *splits.categorical)):
            digest.update(repr(name).encode())
            values = column(table, name)
            if name in splits.numeric and values.dtype.kind not in "biuf":
                values = numbers(table, name)
            digest.update(hash_pandas_object(Series(values), index=False).to_numpy().tobytes())
    return f"sha256:{digest.hexdigest()}"


def _check_classes(name: str, values: np.ndarray[Any, Any], splits: Splits) -> None:
    if len(values) == 0:
        raise DataError(f"the {name} split has 0 rows; give it a larger fraction, or a file with rows")
    positives = int(values.sum())
    if positives in (0, len(values)):
        only = splits.positive if positives else f"not {splits.positive}"
        raise DataError(
            f"target {splits.target!r} has one class in the {name} split: all {len(values)} rows are "
            f"{only!r}; two classes are needed in each split"
        )
