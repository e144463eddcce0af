"""Lines of CSV that every reader takes apart alike, and cells that a spreadsheet does not run.

A spreadsheet takes a text that begins like a formula for one, whoever wrote it: a parameter of a run may come from
anywhere.
"""

import re
from collections.abc import Iterable

# the wide forms too, which some spreadsheets read alike
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

_SPECIAL = re.compile('[,"\r\n]')


def csv_line(cells: Iterable[str]) -> str:
    """Return a line of CSV with its end."""
    # not csv.writer, which leaves a lone carriage return unquoted, and its reader ends the line there
    quoted = [f'"{cell.replace(chr(34), chr(34) * 2)}"' if _SPECIAL.search(cell) else cell for cell in cells]
    return ",".join(quoted if quoted != [""] else ['""']) + "\n"


def no_formula(cell: str) -> str:
    """Return a cell that a spreadsheet takes for text or a number: any other that begins like a formula gets a quote."""
    if not cell.startswith(FORMULA):
        return cell
    if cell[0] in "+-":  # before a number float() takes a tab and the end of a line too
        try:
            float(cell)
        except ValueError:
            pass
        else:
            return cell
    return f"'{cell}"
