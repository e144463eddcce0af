"""Loads any table file as a data set, split by ratio, by file or by time.

The reader finds how the file is written and what its columns hold, the roles say what each is used for; keys of the
config overrule both. No row is dropped.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainer.data.encode import Array
from trainer.data.profile import Profile
from trainer.data.reading.kinds import Number, Time
from trainer.data.reading.reader import Options, Reader, Table
from trainer.data.roles import ColumnRole, Given, Role, find, one_of
from trainer.data.splits import by_ratio, by_time
from trainer.data.target import Target, TaskKind, counts
from trainer.data.tensors import Splits
from trainer.errors import DataError


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
    task: str | None = None,
) -> Splits:
    """Read a file and split it.

    With `test_path` that file is the test split, and `test_fraction` is not used. With `time_column` rows
    go from oldest (train) to newest (test), and the column is no feature. Otherwise each class is
    split at random by ratio. `positive` names the positive label, and tells it from all others; the
    default is the last of two in sorted order ("no" < "yes", "<=50K" < ">50K", 0 < 1), as in scikit-learn.
    Without a `task` the target says which one it is.
    """
    kinds = {"number": numeric, "text": [*(categorical or ()), *(text or ())], "time": time}
    options = Options(
        separator=separator, encoding=encoding, header=header, names=names, decimal=decimal, thousands=thousands,
        date_order=date_order, missing_values=missing_values, drop=drop,
        wanted={name: kind for kind, listed in kinds.items() for name in listed or ()},
    )  # fmt: skip
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
    tables = plan.tables(test_path)
    labels = plan.labels(tables, task=task, positive=positive)
    return plan.splits(Path(path).name, tables, labels, fractions, data_seed=data_seed)


class Plan:
    """A table that was read, and the roles of its columns, about to be split."""

    def __init__(self, reader: Reader, known: Table, given: Given, target: str) -> None:
        self.reader, self.known, self.target = reader, known, target
        self.roles = tuple(find(known, given, target=target))
        self.features = [each.name for each in self.roles if each.is_feature]
        self.time_column = next((each.name for each in self.roles if each.role is Role.TIME_COLUMN), None)

    def tables(self, test_path: str | None) -> list[Table]:
        """Return the table, and that of a test file as it was read."""
        if test_path is None:
            return [self.known]
        return [self.known, self.reader.read(test_path, only=self._needed(test_path))]

    def labels(
        self, tables: Sequence[Table], *, task: str | None, positive: str | int | float | bool | None
    ) -> Target:
        """Return the target of the tables, with the task and the positive class that are given or found."""
        answers = [each[self.target] for each in tables]
        return Target.found(answers, name=self.target, task=task, positive=positive)

    def splits(
        self,
        source: str,
        tables: Sequence[Table],
        labels: Target,
        fractions: dict[str, float],
        *,
        data_seed: int,
    ) -> Splits:
        """Return the splits."""
        answers = [labels.codes(each[self.target]) for each in tables]
        if self.time_column is None:
            strata = np.zeros(len(self.known)) if labels.task is TaskKind.REGRESSION else answers[0]
            rows = by_ratio(strata, **fractions, seed=data_seed)
        else:
            rows = by_time(_times(self.known, self.time_column), **fractions)
        parts = [self.known.take(part) for part in rows]
        targets = [answers[0][part] for part in rows]
        if len(tables) > 1:
            parts[2], targets[2] = tables[1], answers[1]
        profile = profile_of(source, self.known, self.roles, labels, notes=self.reader.notes)
        return splits_of(parts, targets, labels, self.reader, profile)

    def _needed(self, test_path: str) -> list[str]:
        """Return the columns of the test file: those that are used, and others that it has."""
        present = self.reader.present(test_path)
        return [
            name for name in self.reader.names if name in present or name in (*self.features, self.target)
        ]


def profile_of(
    source: str, table: Table, roles: tuple[ColumnRole, ...], labels: Target, *, notes: tuple[str, ...] = ()
) -> Profile:
    """Return the profile of a table whose roles and task are known."""
    classes = {} if labels.task is TaskKind.REGRESSION else counts(table[labels.name])
    return Profile(source, len(table), roles, classes, labels.positive or None, notes, labels.task.value)


def splits_of(
    parts: Sequence[Table], targets: Sequence[Array], labels: Target, reader: Reader, profile: Profile
) -> Splits:
    """Return three tables as splits, with all that is known of them."""
    return Splits(
        parts,
        targets,
        profile.named(Role.NUMERIC, Role.TIME),
        profile.named(Role.CATEGORICAL),
        labels.name,
        labels.positive,
        labels=labels,
        reader=reader,
        profile=profile,
    )


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
