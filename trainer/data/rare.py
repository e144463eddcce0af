"""Refuses splits that no model can be trained or ranked on: without rows, or without a class, and says why it lacks it."""

from collections.abc import Sequence

import numpy as np

from trainer.data.encode import Array
from trainer.data.target import Target, TaskKind
from trainer.data.weights import require_some
from trainer.errors import DataError

NAMES = ("training", "validation", "test")
_KEYS = {"training": "", "validation": " (data.val_fraction)", "test": " (data.test_fraction)"}


def check_splits(
    targets: Sequence[Array], labels: Target, *, weights: Sequence[Array] | None = None, told: str = ""
) -> list[str]:
    """Return a line for each split without some of several classes, which do not count there; rows of weight 0 do not either.

    Raise DataError for splits without rows, or without a class that they must have. `told` says what the splits keep to.
    """
    for place, name in enumerate(NAMES):
        if len(targets[place]) == 0:
            raise DataError(
                f"the {name} split has 0 rows; give it a larger fraction{_KEYS[name]}, or a file with rows"
            )
        if weights is not None:
            require_some(weights[place], f"the weight of the {name} split")
    if labels.task is TaskKind.REGRESSION:
        return []
    if weights is not None:
        targets = [values[each > 0] for values, each in zip(targets, weights, strict=True)]
    size = max(len(labels.classes), 2)
    counts = [np.bincount(values.astype(np.int64), minlength=size) for values in targets]
    lacking = ([code for code in range(size) if not found[code]] for found in counts)
    return [
        _answer(name, absent, labels, counts, told)
        for name, absent in zip(NAMES, lacking, strict=True)
        if absent
    ]


def check_folds(folds: Array, count: int, target: Array, labels: Target, told: str) -> None:
    """Raise DataError unless all folds can be validated on, so that not one of them fails after the others have trained."""
    for number in range(count):
        in_fold = target[folds == number]
        if not len(in_fold):
            left = int((folds >= 0).sum())
            raise DataError(f"data.folds={count}: {left} rows are not for testing; use {left} folds at most")
        if labels.task is not TaskKind.BINARY:
            continue
        for code, name in enumerate((f"not {labels.positive}", labels.positive)):
            if not (in_fold == code).any():
                rows = int((target[folds >= 0] == code).sum())
                raise DataError(
                    f"data.folds={count}: class {name!r} of target {labels.name!r} does not occur in fold {number}; it has "
                    f"{rows} rows that are not for testing{f', and {told}' * bool(told)}; use fewer folds"
                )


def _answer(name: str, absent: Sequence[int], labels: Target, counts: Sequence[Array], told: str) -> str:
    """Refuse a split without a class, or return a line that tells it."""
    lacked = labels.classes[absent[0]]
    why = _why([int(each[absent[0]]) for each in counts], told)
    if labels.task is TaskKind.BINARY:
        only = labels.positive if absent[0] == 0 else f"not {labels.positive}"
        place = NAMES.index(name)
        raise DataError(
            f"target {labels.name!r} has one class in the {name} split: all {int(counts[place].sum())} rows are "
            f"{only!r}; two classes are needed in each split; {lacked!r} has {why}"
        )
    names = [labels.classes[code] for code in absent]
    listed = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
    which = f"class {listed} does" if len(names) == 1 else f"{len(names)} classes ({listed}) do"
    text = f"target {labels.name!r}: {which} not occur in the {name} split"
    if name == "training":
        raise DataError(
            f"{text}, so no model can learn it; {lacked!r} has {why}; give it more rows, or leave its rows out"
        )
    return f"{text}, so scores there leave {'it' if len(names) == 1 else 'them'} out"


def _why(rows: Sequence[int], told: str) -> str:
    """Return where the rows of a class are, and what keeps them there."""
    total = sum(rows)
    placed = ", ".join(f"{count} in {name}" for count, name in zip(rows, NAMES, strict=True))
    counted = f"{total} row{'s' * (total != 1)} ({placed})"
    if told:
        return f"{counted}; {told}"
    return f"{counted}, and three splits need one each" if total < 3 else counted
