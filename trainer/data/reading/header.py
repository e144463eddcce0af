"""The one parser of a header: from the cells of the first row to names that are unique, and back by any usual name.

A repeated name becomes `y.1`, as pandas has it, so a DataFrame of anybody's `read_csv` has the same names. A nameless
column is `column_3`; the names that pandas gives it, and none, find it, too.
"""

from collections.abc import Iterable, Mapping, Sequence

from trainer.errors import did_you_mean, nearest

TRAINING = "data."  # before the names of keys in messages; a prediction has no sections
_SHOWN = 20  # columns named in a message
_LETTERS = 60  # shown of a column name in a message


def unique(cells: Sequence[str]) -> tuple[str, ...]:
    """Return a name for each column: cut of blanks, and like no other."""
    names = [cell.strip().removeprefix("\ufeff").strip() for cell in cells]
    taken = set(names)
    seen: set[str] = set()
    for position, name in enumerate(names):
        base, count = name or f"column_{position + 1}", 0
        chosen = base
        while chosen in seen or (chosen != name and chosen in taken):
            count += 1
            chosen = f"{base}.{count}"
        seen.add(chosen)
        names[position] = chosen
    return tuple(names)


def numbered(count: int) -> tuple[str, ...]:
    """Return the names of the columns of a table without a header."""
    return tuple(f"column_{position}" for position in range(1, count + 1))


def renamed(cells: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Return the names that are not as the header has them, each with a line that says so."""
    lines = {}
    for position, (cell, name) in enumerate(zip(cells, names, strict=False), 1):  # no cells without a header
        plain = cell.strip().removeprefix("\ufeff").strip()
        if not plain:
            lines[name] = f"column {position} of the header has no name; it is read as {name!r}"
        elif plain != name and name.startswith(f"{plain}."):
            lines[name] = f"the header names {plain!r} twice; its column {position} is read as {name!r}"
    return lines


def other_names(name: str, position: int) -> tuple[str, ...]:
    """Return the names that others give to the column at a position that has none: pandas, a header as written."""
    return (f"Unnamed: {position}", "") if name == f"column_{position + 1}" else ()


def found(asked: object, names: Sequence[str]) -> str | None:
    """Return the column that a user names, or None: as it is, without blanks, as others name it, or by the same number.

    A command line makes a number of 4 and of 1.10, which may be names.
    """
    plain = str(asked)
    for each in (plain, plain.strip()):
        if each in names:
            return each
    for position, name in enumerate(names):
        if plain.strip() in other_names(name, position):
            return name
    if (number := _number(plain)) is None:
        return None
    same = [name for name in names if _number(name) == number]
    return same[0] if len(same) == 1 else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def matched(given: Iterable[str], wanted: Mapping[str, int], *, numbered: bool = False) -> dict[str, str]:
    """Return which columns of a table are the wanted ones (name to position), by any of their names.

    With `numbered`, a column without a name may also be called by its position, as pandas does without a header.
    """
    table: dict[str, str] = {}
    for label in given:
        table.setdefault(label.strip(), label)
    columns: dict[str, str] = {}
    for name, position in wanted.items():
        choices = [name, *other_names(name, position)]
        if position or numbered:
            choices = [
                each for each in choices if each
            ]  # what has no name at all is a first column, an index
        if numbered and name == f"column_{position + 1}":
            choices.append(str(position))
        for each in choices:
            if each in table:
                columns[name] = table[each]
                break
    return columns


def no_column(asked: object, columns: Sequence[str]) -> str:
    """Return the message for a missing column, with a near match and the first columns there are."""
    name = str(asked)
    hint = did_you_mean(name, columns, repr)
    more = ", ..." if len(columns) > _SHOWN else ""
    return f"no column {name!r}{hint}; columns are {', '.join(map(shown, columns[:_SHOWN]))}{more}"


def lacking(absent: Sequence[str], columns: Sequence[str]) -> str:
    """Return the message for columns that a model needs and a table lacks, with what the table may call them instead."""
    rest = [each for each in columns if each not in absent]
    near = ((name, nearest(name, rest)) for name in absent)
    named = (shown(name) + ("" if each is None else f" (it has {shown(each)!r})") for name, each in near)
    return (
        f"lacks columns the model was trained on: {', '.join(named)}; "
        f"its columns are {', '.join(map(shown, columns[:_SHOWN]))}"
    )


def shown(name: str) -> str:
    """Return a column's name for a message: one line, no control characters, not too long."""
    plain = name if name.isprintable() else repr(name)[1:-1]
    return plain if len(plain) <= _LETTERS else f"{plain[:_LETTERS]}..."
