"""What a data section holds, without training on it: the profile, how the file is written, the splits. Loads no torch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer.data.encode import Array
from trainer.data.load import noted, read_splits
from trainer.data.profile import Profile, cut, laid_out
from trainer.data.reading.reader import Reader
from trainer.data.roles import find
from trainer.data.table import read_columns
from trainer.data.target import Target, TaskKind
from trainer.data.tensors import Splits, labelled, trainable
from trainer.errors import DataError
from trainer.overrides import setting

_CLASSES = 8  # whose rows are counted in a table of splits
_NAME = 16  # letters of a class in that table
_SPREAD = ("mean", "std", "min", "max")
SPLITS = ("train", "val", "test", "promotion")


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are, without a target."""

    profile: Profile
    reader: Reader
    refused = ""

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> "Columns":
        """Read the table of a section with the keys of data=csv."""
        reader, known, given = read_columns({**section, "target": None})
        roles = tuple(find(known, given, target=None))
        return cls(Profile(Path(section["path"]).name, len(known), roles, {}, notes=reader.notes), reader)

    def text(self, width: int | None = None) -> str:
        """Return all of it as text for people, at most `width` wide but for warnings."""
        parts = ["\n".join([self.profile.text(width), "", *_read_as(self.reader)]).rstrip()]
        such = setting("data.target", self.reader.names[-1])
        asked = f"data.target is missing, the column to predict: set it, for example {such}, for its task and the splits"
        return "\n\n".join([*parts, *_warned(self.profile.warnings), asked])

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain values for a program."""
        found = {"profile": self.profile.to_json(), "reader": self.reader.to_json()}
        return {"target": None, "warnings": self.profile.warnings, **found}


@dataclass(frozen=True)
class Inspection:
    """What was found; a loader of the user's may have no profile."""

    splits: Splits
    labels: Target
    targets: Sequence[Array]
    warnings: Sequence[str]
    refused: str = ""  # why no model can be trained on the splits

    @classmethod
    def of(cls, section: Mapping[str, Any], *, task: str | None = None) -> "Inspection":
        """Read the data of a section; raise as training on them would, unless there are splits to show."""
        splits = read_splits(section, task=task)
        labels, targets = labelled(splits, task=task)
        said = noted(splits.profile, labels, task=task)
        try:
            _, lines = trainable(splits, labels, targets)
        except DataError as error:
            return cls(splits, labels, targets, said, str(error))
        return cls(splits, labels, targets, [*said, *lines])

    def text(self, width: int | None = None) -> str:
        """Return all of it as text for people, at most `width` wide but for warnings."""
        splits, profile = self.splits, self.splits.profile
        if profile is not None:
            parts = [profile.text(width), self._features(profile)]
        else:
            rows, columns = sum(map(len, self.targets)), len(splits.numeric) + len(splits.categorical)
            parts = [
                f"{rows:,} rows\ntarget {self.labels.name}, {self.labels.task}\n"
                f"{columns} features: {len(splits.numeric)} numeric, {len(splits.categorical)} categorical"
            ]
        parts.append("\n".join(self._table(width)))
        return "\n\n".join([*parts, *_warned(self.warnings)])

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain values for a program."""
        profile, reader = self.splits.profile, self.splits.reader
        facts = dict(zip(SPLITS, map(self._facts, self.targets), strict=False))
        return {
            "target": self.labels.name,
            "task": self.labels.task.value,
            "classes": list(self.labels.classes),
            "positive": self.labels.positive or None,
            "numeric": list(self.splits.numeric),
            "categorical": list(self.splits.categorical),
            "splits": facts,
            "warnings": list(self.warnings),
            "refused": self.refused or None,
            "profile": None if profile is None else profile.to_json(),
            "reader": None if reader is None else reader.to_json(),
        }

    def _features(self, profile: Profile) -> str:
        """Return how many features a model gets, and how the file is written."""
        counts: dict[str, int] = {}
        for each in profile.columns:
            if each.is_feature:
                counts[each.role.value] = counts.get(each.role.value, 0) + 1
        listed = ", ".join(f"{count:,} {role}" for role, count in counts.items())
        lines = [
            f"features: {listed}; left out: {sum(not each.is_feature for each in profile.columns) - 1:,}"
        ]
        return "\n".join([*lines, *_read_as(self.splits.reader)])

    def _facts(self, target: Array) -> dict[str, Any]:
        """Return what a split holds: its rows, and of each class how many, or how its numbers are spread."""
        facts: dict[str, Any] = {"rows": len(target)}
        if self.labels.task is TaskKind.REGRESSION:
            some = target if len(target) else np.full(1, np.nan)
            return {**facts, **{name: float(getattr(some, name)()) for name in _SPREAD}}
        counts = np.bincount(target.astype(np.int64), minlength=len(self.labels.classes)).tolist()
        return {**facts, "classes": dict(zip(self.labels.classes, counts, strict=True))}

    def _table(self, width: int | None) -> Iterator[str]:
        """Yield the lines of a table of splits, with as many classes as there is room for."""
        found = [self._facts(target) for target in self.targets]
        columns = [["split", *SPLITS[: len(found)]], ["rows", *(f"{each['rows']:,}" for each in found)]]
        if self.labels.task is TaskKind.REGRESSION:
            columns += [[name, *(f"{each[name]:.6g}" for each in found)] for name in _SPREAD]
        else:
            counts = [
                [name, *(f"{each['classes'][name]:,}" for each in found)] for name in self.labels.classes
            ]
            columns += [[cut(name, _NAME, in_the_middle=True), *cells] for name, *cells in counts]
        kept = columns[: 2 + _CLASSES]
        while (
            len(kept) > 3 and width is not None and sum(max(map(len, each)) + 2 for each in kept) + 3 > width
        ):
            kept.pop()
        if len(kept) < len(columns):
            kept.append(["...", *["..."] * len(found)])
        yield from laid_out([*zip(*kept, strict=True)], range(1, len(kept)))


def _read_as(reader: Reader | None) -> list[str]:
    """Return a line that says how a text file is written, or which sheet of a workbook was read."""
    if reader is None or reader.dialect is None:
        return [] if reader is None or reader.sheet is None else [f"read as: sheet {reader.sheet!r}"]
    header = "a header line" if reader.dialect.header else "no header line"
    return [f"read as: separator {reader.dialect.separator!r}, {reader.dialect.encoding}, {header}"]


def _warned(warnings: Sequence[str]) -> list[str]:
    return ["\n".join(f"warning: {each}" for each in warnings)] if warnings else []
