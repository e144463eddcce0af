"""UCI Census Income: `adult.data` is split into train and val, `adult.test` is the test split.

Every row is kept. `?` is a missing value and becomes a category of its own. Labels in the test file end with
a full stop, which is cut. The config drops `fnlwgt`, the census weight of a row (the number of people it
represents), which is no property of the person. `education` and `education-num` hold the same information,
one as categories, one as a number; both are kept.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.data.check import ADULT_COLUMNS, ADULT_FILES, ADULT_SOURCE, no_file
from trainer.data.files import read_csv
from trainer.data.splits import by_ratio
from trainer.data.table import is_positive, parts_of, positive_class, roles
from trainer.data.tensors import Splits
from trainer.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

TARGET = ADULT_COLUMNS[-1]


def load(*, path: str, drop: Sequence[str], val_fraction: float, data_seed: int) -> Splits:
    """Read the two files in the folder `path`; the validation rows are drawn from `adult.data`."""
    known, test = (_read(Path(path) / name) for name in ADULT_FILES)
    positive = positive_class([known[TARGET]], name=TARGET, positive=">50K")
    target = is_positive(known[TARGET], positive)
    train, val, _ = by_ratio(target, val_fraction=val_fraction, test_fraction=0, seed=data_seed)
    numeric, categorical = roles(known, target=TARGET, drop=drop)
    tables = [known.iloc[train], known.iloc[val], test]
    return parts_of(tables, numeric=numeric, categorical=categorical, target=TARGET, positive=positive)


def _read(path: Path) -> "pd.DataFrame":
    """Read one file, with or without a header line; the published test file starts with a remark."""
    if not path.is_file():
        raise DataError(f"data file {str(path)!r}: {no_file(path, ADULT_SOURCE)}")
    with path.open(encoding="utf-8", errors="replace") as file:  # read_csv reports a wrong encoding
        opening = file.readline()
    skip = int(opening.startswith(("|", ADULT_COLUMNS[0])))
    table = read_csv(path, missing_values=["?"], names=[*ADULT_COLUMNS], header=None, skiprows=skip)
    return table.assign(**{TARGET: table[TARGET].str.rstrip(".")})
