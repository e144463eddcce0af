"""UCI Census Income: `adult.data` is split into train and val, `adult.test` into test and promotion rows.

Every row is kept. `?` is a missing value and becomes a category of its own. Labels in the test file end with
a full stop, which is cut. The config drops `fnlwgt`, the census weight of a row (the number of people it
represents), which is no property of the person. `education` and `education-num` hold the same information,
one as categories, one as a number; both are kept.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from trainer.data.check import ADULT_COLUMNS, ADULT_FILES, ADULT_SOURCE
from trainer.data.division import Folds, Way
from trainer.data.reading.files.formats import no_file
from trainer.data.reading.reader import Options, Reader, Table
from trainer.data.roles import Given, find
from trainer.data.table import profile_of, splits_of
from trainer.data.target import Target
from trainer.data.tensors import Folded, Splits
from trainer.errors import DataError

TARGET = ADULT_COLUMNS[-1]


def load(
    *,
    path: str,
    drop: Sequence[str],
    val_fraction: float,
    data_seed: int,
    folds: int | None = None,
    fold: int | None = None,
    promotion_fraction: float = 0.0,
) -> Splits:
    """Read the two files in the folder `path`; the validation rows are drawn from `adult.data`.

    With `folds` the rows of `adult.data` are cut into so many, and `fold` is the one to validate on. `promotion_fraction` is the
    share of `adult.test` that is kept for the gate.
    """
    (reader, known), (_, test) = (_read(Path(path) / name) for name in ADULT_FILES)
    labels = Target.found([known[TARGET], test[TARGET]], name=TARGET, positive=">50K")
    answers = [labels.codes(each[TARGET]) for each in (known, test)]
    way = Way(val_fraction, 0.0, data_seed, Folds.asked(folds, fold), promotion=promotion_fraction)
    division = way.divide(answers[0])
    rows = [*division.rows[:2], *way.kept_apart(np.arange(len(test)), answers[1])]
    sources = [0, 0, *[1] * (len(rows) - 2)]
    roles = tuple(find(known, Given.of(reader.names, target=[TARGET], drop=drop), target=TARGET))
    profile = profile_of(ADULT_FILES[0], known, roles, labels)
    parts = [(known, test)[source].take(each) for source, each in zip(sources, rows, strict=True)]
    targets = [answers[source][each] for source, each in zip(sources, rows, strict=True)]
    splits = replace(splits_of(parts, targets, labels, reader, profile), rows=rows)
    if division.folds is None:
        return splits
    return replace(splits, folded=Folded(known, answers[0], division.folds))


def _read(path: Path) -> tuple[Reader, Table]:
    """Read one file, with or without a header line; the published test file starts with a remark."""
    if not path.is_file():
        raise DataError(f"data file {str(path)!r}: {no_file(path, ADULT_SOURCE)}")
    with path.open(encoding="utf-8", errors="replace") as file:  # the reader reports a wrong encoding
        opening = file.readline()
    options = Options(
        names=ADULT_COLUMNS,
        header=opening.startswith(ADULT_COLUMNS[0]),
        skip=int(opening.startswith("|")),
        missing_values=["?"],
    )
    reader, table = Reader.fit(path, options)
    labels = np.array([each and each.rstrip(".") for each in table[TARGET]], object)
    return reader, table.with_column(TARGET, labels)
