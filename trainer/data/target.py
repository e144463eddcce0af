"""The target of a data set: which task it is, its classes or its scale, and its values as numbers.

The task is the one asked for, or found from the values: two values are `binary`; text, booleans and a few whole numbers
that repeat are `multiclass`; all other numbers are `regression`. A target is saved with the model. Imports nothing slow.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from trainer.data.encode import Array
from trainer.data.encoding.categories import label
from trainer.data.reading.columns import Long
from trainer.data.reading.kinds import label as canonical
from trainer.data.reading.kinds import spelled_float
from trainer.errors import DataError, some_rows

MOST_CLASSES = 20  # more whole numbers than these are a quantity, unless the config says task=multiclass
FEWEST_ROWS = 3  # of each of them on average; numbers that hardly repeat are a quantity, too
FEWEST_TOLD = 10  # rows from which text that hardly repeats is names
MOST_LABELS = 1000  # more classes than these are names
_LOOKED_AT = 10_000  # rows that may show at once that numbers are a quantity
_SHOWN = 5


class TaskKind(StrEnum):
    """What is predicted: one of two classes, one of several, or a number."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


@dataclass(frozen=True)
class Target:
    """The target column: its classes in the order of their codes (of two, the positive one is last), or its scale."""

    name: str
    task: TaskKind = TaskKind.BINARY
    classes: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0

    @property
    def outputs(self) -> int:
        """The number of logits of a model."""
        return len(self.classes) if self.task is TaskKind.MULTICLASS else 1

    @property
    def positive(self) -> str:
        """The positive class; empty when there is none."""
        return self.classes[1] if self.task is TaskKind.BINARY else ""

    @classmethod
    def found(
        cls,
        columns: Sequence[Any],
        *,
        name: str,
        task: str | None = None,
        positive: str | int | float | bool | None = None,
    ) -> "Target":
        """Return the target that columns hold, of a reader's values or others; with a `positive` class, it against the rest.

        Raise DataError for missing values, too few or too many classes, a `positive` that does not occur, or numbers
        that are none.
        """
        if positive is None and task in (None, TaskKind.REGRESSION) and all(map(_is_quantity, columns)):
            return cls(name, TaskKind.REGRESSION)  # without a text for each of millions of values
        values: dict[str, Any] = {}
        rows = 0
        for column in columns:
            codes, texts, found = _distinct(column)
            rows += len(codes)
            missing = np.isin(codes, [code for code, text in enumerate(texts) if text is None])
            if missing.any():
                raise DataError(f"target {name!r} is missing in {some_rows(missing)}; fill or remove them")
            values |= {text: value for text, value in zip(texts, found, strict=True) if text is not None}
        kind = _kind_of(values, rows, name=name, task=task, positive=positive)
        if kind is TaskKind.REGRESSION:
            return cls(name, kind)
        return cls(name, kind, _classes(values, kind, name=name, positive=positive))

    @classmethod
    def of_arrays(
        cls, arrays: Sequence[Array], *, name: str, positive: str = "1", task: str | None = None
    ) -> "tuple[Target, list[Array]]":
        """Return the target of arrays as a loader gives them, and the arrays as numbers.

        Zeros and ones are two classes, and `positive` is the name of 1.
        """
        if task in (None, TaskKind.BINARY) and all(np.isin(each, (0, 1)).all() for each in arrays):
            return cls(name, TaskKind.BINARY, (f"not {positive}", positive)), list(arrays)
        made = cls.found(arrays, name=name, task=task)
        return made, [made.codes(each) for each in arrays]

    def alike(self) -> Iterator[str]:
        """Yield a line for classes that differ in upper and lower case alone."""
        seen: dict[str, str] = {}
        for each in self.classes:
            if (first := seen.setdefault(each.casefold(), each)) != each:
                yield f"target {self.name!r}: classes {first!r} and {each!r} differ in case alone"

    def codes(self, values: Any) -> Array:
        """Return a column as numbers: float32 0 or 1, int64 codes of classes, or float64 in the target's own unit."""
        if self.task is TaskKind.REGRESSION:
            return numbers(values, name=self.name)
        codes, texts, _ = _distinct(values)
        if self.task is TaskKind.BINARY:
            return np.array([text == self.positive for text in texts], np.float32)[codes]
        places = {text: code for code, text in enumerate(self.classes)}
        return np.array([places.get(str(text), -1) for text in texts], np.int64)[codes]  # none is missing

    def scaled_by(self, training: Array) -> "Target":
        """Return a regression target with the mean and the standard deviation of the training rows."""
        if self.task is not TaskKind.REGRESSION:
            return self
        spread = float(np.std(training))
        if not spread > 0:
            raise DataError(
                f"target {self.name!r} is {training[0]:g} in all {len(training)} training rows; "
                "a regression needs values that differ"
            )
        return replace(self, mean=float(np.mean(training)), scale=spread)

    def standardised(self, values: Array) -> Array:
        """Return numbers as the loss sees them: float32, of a regression minus the mean, divided by the scale."""
        if self.task is TaskKind.MULTICLASS:
            return np.asarray(values, np.int64)
        if self.task is TaskKind.REGRESSION:
            values = (np.asarray(values, np.float64) - self.mean) / self.scale
        return np.asarray(values, np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Target":
        """Return the target that `to_json` wrote; floats keep their last digit."""
        return cls(**{**value, "task": TaskKind(value["task"]), "classes": tuple(value["classes"])})


def numbers(values: Any, *, name: str) -> Array:
    """Return a regression target as float64; raise DataError for a value that is no finite number."""
    array = np.asarray(values)
    if array.dtype.kind == "f" and np.isfinite(array).all():
        return array.astype(np.float64)
    found = []
    for value in _values(values):
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if not np.isfinite(number):
            raise DataError(
                f"target {name!r} holds {value!r}, which is no finite number; task=regression needs numbers, "
                "task=multiclass takes any values"
            )
        found.append(number)
    return np.array(found, np.float64)


def _values(column: Any) -> Iterable[Any]:
    """Return a column's values as Python objects, which a pandas series and an array hold otherwise."""
    values: Iterable[Any] = column.tolist() if hasattr(column, "tolist") else column
    return values


def _distinct(column: Any) -> tuple[Array, list[str | None], list[Any]]:
    """Return codes [N] for the distinct values of a column, the label of each code (None for missing), and its value."""
    if isinstance(column, Long) and column.labels is not None:
        texts = column.texts()
        codes = np.concatenate([*column.blocks()])
        codes[codes < 0] = len(texts) - 1
        return codes, texts, texts
    if isinstance(column, Long):
        found = np.unique(np.concatenate([np.unique(block) for block in column.blocks()]))
        codes = np.concatenate([np.searchsorted(found, block).astype(np.int32) for block in column.blocks()])
        values = found.tolist()
        return codes, [_spelled(each) for each in values], values
    array = np.asarray(column)
    if array.dtype.kind == "f":  # as a reader returns numbers; NaN is one value
        found, codes = np.unique(array, return_inverse=True)
        values = found.tolist()
        return codes, [_spelled(each) for each in values], values
    seen: dict[tuple[type, Any], int] = {}
    places = [seen.setdefault((type(each), each), len(seen)) for each in _values(column)]
    values = [value for _, value in seen]
    return np.array(places, np.int64), [label(each) for each in values], values


def _is_quantity(column: Any) -> bool:
    """Whether a column holds numbers, none missing, of which more differ than there are whole numbers taken for classes."""
    if getattr(column, "dtype", None) != np.float64 or len(np.unique(column[:_LOOKED_AT])) <= MOST_CLASSES:
        return False
    blocks = column.blocks() if isinstance(column, Long) else [column]
    return not any(np.isnan(each).any() for each in blocks)


def _spelled(value: float) -> str | None:
    return spelled_float(value) if np.isfinite(value) else label(value)


def counts(column: Any) -> dict[str, int]:
    """Return how many rows have each label, in the order of the labels."""
    codes, texts, _ = _distinct(column)
    rows = np.bincount(codes, minlength=len(texts)).tolist()
    found = dict.fromkeys(_in_order(each for each in texts if each is not None), 0)
    for text, count in zip(texts, rows, strict=True):
        if text is not None:
            found[text] += count
    return found


def _in_order(labels: Iterable[str]) -> list[str]:
    """Return distinct labels in order: numbers as numbers, so that 10 comes after 9."""
    distinct = set(labels)
    try:
        return sorted(distinct, key=float)
    except ValueError:
        return sorted(distinct)


def _kind_of(
    values: dict[str, Any],
    rows: int,
    *,
    name: str,
    task: str | None,
    positive: str | int | float | bool | None,
) -> TaskKind:
    """Return the task asked for, or the one that the distinct values suggest."""
    if task is not None:
        if positive is not None and task != TaskKind.BINARY:
            raise DataError(f"data.positive={positive!r}: is for task=binary; with task={task} leave it out")
        return TaskKind(task)
    if positive is not None or len(values) <= 2:
        return TaskKind.BINARY
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in values.values()):
        if len(values) > MOST_LABELS or (len(values) > rows / 2 and rows >= FEWEST_TOLD):
            raise DataError(
                f"target {name!r} is text of {len(values)} different values, such as "
                f"{next(iter(values))!r}: names rather than classes; set data.target to another column, or task=multiclass"
            )
        return TaskKind.MULTICLASS
    is_whole = all(float(each).is_integer() for each in values.values())
    are_classes = is_whole and len(values) <= min(MOST_CLASSES, rows / FEWEST_ROWS)
    return TaskKind.MULTICLASS if are_classes else TaskKind.REGRESSION


