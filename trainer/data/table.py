"""Loads any table file as a data set, split by ratio, by file or by time.

The reader finds how the file is written and what its columns hold, the roles say what each is used for; keys of the
config overrule both. No row is dropped.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainer.data.encode import Array
from trainer.data.profile import Profile
from trainer.data.reading.kinds import Number, Time, label, spelled_float
from trainer.data.reading.reader import Options, Reader, Table
from trainer.data.roles import Given, Role, find, one_of
from trainer.data.splits import by_ratio, by_time
from trainer.data.tensors import Splits
from trainer.errors import DataError

logger = logging.getLogger(__name__)


def load(
    *,
    path: str,
    target: str,
    positive: str | int | float | bool | None = None,
    numeric: Sequence[str] | None = None,
    categorical: Sequence[str] | None = None,
    time: Sequence[str] | None = None,
    text: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    keep: Sequence[str] = (),
    missing_values: Sequence[str] = (),
    separator: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    names: Sequence[str] | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    date_order: str | None = None,
    test_path: str | None = None,
    time_column: str | None = None,
    val_fraction: float,
    test_fraction: float,
    data_seed: int,
) -> Splits:
    """Read a file and split it.

    With `test_path` that file is the test split, and `test_fraction` is not used. With `time_column` rows
    go from oldest (train) to newest (test), and the column is no feature. Otherwise each class is
    split at random by ratio. `positive` names the positive label; the default is the last of the two
    in sorted order ("no" < "yes", "<=50K" < ">50K", 0 < 1), as in scikit-learn.
    """
    kinds = {"number": numeric, "text": [*(categorical or ()), *(text or ())], "time": time}
    options = Options(
        separator=separator,
        encoding=encoding,
        header=header,
        names=names,
        decimal=decimal,
        thousands=thousands,
        date_order=date_order,
        missing_values=missing_values,
        wanted={name: kind for kind, listed in kinds.items() for name in listed or ()},
        drop=drop,
    )
    reader, known = Reader.fit(path, options)
    given = Given.of(
        reader.names,
        keep=keep,
        target=[target],
        time_column=[time_column] if time_column else (),
        numeric=numeric or (),
        categorical=categorical or (),
        time=time or (),
        text=text or (),
        drop=[name for name in drop if name not in reader.skipped],
    )
    fractions = {"val_fraction": val_fraction, "test_fraction": 0.0 if test_path else test_fraction}
    plan = Plan(reader, known, given, one_of(target, reader.names, key="data.target"))
    return plan.splits(Path(path).name, positive, fractions, test_path=test_path, data_seed=data_seed)


class Plan:
    """A table that was read, and the roles of its columns, about to be split."""

    def __init__(self, reader: Reader, known: Table, given: Given, target: str) -> None:
        self.reader, self.known, self.target = reader, known, target
        self.roles = tuple(find(known, given, target=target))
        self.features = [each.name for each in self.roles if each.is_feature]
        self.time_column = next((each.name for each in self.roles if each.role is Role.TIME_COLUMN), None)

    def splits(
        self,
        source: str,
        positive: str | int | float | bool | None,
        fractions: dict[str, float],
        *,
        test_path: str | None,
        data_seed: int,
    ) -> Splits:
        """Return the splits, and log what was found that a user might not expect."""
        tables = [self.known]
        if test_path is not None:
            tables.append(self.reader.read(test_path, only=self._needed(test_path)))
        answers = [labels(each, self.target) for each in tables]
        chosen = positive_class(answers, name=self.target, positive=positive)
        target = is_positive(answers[0], chosen)
        if self.time_column is None:
            rows = by_ratio(target, **fractions, seed=data_seed)
        else:
            rows = by_time(_times(self.known, self.time_column), **fractions)
        parts = [self.known.take(part) for part in rows[:2]]
        parts.append(tables[1] if test_path else self.known.take(rows[2]))
        targets = [
            target[rows[0]],
            target[rows[1]],
            is_positive(answers[-1], chosen) if test_path else target[rows[2]],
        ]
        classes = dict(zip(*np.unique(answers[0].astype(str), return_counts=True), strict=True))
        profile = Profile(
            source,
            len(self.known),
            self.roles,
            {str(each): int(n) for each, n in classes.items()},
            chosen,
            self.reader.notes,
        )
        for warning in profile.warnings:
            logger.warning("%s", warning)
        return Splits(
            parts,
            targets,
            profile.named(Role.NUMERIC, Role.TIME),
            profile.named(Role.CATEGORICAL),
            self.target,
            chosen,
            reader=self.reader,
            profile=profile,
        )

    def _needed(self, test_path: str) -> list[str]:
        """Return the columns of the test file: those that are used, and others that it has."""
        present = self.reader.present(test_path)
        return [
            name for name in self.reader.names if name in present or name in (*self.features, self.target)
        ]


def labels(table: Table, name: str) -> Array:
    """Return a target as the labels of its classes, None where it is missing."""
    values = table[name]
    if values.dtype == object:
        return values
    found, inverse = np.unique(values, return_inverse=True)
    spelled = [None if each != each else spelled_float(each) for each in found.tolist()]
    return np.array(spelled, object)[inverse]


def positive_class(
    answers: Sequence[Array], *, name: str, positive: str | int | float | bool | None = None
) -> str:
    """Return the label of the positive class of a two-class target.

    Raise DataError for missing values, one class, more than two, or a `positive` that does not occur.
    """
    found = [each for answer in answers for each in answer.tolist()]
    missing = sum(each is None for each in found)
    if missing:
        raise DataError(f"target {name!r} is missing in {missing} of {len(found)} rows; fill or remove them")
    classes = in_order(set(found))
    if len(classes) != 2:
        shown = ", ".join(repr(text) for text in classes[:5]) + (", ..." if len(classes) > 5 else "")
        raise DataError(
            f"target {name!r} has {len(classes)} class{'es' * (len(classes) != 1)} ({shown}); exactly two are needed"
        )
    if positive is None:
        return classes[1]
    wanted = label(positive)
    for each in classes:
        if wanted in (each, each.lower()):
            return each
    raise DataError(
        f"data.positive={positive!r} does not occur in target {name!r}; allowed are {classes[0]!r} and {classes[1]!r}"
    )


def in_order(classes: set[str]) -> list[str]:
    """Return labels in order: numbers as numbers, so that 10 comes after 9."""
    try:
        return sorted(classes, key=float)
    except ValueError:
        return sorted(classes)


def is_positive(answer: Array, positive: str) -> Array:
    """Return labels as float32, 1 for the positive class and 0 for the other."""
    return np.asarray(answer == positive, np.float32)


def _times(table: Table, name: str) -> Array:
    """Return a time column as values that sort: numbers or times."""
    values, kind = table[name], table.kinds[name]
    if not isinstance(kind, Number | Time):
        odd = next((each for each in values if each is not None), None)
        raise DataError(
            f"data.time_column={name!r} holds {odd!r}; allowed are numbers and times such as 2024-05-31 or 2024-05-31 17:00"
        )
    if np.isnan(values).any():
        raise DataError(f"data.time_column={name!r} is missing in {int(np.isnan(values).sum())} rows")
    return values
