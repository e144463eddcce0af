"""Which columns of a table a terminal has room for, and which of their cells are cut.

Columns are left out in the order of their `drop`. Where some hold what the table is about (`keeps`), these go last:
before one of them goes, cells are cut in the middle. A table without such columns keeps its cells whole, and they fold
when even the columns that stay do not fit. Only tables on a terminal come here, so rich may be loaded.
"""

import functools
import os.path
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

GAP = 3  # what rich puts between two columns: a space, a divider, a space
ROOMY = 24  # a kept cell of up to this width is worth more than the columns that may be left out
LEAST = 6  # no kept cell is cut to less while another column can be left out
NAME = 8  # a name is cut to this before cells are
SHORT = 4  # a name is cut to less only when nothing else is left to cut
ELLIPSIS = "…"
BEFORE = 2  # characters of a common beginning that are shown
COMPARED = 200  # cells that a cut tells apart; more are not looked at


@dataclass(frozen=True)
class Column:
    """A column of cells as text.

    On a narrow terminal the columns with the highest `drop` are left out first, 0 stays. A column that `keeps` has its
    cells cut before it is left out. A column that `wraps` breaks its cells at spaces. `brief` is a shorter name.
    """

    name: str
    cells: Sequence[str]
    drop: int = 0
    left: bool = False
    wraps: bool = False
    keeps: bool = False
    brief: str = ""

    @property
    def width(self) -> int:
        """The width on a terminal that cuts nothing."""
        return max(cells_wide(self.name), self.cells_width)

    @property
    def cells_width(self) -> int:
        """The width of the widest cell; of the widest word where cells wrap."""
        cells = [word for cell in self.cells for word in cell.split()] if self.wraps else self.cells
        return max(map(cells_wide, cells), default=0)


def fit(columns: Sequence[Column], width: int, ellipsis: str = ELLIPSIS) -> list[tuple[Column, Column]]:
    """Return the columns that fit into `width`, each as it is and as it is cut."""
    kept = list(columns)

    def leave_out(least: int) -> None:
        # Without `keeps` a column has its whole width or none.
        taken = sum(_least(column, least) + GAP for column in kept) - GAP
        others = sorted(
            (each for each in kept if each.drop and (least < ROOMY or not each.keeps)),
            key=lambda column: column.drop,
        )
        gone = set()
        while taken > width and others:
            last = others.pop()
            gone.add(id(last))  # another column may equal it
            taken -= _least(last, least) + GAP
        kept[:] = [each for each in kept if id(each) not in gone]

    leave_out(ROOMY)
    leave_out(LEAST)
    if fits(kept, width) or not any(column.keeps for column in columns):
        return [(column, column) for column in kept]
    room = width - GAP * (len(kept) - 1)
    named = [replace(column, name=column.brief or column.name) for column in kept]
    widths = _level(named, room)
    return [
        (column, _cut_column(short, limit, ellipsis))
        for column, short, limit in zip(kept, named, widths, strict=True)
    ]


def fits(columns: Sequence[Column], width: int) -> bool:
    """Return whether columns fit into `width` as they are."""
    return sum(column.width + GAP for column in columns) - GAP <= width


def _least(column: Column, least: int) -> int:
    if column.keeps:
        return min(column.width, least)
    # The name of a column that stays may be cut: its cells say most of what it is.
    return _named(column, SHORT) if least < ROOMY and not column.drop else column.width


def _named(column: Column, name: int) -> int:
    """Return the width of a column whose name is cut to `name`, and no cell."""
    return min(column.width, max(column.cells_width, name))


def _level(columns: Sequence[Column], room: int) -> list[int]:
    """Return a width for each column, `room` in sum: cut are long cells first, then names, then cells, widest first."""
    widths = [min(column.width, max(room, 1)) for column in columns]
    floors = (
        [_least(column, ROOMY) for column in columns],
        [
            min(_named(column, NAME), ROOMY // 2) if column.keeps else _named(column, NAME)
            for column in columns
        ],
        [_least(replace(column, drop=0), LEAST) for column in columns],
        [1] * len(columns),
    )
    for least in floors:
        while sum(widths) > room:
            can_give = [each for each, floor in enumerate(least) if widths[each] > floor]
            if not can_give:
                break
            widths[max(can_give, key=widths.__getitem__)] -= 1
    return widths


def _cut_column(column: Column, width: int, ellipsis: str) -> Column:
    name = cut([column.name], width, ellipsis)[0]
    return replace(
        column, name=name, cells=column.cells if column.wraps else cut(column.cells, width, ellipsis)
    )


def cut(texts: Sequence[str], width: int, ellipsis: str = ELLIPSIS) -> list[str]:
    """Return texts of at most `width` cells, those that are longer cut in the middle.

    They are cut where those that differ still differ, as far as there is such a place.
    """
    longer = list(dict.fromkeys(text for text in texts if cells_wide(text) > width))
    room = width - cells_wide(ellipsis)
    if not longer or room < 1:
        return [text if cells_wide(text) <= width else ellipsis for text in texts]
    heads = sorted(range(room + 1), key=lambda head: abs(head - (room + 1) // 2))
    ways: list[Callable[[str], str]] = [
        functools.partial(_without_middle, head=head, tail=room - head, ellipsis=ellipsis) for head in heads
    ]
    # Texts that begin alike and end alike are told apart by what follows their common beginning.
    common = len(os.path.commonprefix(longer)) - BEFORE  # noqa: RUF071 - of texts, which need not be paths
    if common > 0 and room > 1:
        ways.append(functools.partial(_from_within, start=common, room=room - 1, ellipsis=ellipsis))
    some = longer[:COMPARED]

    def told_apart(way: Callable[[str], str]) -> int:
        return len(set(map(way, some)))

    way = next((way for way in ways if told_apart(way) == len(some)), None) or max(ways, key=told_apart)
    shown = {text: way(text) for text in longer}
    return [shown.get(text, text) for text in texts]


def _without_middle(text: str, head: int, tail: int, ellipsis: str) -> str:
    return f"{_start(text, head)}{ellipsis}{_start(text[::-1], tail)[::-1]}"


def _from_within(text: str, start: int, room: int, ellipsis: str) -> str:
    rest = text[start:]
    part = _start(rest, room)
    return f"{ellipsis}{part}{ellipsis if part != rest else ''}"


def _start(text: str, width: int) -> str:
    start = text[:width]
    while cells_wide(start) > width:
        start = start[:-1]
    return start


def cells_wide(text: str) -> int:
    """Return how many cells of a terminal a printable text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
