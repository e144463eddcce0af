"""Reads a CSV, TSV or Parquet file whole, or says in one line why it cannot be read and what to try."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.data.check import NOT_UTF8, TABLE_SUFFIXES, separator_of
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
    """Read a `.csv`, `.tsv` or `.parquet` file (also compressed, `.csv.gz`); at least one row is asked for."""
    import pandas as pd

    file = Path(path)
    if file.is_dir():
        raise DataError(f"data file {str(path)!r} is a folder; give the path of a file in it")
    if not file.is_file():
        raise DataError(f"data file {str(path)!r} does not exist (looked for {file.absolute()})")
    suffixes = [each.lower() for each in file.suffixes]
    if suffixes[-1:] == [".parquet"]:
        try:
            table = pd.read_parquet(file)
        except (OSError, ValueError) as error:
            raise DataError(f"data file {str(path)!r} cannot be read as Parquet: {error}") from None
        return _some_rows(table, path)
    if not set(TABLE_SUFFIXES) & set(suffixes):
        raise DataError(
            f"data file {str(path)!r} has the suffix {file.suffix!r}; allowed are .csv, .tsv and .parquet"
        )
    return read_csv(
        file, separator=separator_of(file, separator), encoding=encoding, missing_values=missing_values
    )


def read_csv(
    path: Path,
    *,
    separator: str = ",",
    encoding: str = "utf-8",
    names: Sequence[str] | None = None,
    skip: int = 0,
    missing_values: Sequence[str] = (),
) -> "pd.DataFrame":
    """Read delimited text; blanks after a separator are cut, and `missing_values` add to the usual marks."""
    import pandas as pd

    try:
        table = pd.read_csv(
            path,
            sep=separator,
            encoding=encoding,
            names=None if names is None else list(names),
            header="infer" if names is None else None,
            skiprows=skip,
            skipinitialspace=True,
            na_values=list(missing_values),
            low_memory=False,  # types come from the whole column, not from blocks of it
        )
    except pd.errors.EmptyDataError:
        raise DataError(f"data file {str(path)!r} is empty; a header line and rows are needed") from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(
            f"data file {str(path)!r} is not {encoding}: it holds the byte 0x{byte:02x}; {NOT_UTF8}"
        ) from None
    except (pd.errors.ParserError, OSError, EOFError) as error:
        raise DataError(f"data file {str(path)!r} cannot be read as CSV: {_reason(error)}") from None
    return _some_rows(table, path)


def _reason(error: Exception) -> str:
    ragged = _RAGGED.search(str(error))
    if ragged:
        expected, line, found = ragged.groups()
        return f"line {line} has {found} values, where {expected} are expected"
    return str(error).strip()


def _some_rows(table: "pd.DataFrame", path: str | Path) -> "pd.DataFrame":
    if len(table) == 0:
        raise DataError(f"data file {str(path)!r} has 0 rows; a header line and rows are needed")
    return table
