"""The rows that two models are compared on: checked, without those that count for nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracking.errors import InvalidValueError
from tracking.statistics import formulas
from tracking.statistics.measures import Measure, Reads

Array = np.ndarray[Any, Any]
_ROUNDING = 1e-6  # by which a sum of chances in single precision may leave 0 to 1


@dataclass(frozen=True)
class Rows:
    """Rows with both models' predictions; `weight` is None where all count the same."""

    target: Array
    challenger: Array
    champion: Array
    weight: Array | None
    cluster: Array | None  # the number of the cluster of each row, from 0 on

    @property
    def clusters(self) -> int | None:
        """The number of clusters."""
        return None if self.cluster is None else int(self.cluster.max()) + 1


def rows_of(
    measure: Measure,
    target: Any,
    challenger: Any,
    champion: Any,
    *,
    weight: Any = None,
    cluster: Sequence[Any] | Array | None = None,
) -> Rows:
    """Return checked rows. Raise InvalidValueError for what cannot be compared; it says what and why."""
    goal, ours, theirs = _target(target), _numbers("challenger", challenger), _numbers("champion", champion)
    for name, values in (("challenger", ours), ("champion", theirs)):
        _check_predictions(measure, name, values, goal)
    if ours.shape != theirs.shape:
        raise InvalidValueError(
            f"the challenger predicts {ours.shape[-1]} classes and the champion {theirs.shape[-1]}"
        )
    counts = None if weight is None else _weights(weight, len(goal))
    codes = None if cluster is None else _codes(cluster, len(goal))
    kept = np.ones(len(goal), dtype=bool) if counts is None else counts > 0
    if not kept.any():
        raise InvalidValueError("there are no rows" if not len(goal) else "all rows have a weight of 0")
    if counts is not None and np.ptp(counts[kept]) == 0:
        counts = None
    if codes is not None:
        codes = np.unique(codes[kept], return_inverse=True)[1]
    return Rows(goal[kept], ours[kept], theirs[kept], None if counts is None else counts[kept], codes)


def values_of(measure: Measure, rows: Rows) -> tuple[float, float]:
    """Return the measure of both models; raise InvalidValueError where it is not defined."""
    found = [measure.value(rows.target, each, rows.weight) for each in (rows.challenger, rows.champion)]
    for name, value in zip(("challenger", "champion"), found, strict=True):
        if not np.isfinite(value):
            raise InvalidValueError(
                f"{measure.name} of the {name} is not defined on these {len(rows.target)} rows"
            )
    return float(found[0]), float(found[1])


def are_identical(measure: Measure, rows: Rows) -> bool:
    """Return whether nothing that the measure reads differs between the models.

    For a measure of order this is the order of the rows. Labels that are the same don't count: models that agree on so
    coarse an answer may differ on the next row.
    """
    if measure.reads is Reads.ORDER:
        ours, theirs = (np.unique(each, return_inverse=True)[1] for each in (rows.challenger, rows.champion))
        return np.array_equal(ours, theirs)
    is_of_labels = measure.reads is Reads.LABELS and rows.challenger.dtype.kind in "biu"
    return not is_of_labels and np.array_equal(rows.challenger, rows.champion)


def _target(target: Any) -> Array:
    found = np.asarray(target)
    if found.dtype.kind not in "biuf" or found.ndim != 1:
        raise InvalidValueError("the target must be one number for each row; classes are codes from 0 on")
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise InvalidValueError(f"{int((~np.isfinite(found)).sum())} targets are not finite")
    return found.astype(np.int64) if found.dtype.kind == "b" else found


def _numbers(name: str, predictions: Any) -> Array:
    found = np.asarray(predictions)
    if found.dtype.kind not in "biuf" or found.ndim not in {1, 2}:
        raise InvalidValueError(
            f"the predictions of the {name} must be numbers of shape [rows] or [rows, classes]"
        )
    if found.dtype.kind == "f":
        found = found.astype(np.float64, copy=False)
        if not np.isfinite(found).all():
            count = int((~np.isfinite(found)).reshape(len(found), -1).any(axis=1).sum())
            raise InvalidValueError(f"the {name} predicts no finite number for {count} of {len(found)} rows")
    return found


def _check_predictions(measure: Measure, name: str, values: Array, target: Array) -> None:
    if len(values) != len(target):
        raise InvalidValueError(
            f"the {name} predicts {len(values)} rows, and there are {len(target)} targets"
        )
    if measure.reads is Reads.CHANCES and len(values):
        low, high = float(values.min()), float(values.max())
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            raise InvalidValueError(
                f"{measure.name} needs probabilities, and the {name} predicts from {low:.3g} to {high:.3g}"
            )
    if values.ndim == 2 or measure.reads is not Reads.VALUES:
        _check_codes(target, values.shape[1] if values.ndim == 2 else 2)


def _check_codes(target: Array, classes: int) -> None:
    if len(target) and not (
        target.min() >= 0 and target.max() < classes and np.equal(np.mod(target, 1), 0).all()
    ):
        raise InvalidValueError(f"the targets of {classes} classes must be codes from 0 to {classes - 1}")


def _weights(weight: Any, rows: int) -> Array:
    found = np.asarray(weight, dtype=np.float64)
    if found.shape != (rows,):
        raise InvalidValueError(f"there are {found.size} weights for {rows} rows")
    if not np.isfinite(found).all() or (found < 0).any():
        raise InvalidValueError("a weight is negative or not finite")
    return found


def _codes(cluster: Any, rows: int) -> Array:
    found = np.asarray(cluster)
    if found.shape != (rows,):
        raise InvalidValueError(f"there are {found.size} values of the cluster column for {rows} rows")
    if found.dtype.kind == "O":
        found = found.astype(str)
    return np.unique(found, return_inverse=True)[1]


def differing(rows: Rows) -> Array:
    """Return which rows the models give different labels to."""
    return np.asarray(formulas.decided(rows.challenger) != formulas.decided(rows.champion))
