"""Labelled rows of a file for a model that was saved without a reader: of a user's own loader, or of arrays."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from trainer.data.adopted import as_trained, reader_for
from trainer.data.encode import Array, Encoder, Table
from trainer.data.reading import header
from trainer.data.reading.reader import Options, Reader
from trainer.data.target import Target, TaskKind
from trainer.data.unlabelled import with_target
from trainer.errors import DataError, some_rows


def read_adopted(encoder: Encoder, labels: Target, file: Path) -> tuple[Table, Array]:
    """Return the columns of a file, those that the encoder takes as it takes them, and its targets as numbers.

    The target is the column of its name. Its classes are written by their names, or of two classes as 1 for the positive one and
    0 for the other. Raise DataError for a column that the file lacks, a target that is missing, and one of no known class.
    """
    features = reader_for(encoder, str(file)).read(str(file), only=encoder.names)
    kind = "number" if labels.task is TaskKind.REGRESSION else "text"
    _, table = Reader.fit(str(file), Options(wanted={labels.name: kind}))
    if labels.name not in table:
        raise DataError(f"{file.name} {header.lacking([labels.name], [*table])}")
    answers = with_target(table, labels.name, file.name, missing="error").table[labels.name]
    whole = replace(
        table, columns={**table.columns, **features.columns}, kinds={**table.kinds, **features.kinds}
    )
    return as_trained(encoder, whole), _codes(labels, answers)


def _codes(labels: Target, answers: Array) -> Array:
    if labels.task is TaskKind.REGRESSION:
        return np.asarray(answers, np.float64)
    places = {name: code for code, name in enumerate(labels.classes)}
    if labels.task is TaskKind.BINARY:
        places = {"0": 0, "1": 1, **places}
    unknown = np.array([str(each) not in places for each in answers])
    if unknown.any():
        first = answers[int(unknown.argmax())]
        raise DataError(
            f"target {labels.name!r} holds {first!r} in {some_rows(unknown)}, which is no class of the model; it knows "
            f"{', '.join(map(repr, labels.classes[:10]))}"
        )
    codes = np.array([places[str(each)] for each in answers])
    return codes.astype(np.int64 if labels.task is TaskKind.MULTICLASS else np.float32)
