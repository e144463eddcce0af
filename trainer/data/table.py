"""Loads any table file as a data set, split by ratio, by file or by time.

The reader finds how the file is written and what its columns hold, the roles say what each is used for; keys of the
config overrule both. No row is dropped, unless it has no target and `missing_target` is `skip`.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from trainer.data.division import PARTS, Folds, Way
from trainer.data.encode import Array
from trainer.data.groups import distinct, group_codes
from trainer.data.profile import Profile
from trainer.data.rare import check_folds
from trainer.data.reading import header, mapped
from trainer.data.reading.dialect import mark_of
from trainer.data.reading.kinds import Number, Time
from trainer.data.reading.reader import Options, Reader, Table
from trainer.data.reading.spelling.times import CLOCK
from trainer.data.roles import ColumnRole, Given, Name, Role, find
from trainer.data.target import Target, TaskKind, counts
from trainer.data.tensors import Folded, Splits
from trainer.data.unlabelled import with_target
from trainer.data.weights import weights_of
from trainer.errors import DataError, some_rows


def load(
    *,
    path: str,
    target: Name,
    positive: str | int | float | bool | None = None,
    numeric: Sequence[Name] | None = None,
    categorical: Sequence[Name] | None = None,
    time: Sequence[Name] | None = None,
    text: Sequence[Name] | None = None,
    drop: Sequence[Name] = (),
    keep: Sequence[Name] = (),
    missing_values: Sequence[str] = (),
    separator: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    names: Sequence[Name] | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    date_order: str | None = None,
    ragged: str = "error",
    skip: int | None = None,
    member: str | None = None,
    sheet: str | int | None = None,
    cache: str = "auto",
    test_path: str | None = None,
    time_column: Name | None = None,
    group_column: Name | None = None,
    weight_column: Name | None = None,
    missing_target: str = "error",
    val_fraction: float,
    test_fraction: float,
    folds: int | None = None,
    fold: int | None = None,
    promotion_fraction: float = 0.0,
    data_seed: int,
    task: str | None = None,
) -> Splits:
    """Read a file and split it.

    With `test_path` that file is the test split, and `test_fraction` is not used. With `time_column` rows
    go from oldest (train) to newest (test); with `group_column` rows of one value stay together. Otherwise each class is
    split at random by ratio. With `folds` the rows that are not for testing are cut into so many, and `fold` is the one
    to validate on. `promotion_fraction` is the share of the test rows that is kept for the gate (see `Way.kept_apart`). These columns and `weight_column` are no features, unless they are kept. `positive` names the positive
    label; the default is the last of two in sorted order ("no" < "yes"). Without a `task` the target says which one it is.
    """
    reader, known, given = read_columns(locals())
    plan = Plan(reader, known, given, missing_target, source=Path(path).name, cached=cache, task=task, positive=positive)  # fmt: skip
    asked = Folds.asked(folds, fold)
    way = Way(
        val_fraction,
        0.0 if test_path else test_fraction,
        data_seed,
        asked,
        promotion=promotion_fraction,
        **plan.kept_together(),
    )
    tables = plan.tables(test_path)
    return plan.splits(tables, plan.labels(tables), way)


READING = (  # keys that say how a table is read; the rest say what for
    "separator", "encoding", "header", "names", "decimal", "thousands", "date_order", "missing_values", "drop", "ragged", "skip", "member",
    "sheet",
)  # fmt: skip
_ROLES = (
    "target", "numeric", "categorical", "time", "text", "time_column", "group_column", "weight_column",
)  # fmt: skip


KINDS = ("numeric", "categorical", "time", "text")  # keys that name columns, and say of which kind they are


def options_of(keys: Mapping[str, Any]) -> Options:
    """Return how a table is read by a section with the keys of `load`."""
    kinds = {"number": "numeric", "text": "categorical", "time": "time"}
    wanted = {str(name): kind for kind, key in kinds.items() for name in keys.get(key) or ()}
    wanted |= {str(name): "text" for name in keys.get("text") or ()}
    given = {name: keys[name] for name in READING if keys.get(name) is not None}
    given |= {name: [*map(str, given[name])] for name in ("drop", "names", "missing_values") if name in given}
    given |= {name: mark_of(given[name]) for name in ("separator", "decimal", "thousands") if name in given}
    return Options(**given, wanted=wanted)


def read_columns(keys: Mapping[str, Any]) -> tuple[Reader, Table, Given]:
    """Read the table of a section with the keys of `load`; return its reader, its values and the roles that the keys name."""
    reader, known = mapped.fit(keys["path"], options_of(keys), cached=keys.get("cache", "auto"))
    drop = [name for name in keys.get("drop") or () if str(name) not in reader.skipped]
    named = {name: keys.get(name) for name in _ROLES}
    try:
        return reader, known, Given.of(reader.names, keep=keys.get("keep") or (), **named, drop=drop)
    except DataError as error:  # what was decided about the file may be why
        raise DataError("; ".join([str(error), *reader.about])) from None


class Plan:
    """A table that was read, and the roles of its columns, about to be split."""

    def __init__(
        self,
        reader: Reader,
        known: Table,
        given: Given,
        missing_target: str = "error",
        *,
        source: str,
        cached: str = "auto",
        task: str | None = None,
        positive: str | int | float | bool | None = None,
    ) -> None:
        self.reader, self.source, self.missing_target, self.cached = reader, source, missing_target, cached
        self.notes = [*reader.notes]
        self.target = given.named("data.target") or ""
        self.numbers: list[Array] = []  # of the rows of each table, in its file
        self.known = self._labelled(known, source)
        if len(self.known) < len(PARTS):
            raise DataError(
                f"{source} has {len(self.known)} row{'s' * (len(self.known) != 1)}; at least {len(PARTS)} are needed, to "
                "train, to validate and to test on"
            )
        self.given, self.task, self.positive = given, task, positive
        self._found([self.known])  # a wrong target is told before anything about columns, which depends on it
        self.time, self.group, self.weight = (
            given.named(f"data.{each}_column") for each in ("time", "group", "weight")
        )

    @cached_property
    def roles(self) -> tuple[ColumnRole, ...]:
        """The role of each column."""
        return tuple(find(self.known, self.given, target=self.target))

    @property
    def features(self) -> list[str]:
        """The columns that the model sees."""
        return [each.name for each in self.roles if each.is_feature]

    def tables(self, test_path: str | None) -> list[Table]:
        """Return the table, and that of a test file as it was read, without rows that are left out."""
        if test_path is None:
            return [self.known]
        test = mapped.read(self.reader, test_path, only=self._needed(test_path), cached=self.cached)
        return [self.known, self._labelled(test, Path(test_path).name)]

    def labels(self, tables: Sequence[Table]) -> Target:
        """Return the target of the tables, with the task and the positive class that are given or found."""
        labels = self._found(tables)
        if isinstance(kind := self.known.kinds[self.target], Time):
            what = "times of day" if kind.style == CLOCK else "times"
            since = "midnight" if kind.style == CLOCK else "1970, UTC"
            self.notes.append(f"target {self.target!r} holds {what}; they are read as seconds since {since}")
        self.notes += [*labels.alike()]
        return labels

    def kept_together(self) -> dict[str, Any]:
        """Return the times or the groups that a division keeps to, and their names."""
        if self.time is not None:
            return {"times": _times(self.known, self.time, self.notes), "time_name": self.time}
        if self.group is not None:
            return {"groups": group_codes(self.known[self.group], self.group), "group_name": self.group}
        return {}

    def splits(self, tables: Sequence[Table], labels: Target, way: Way) -> Splits:
        """Return the splits."""
        answers = [labels.codes(each[self.target]) for each in tables]
        weights = [] if self.weight is None else [weights_of(each, self.weight) for each in tables]
        strata = np.zeros(len(self.known)) if labels.task is TaskKind.REGRESSION else answers[0]
        division = way.divide(strata)
        if division.folds is not None and way.folds is not None:
            check_folds(division.folds, way.folds.count, answers[0], labels, way.told)
        rows = division.rows
        sources = [0] * len(rows)
        if len(tables) > 1:
            rows = [*rows[:2], *self._of_test_file(tables[1], answers[1], labels, way)]
            sources = [0, 0, *[1] * (len(rows) - 2)]
        parts = [*zip(sources, rows, strict=True)]
        notes = (*self.notes, *way.notes(division.rows), *self._shared(tables))
        profile = profile_of(self.source, self.known, self.roles, labels, notes=notes)
        return replace(
            splits_of(
                [_taken(tables[source], each) for source, each in parts],
                [answers[source][each] for source, each in parts],
                labels,
                self.reader,
                profile,
            ),
            weights=[weights[source][each] for source, each in parts] if weights else None,
            rows=[self.numbers[source][each] for source, each in parts],
            folded=None if division.folds is None else Folded(self.known, answers[0], division.folds),
            told=way.told,
        )

    def _of_test_file(self, table: Table, target: Array, labels: Target, way: Way) -> list[Array]:
        """Return the rows of a test file: those to test on, and those that are kept for the promotion gate, if any are.

        They are divided as the table is where the file has the column for it, with a value in each row; else at random.
        """
        strata = np.zeros(len(table)) if labels.task is TaskKind.REGRESSION else target
        times = groups = None
        with contextlib.suppress(DataError):
            if self.time is not None and self.time in table:
                times = _times(table, self.time, ())
            elif self.group is not None and self.group in table:
                groups = group_codes(table[self.group], self.group)
        return replace(way, times=times, groups=groups).kept_apart(np.arange(len(table)), strata)

    def _found(self, tables: Sequence[Table]) -> Target:
        answers = [each[self.target] for each in tables]
        try:
            return Target.found(answers, name=self.target, task=self.task, positive=self.positive)
        except DataError as error:
            doubt = self.known.doubts.get(self.target)
            raise DataError(f"{error}{'' if doubt is None else f'; {doubt.told}'}") from None

    def _labelled(self, table: Table, source: str) -> Table:
        """Return a table without the rows that lack a target, and note them."""
        found = with_target(table, self.target, source, missing=self.missing_target)
        self.notes += [found.note] if found.note else []
        self.numbers.append(np.arange(len(table)) if found.rows is None else found.rows)
        return found.table

    def _needed(self, test_path: str) -> list[str]:
        """Return the columns of the test file: those that are used, and others that it has."""
        present = self.reader.present(test_path)
        used = (*self.features, self.target, *([self.weight] if self.weight else []))
        return [name for name in self.reader.names if name in present or name in used]

    def _shared(self, tables: Sequence[Table]) -> list[str]:
        """Return a line if groups of the table are in the test file, too."""
        if self.group is None or len(tables) < 2 or self.group not in tables[1]:
            return []
        both = set(distinct(self.known[self.group])) & set(distinct(tables[1][self.group]))
        if not both:
            return []
        return [
            f"{len(both)} groups of data.group_column={self.group!r} are in data.path and in data.test_path, so the "
            "test rows are not all of new groups"
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
    """Return tables as splits, with all that is known of them."""
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
        times=profile.named(Role.TIME),
    )


def _taken(table: Table, rows: Array) -> Table:
    """Return rows of a table; of all of a test file without a copy."""
    return table if len(rows) == len(table) else table.take(rows)


def _times(table: Table, name: str, notes: Sequence[str]) -> Array:
    """Return a time column as values that sort: numbers or times."""
    values, kind = table[name], table.kinds[name]
    if not isinstance(kind, Number | Time):
        odd = next((each for each in values if each is not None), None)
        told = [each for each in notes if each.startswith(f"column {header.shown(name)!r}: ")]
        allowed = "allowed are numbers and times such as 2024-05-31 or 2024-05-31 17:00"
        raise DataError("; ".join([f"data.time_column={name!r} holds {odd!r}; {allowed}", *told]))
    if np.isnan(values).any():
        raise DataError(
            f"data.time_column={name!r} is missing in {some_rows(np.isnan(values))}; fill or remove them"
        )
    return values