def _classes(
    values: dict[str, Any], kind: TaskKind, *, name: str, positive: str | int | float | bool | None
) -> tuple[str, ...]:
    """Return the classes in the order of their codes."""
    classes = _in_order(values)
    wanted = None if positive is None else canonical(positive)
    chosen = next((each for each in classes if wanted in (each, each.lower())), None)
    if wanted is not None and chosen is None:
        allowed = " and ".join(map(repr, classes[:2])) if len(classes) == 2 else _shown(classes)
        raise DataError(
            f"data.positive={positive!r} does not occur in target {name!r}; allowed are {allowed}"
        )
    if len(classes) == 1:
        raise DataError(
            f"target {name!r} is {classes[0]!r} in each row, so there is nothing to learn; two values are needed at least: "
            "set data.target to another column, or add rows of another class"
        )
    if kind is TaskKind.MULTICLASS:
        return tuple(classes)
    if len(classes) > 2 and chosen is None:
        raise DataError(
            f"target {name!r} has {len(classes)} classes ({_shown(classes)}); exactly two are needed; name one in "
            "data.positive to tell it from the rest, or set task=multiclass"
        )
    if chosen is None:
        return tuple(classes)
    others = [each for each in classes if each != chosen]
    return (others[0] if len(others) == 1 else f"not {chosen}", chosen)


def _shown(classes: Sequence[str]) -> str:
    return ", ".join(map(repr, classes[:_SHOWN])) + (", ..." if len(classes) > _SHOWN else "")
