"""One sheet of an Excel workbook, as columns of Python values."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainer.data.reading import dialect, first_row, header
from trainer.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from trainer.data.reading.reader import Options, Reader

_LOOKED_AT = 200  # rows that show whether the first is a header
_SHOWN = 5  # sheets named in a message


@dataclass(frozen=True)
class Sheet:
    """The columns of a sheet by name, the cells of its header, if it has one, and what a user should be told."""

    name: str
    columns: dict[str, list[Any]]
    cells: Sequence[str]
    notes: Sequence[str]


def read(content: bytes, label: str, options: "Options", trained: "Reader | None") -> Sheet:
    """Return one sheet of a workbook, without its empty rows; the first row that is not empty may be a header."""
    import pandas as pd

    try:
        book = pd.ExcelFile(io.BytesIO(content))
        name, notes = _chosen(book.sheet_names, options, trained)
        cells = pd.read_excel(book, sheet_name=name, header=None, dtype=object, skiprows=options.skip or 0)
        cells = cells.dropna(how="all")
    except ImportError as error:
        raise DataError(f"{label}: {error}; it comes with podium[excel]") from None
    except DataError as error:
        raise DataError(f"{label}: {error}") from None
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{label} cannot be read as Excel: {error}") from None
    if not len(cells):
        raise DataError(f"{label}: the sheet {name!r} is empty; a header line and rows are needed")
    head = cells[:_LOOKED_AT].itertuples(index=False)
    texts = [["" if pd.isna(each) else str(each) for each in row] for row in head]
    before = dialect.rows_before(texts) if options.skip is None else 0
    if before:
        titles = [next(each for each in row if each.strip()) for row in texts[:before]]
        notes += dialect.left_out(titles, options.keys)
        cells, texts = cells.iloc[before:], texts[before:]
    has_header = first_row.has_header(texts[0], texts[1:]) if options.header is None else options.header
    written = texts[0] if has_header else []
    names = header.unique(written) if has_header else header.numbered(cells.shape[1])
    if options.names is not None:
        if len(options.names) != len(names):
            raise DataError(
                f"{options.keys}names holds {len(options.names)} names, but {label} has {len(names)} columns"
            )
        names = header.unique(options.names)
    units = has_header and options.skip != 0 and first_row.are_units(texts[1:2], texts[2:])
    if units:
        notes.append(dialect.units_told(texts[1], options.keys))
    body = cells.iloc[has_header + units :]
    columns = {each: body.iloc[:, place].tolist() for place, each in enumerate(names)}
    return Sheet(name, columns, written, notes)


def _chosen(sheets: Sequence[Any], options: "Options", trained: "Reader | None") -> tuple[str, list[str]]:
    """Return the name of the sheet to read, and a line if there are others and none was named."""
    wanted = options.sheet if trained is None or options.sheet is not None else trained.sheet
    names, places = [*map(str, sheets)], {str(place): str(each) for place, each in enumerate(sheets, 1)}
    if wanted is not None and str(wanted) in names:  # a command line makes a number of a sheet named 7
        other = places.get(str(wanted), str(wanted)) if isinstance(wanted, int) else str(wanted)
        both = f"the sheet named {wanted} is read, not {other!r}, which is number {wanted}"
        return str(wanted), [both] if other != str(wanted) else []
    if isinstance(wanted, int) and str(wanted) in places:
        return places[str(wanted)], []
    if options.sheet is not None:
        near = did_you_mean(str(wanted), map(str, sheets), repr)
        raise DataError(
            f"{options.keys}sheet={wanted}: there is no such sheet{near}; there are {', '.join(map(str, sheets))}"
        )
    others = ", ".join(map(str, sheets[1 : 1 + _SHOWN])) + (", ..." if len(sheets) > 1 + _SHOWN else "")
    several = f"the workbook has {len(sheets)} sheets; {sheets[0]!r} is read; {options.keys}sheet names another ({others})"
    return str(sheets[0]), [several] if len(sheets) > 1 else []
