"""The columns that a prediction adds to a table: their names, and their values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.data.reading.arrow import Array, of_texts
from trainer.data.target import Target, TaskKind
from trainer.tasks.threshold import codes


@dataclass(frozen=True)
class Added:
    """The columns of one model beside the columns of one table.

    Two classes: `probability` of the positive one, and `label`. Several: `probability_CLASS` for each, and `label`. A
    regression: `prediction`. Where the table has a column of the name, it is `predicted_label` and so on.
    """

    target: Target
    names: tuple[str, ...]
    renamed: tuple[str, ...] = ()  # a line for each name that was taken

    @classmethod
    def beside(cls, target: Target, taken: Sequence[str]) -> "Added":
        """Return the columns that a model adds to a table with these columns."""
        wanted = {
            TaskKind.BINARY: ("probability", "label"),
            TaskKind.MULTICLASS: (*(f"probability_{each}" for each in target.classes), "label"),
            TaskKind.REGRESSION: ("prediction",),
        }[target.task]
        names: list[str] = []
        lines = []
        for name in wanted:
            free = _free(name, {*taken, *names})
            names.append(free)
            if free != name:
                lines.append(f"the input has a column {name!r}, so the predicted one is {free!r}")
        return cls(target, tuple(names), tuple(lines))

    def columns(self, predictions: Array, threshold: float) -> list[Any]:
        """Return the columns as Arrow arrays; labels are text, or whole numbers where all classes are."""
        import pyarrow as pa

        parts = predictions.T if predictions.ndim == 2 else [predictions]
        columns = [_array(pa.float64(), np.asarray(each, np.float64)) for each in parts]
        if self.target.task is TaskKind.REGRESSION:
            return columns
        found = codes(predictions, threshold)
        if all(map(_is_whole, self.target.classes)):
            return [*columns, _array(pa.int64(), np.array([*map(int, self.target.classes)], np.int64)[found])]
        texts = of_texts(self.target.classes)
        indices = _array(pa.int64(), found)
        return [*columns, pa.DictionaryArray.from_arrays(indices, texts).dictionary_decode()]


def _free(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    free, count = f"predicted_{name}", 0
    while free in taken:
        count += 1
        free = f"predicted_{name}.{count}"
    return free


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and len(text) < 18 and text == str(int(text))


def _array(kind: Any, values: Array) -> Any:
    import pyarrow as pa

    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])
