"""Reads CSV, TSV and Parquet files, and explains in one line why a file cannot be read."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.data.check import EMPTY, NOT_UTF8, file_problem, separator_of
from trainer.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_RAGGED = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")


def read(
    path: str | Path,
    *,
    missing_values: Sequence[str] = (),
    separator: str | None = None,
    encoding: str = "utf-8",
) -> "pd.DataFrame":
    """Read a `.csv`, `.tsv` or `.parquet` file, or a compressed one (`.csv.gz`).

    Raise DataError when the file cannot be read or has no rows.
    """
    import pandas as pd

    file = Path(path)
    if problem := file_problem(file):
        raise DataError(f"data file {str(path)!r}: {problem}")
    if file.suffix.lower() != ".parquet":
        sep = separator_of(file, separator)
        return read_csv(file, missing_values=missing_values, encoding=encoding, sep=sep)
    try:
        table = pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise DataError(f"data file {str(path)!r} cannot be read as Parquet: {error}") from None
    return _with_rows(table, path)


def read_csv(
    path: Path, *, missing_values: Sequence[str], encoding: str = "utf-8", **options: Any
) -> "pd.DataFrame":
    """Read delimited text with options of pandas.read_csv; `missing_values` are read as missing, too."""
    import pandas as pd

    try:
        table: pd.DataFrame = pd.read_csv(
            path,
            encoding=encoding,
            na_values=list(missing_values),
            skipinitialspace=True,
            low_memory=False,  # types come from the whole column, not from blocks of it
            **options,
        )
    except pd.errors.EmptyDataError:
        raise DataError(f"data file {str(path)!r}: {EMPTY}") from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(
            f"data file {str(path)!r} is not {encoding}: it holds the byte 0x{byte:02x}; {NOT_UTF8}"
        ) from None
    except (pd.errors.ParserError, OSError, EOFError) as error:
        raise DataError(f"data file {str(path)!r} cannot be read as CSV: {_reason(error)}") from None
    return _with_rows(table, path)


def _reason(error: Exception) -> str:
    ragged = _RAGGED.search(str(error))
    if ragged:
        expected, line, found = ragged.groups()
        return f"line {line} has {found} values, where {expected} are expected"
    return str(error).strip()


def _with_rows(table: "pd.DataFrame", path: str | Path) -> "pd.DataFrame":
    if len(table) == 0:
        raise DataError(f"data file {str(path)!r} has 0 rows; a header line and rows are needed")
    return table
