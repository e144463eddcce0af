"""Whether the first row of a table holds the names of its columns, found by what stands below it."""

import itertools
import re
from collections.abc import Mapping, Sequence

MISSING = frozenset(
    ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
     "NA", "NULL", "NaN", "NaT", "None", "n/a", "nan", "null")
)  # fmt: skip # the marks of pandas.read_csv
GAPS = (  # missing, too, in a column of numbers
    "?", "-", "--", "..", ".", "*", "unknown", "Unknown", "UNKNOWN", "missing", "Missing", "n.a.", "N.A.", "na", "n.d.", "ND", "n/d",
    "none", "NONE", "Null", "NAN", "k.A.", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?",
)  # fmt: skip
_NO_UNIT = frozenset(("", "-", "--", "[-]", "(-)", "[]"))  # of what has none
_LONGEST_UNIT = 12  # letters
_FEWEST = 3  # rows that show that a row above them holds units
_FEW = 10  # rows that may repeat a text by chance
_PLAIN = re.compile(r"\(?[-+]?\s*[$€£]?\s*(\d[\d.,' ]*|\.\d+)(e[-+]?\d+)?-?\s*[%‰€]?\)?", re.IGNORECASE)
_TIME = re.compile(r"\d{1,4}[-/.:]\d{1,2}[-/.:]\d{1,4}([ T].*)?|\d{1,2}:\d\d")


def has_header(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether the first row holds names rather than values.

    A text above a column of numbers is a name. A number there is a value, unless the whole row counts up. A text that
    occurs in its own column is a value, one that does not is a name, if the column repeats its values. The columns of an
    array that pandas writes are 0, 1, 2, ..., beside names, and after the nameless index.
    """
    cells = [cell.strip() for cell in first]
    if not body or not any(cells) or _counts_up(cells):
        return True
    columns = [[row[place].strip() for row in body if place < len(row)] for place in range(len(cells))]
    if not cells[0] and _is_index(columns[0]) and _rises(cells[1:]):
        return True
    for_names = for_values = 0
    numbers: dict[str, list[str]] = {}  # cells above numbers, and these
    for cell, column in zip(cells, columns, strict=True):
        present = [value for value in column if value not in MISSING and value != "?"]
        if not present or cell in MISSING or cell == "?":
            continue
        if all(map(_is_value, present)):
            if not _is_value(cell):
                return True
            for_values += 1
            numbers[cell] = present
        elif cell in present:
            for_values += 1
        elif len(set(present)) <= len(present) / 2:
            for_names += 1
    if for_values == len(numbers) and _are_positions(numbers, beside_names=for_names > 0, rows=len(body)):
        return True
    return for_names >= for_values


def _are_positions(numbers: Mapping[str, Sequence[str]], *, beside_names: bool, rows: int) -> bool:
    """Whether numbers of a first row are the names of columns, such as 0, 1, 2, ... or years, by what stands below them."""
    if not _rises([*numbers]):
        return False
    if beside_names and len(numbers) >= (2 if rows >= _FEW else 3):
        return True
    if rows < _FEW or len(numbers) < 2:
        return False
    if all("." in each for column in numbers.values() for each in column):
        return True
    return _counts_up([*numbers]) and not any(cell in column for cell, column in numbers.items())


def _rises(cells: Sequence[str]) -> bool:
    """Whether all numbers among some cells are whole, and each is larger than the one before."""
    found = [each for each in cells if _is_value(each)]
    whole = all(each.isascii() and each.isdecimal() for each in found)
    return bool(found) and whole and all(int(a) < int(b) for a, b in itertools.pairwise(found))


def _is_index(column: Sequence[str]) -> bool:
    """Whether a column numbers the rows, in any order."""
    return len({*column}) == len(column) and all(each.isascii() and each.isdecimal() for each in column)


def is_surely_header(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether no cell of a row above a column of values is a value, and there is such a column."""
    above = []
    for position, cell in enumerate(first):
        column = [row[position].strip() for row in body if position < len(row)]
        present = [value for value in column if value not in MISSING and value != "?"]
        if present and all(map(_is_value, present)):
            above.append(cell.strip())
    return bool(above) and not any(cell in MISSING or cell == "?" or _is_value(cell) for cell in above)


def are_units(rows: Sequence[Sequence[str]], body: Sequence[Sequence[str]]) -> bool:
    """Whether a row below a header holds units, such as m, -, EUR, by the values below it.

    No cell above values may be a value, and two at least must be short words that occur in no row.
    """
    if not rows or len(body) < _FEWEST or len({len(row) for row in (*rows, *body[:_FEWEST])}) > 1:
        return False
    words = 0
    for place, cell in enumerate(each.strip() for each in rows[0]):
        column = [row[place].strip() for row in body if place < len(row)]
        present = [value for value in column if value not in MISSING and value not in GAPS]
        if cell in _NO_UNIT:
            continue
        if len(cell) > _LONGEST_UNIT or _is_value(cell) or cell in column:
            return False
        words += bool(present) and all(map(_is_value, present)) and cell not in MISSING and cell not in GAPS
    return words >= 2


def _is_value(cell: str) -> bool:
    cell = cell[2:-1] if cell.startswith('="') else cell.removeprefix("'")  # as spreadsheets keep text
    return bool(_PLAIN.fullmatch(cell) or _TIME.fullmatch(cell))


def _counts_up(cells: Sequence[str]) -> bool:
    if len(cells) < 3 or not all(cell.isascii() and cell.isdecimal() for cell in cells):
        return False
    return all(int(b) == int(a) + 1 for a, b in itertools.pairwise(cells))
