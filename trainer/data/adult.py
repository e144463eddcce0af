"""UCI Census Income: `adult.data` trains and validates, `adult.test` reports, as its authors split it.

Every row is kept. `?` is a missing value and becomes a category of its own. Labels in the test file end with a
full stop, which is cut. `fnlwgt` is dropped by the config: it is the census weight of the row (how many people
it stands for), which says nothing about the person. `education` and `education-num` tell the same twice;
both are kept, one as categories, one as a number.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.data.check import ADULT_COLUMNS, ADULT_FILES, ADULT_SOURCE
from trainer.data.files import read_csv
from trainer.data.splits import by_ratio
from trainer.data.table import binarize, parts_of, roles
from trainer.data.tensors import Splits
from trainer.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

TARGET = ADULT_COLUMNS[-1]


def load(*, path: str, drop: Sequence[str], val_fraction: float, data_seed: int) -> Splits:
    """Read the two files in the folder `path`; the validation rows are drawn from `adult.data`."""
    folder = Path(path)
    known, test = (_read(folder / name) for name in ADULT_FILES)
    target = binarize(known[TARGET], name=TARGET, positive=">50K")
    parts = by_ratio(target[0], val_fraction=val_fraction, test_fraction=0, seed=data_seed)
    tables = [*(known.iloc[part] for part in parts[:2]), test]
    numeric, categorical = roles(tables[0], target=TARGET, drop=drop)
    return parts_of(tables, numeric=numeric, categorical=categorical, target=TARGET, positive=target[1])


def _read(path: Path) -> "pd.DataFrame":
    """Read one file, with or without a header line; the published test file opens with a remark."""
    if not path.is_file():
        raise DataError(
            f"data file {str(path)!r} does not exist (looked for {path.absolute()}); {ADULT_SOURCE}"
        )
    with path.open(encoding="utf-8", errors="replace") as file:
        opening = file.readline()
    skip = int(opening.startswith(("|", ADULT_COLUMNS[0])))
    table = read_csv(path, names=ADULT_COLUMNS, skip=skip, missing_values=["?"])
    return table.assign(**{TARGET: table[TARGET].str.rstrip(".")})
