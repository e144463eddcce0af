"""The profile of a table: its columns, their roles and why, as text for people and as JSON for programs."""

import shutil
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trainer.data.reading.header import shown
from trainer.data.roles import PLAIN, ColumnRole, Role

PROFILE = "data.json"  # the artifact that says what was found in a table

_ALL = 60  # columns that are all listed
_SOME = 30  # columns that are listed of a table with more
_FEW = 5  # plain features among these
_CLASSES = 10
_NAME = 20  # letters of a name and of a reason that a narrow terminal has room for
_HEAD = ("column", "role", "kind", "missing", "distinct", "why")
_NUMBERS = (3, 4)  # columns that are aligned on the right
_SPARE = (2, 4, 3)  # columns that a narrow terminal goes without, in this order


@dataclass(frozen=True)
class Profile:
    """What was found in a table, before anything is fitted to it."""

    source: str
    rows: int
    columns: tuple[ColumnRole, ...]
    classes: dict[str, int]  # labels of the target, and how many rows have each; none of a regression
    positive: str | None = None
    notes: tuple[str, ...] = ()
    task: str = "binary"

    @property
    def warnings(self) -> list[str]:
        """What a user might not expect, one line each."""
        return [*self.notes, *(each for column in self.columns for each in column.warnings)]

    def named(self, *roles: Role) -> tuple[str, ...]:
        """Return the columns of some roles, in the order of the table."""
        return tuple(each.name for each in self.columns if each.role in roles)

    def summary(self) -> str:
        """Return one line: rows, roles, the target and its positive class, and what is left out."""
        parts = [f"{self.source}: {self.rows} rows"]
        parts += [
            f"{role.value} {', '.join(map(shown, names))}"
            for role in (Role.NUMERIC, Role.TIME, Role.CATEGORICAL)
            if (names := self.named(role))
        ]
        parts += [f"target {shown(name)}, {self.task}{self._positive()}" for name in self.named(Role.TARGET)]
        serving = (Role.TIME_COLUMN, Role.GROUP, Role.WEIGHT)
        parts += [f"{role.value} {shown(name)}" for role in serving for name in self.named(role)]
        left_out = [
            f"{shown(each.name)} ({each.role.value})"
            for each in self.columns
            if not each.is_feature and each.role not in (Role.TARGET, *serving)
        ]
        return "; ".join([*parts, *([f"left out {', '.join(left_out)}"] if left_out else [])])

    def text(self, width: int | None = None) -> str:
        """Return the profile as a table of columns, with the target and its classes above it, at most `width` wide.

        Of many columns those are listed that are no plain features, and the first others.
        """
        lines = [f"{self.source}: {self.rows:,} rows, {len(self.columns):,} columns"]
        lines += [f"target {shown(name)}, {self.task}{self._classes()}" for name in self.named(Role.TARGET)]
        if width is not None:
            lines = [cut(each, width) for each in lines]
        listed = self._listed()
        lines += _table([_HEAD, *map(_cells, listed)], width)
        if rest := len(self.columns) - len(listed):
            roles = Counter(each.role.value for each in self.columns)
            roles.subtract(each.role.value for each in listed)
            counts = ", ".join(f"{count:,} {role}" for role, count in roles.items() if count)
            lines.append(f"... and {rest:,} more: {counts}")
        return "\n".join(lines)

    def _listed(self) -> list[ColumnRole]:
        places = [*range(len(self.columns))]
        if len(places) > _ALL:
            plain = [place for place in places if _is_plain(self.columns[place])]
            odd = [place for place in places if not _is_plain(self.columns[place])]
            few = plain[: max(_FEW, _SOME - len(odd))]
            places = sorted([*odd[: _SOME - min(_FEW, len(few))], *few])
        return [self.columns[place] for place in places]

    def _classes(self) -> str:
        counts = [f"{label} {count:,}" for label, count in [*self.classes.items()][:_CLASSES]]
        if len(self.classes) > _CLASSES:
            counts.append(f"and {len(self.classes) - _CLASSES:,} more")
        return (f": {', '.join(counts)}" if counts else "") + self._positive()

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return {**asdict(self), "notes": list(self.notes), "columns": [*_plain(self.columns)]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Profile":
        """Return the profile that `to_json` wrote."""
        columns = (
            ColumnRole(**{**each, "role": Role(each["role"]), "warnings": tuple(each["warnings"])})
            for each in value["columns"]
        )
        return cls(**{**value, "columns": tuple(columns), "notes": tuple(value["notes"])})

    def _positive(self) -> str:
        return f" (positive: {self.positive})" if self.positive is not None else ""


def terminal_width() -> int | None:
    """Return the width that a text for stdout has; None where that is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _is_plain(column: ColumnRole) -> bool:
    """Whether a column is a feature by its values alone, of which there is nothing to say."""
    return column.is_feature and not column.warnings and column.reason in PLAIN


def _cells(column: ColumnRole) -> tuple[str, ...]:
    missing = "-" if not column.missing else f"{column.missing:.1%}" if column.missing >= 0.001 else "<0.1%"
    # What the role says already is no reason.
    reason = "" if column.reason in PLAIN else column.reason
    name = shown(column.name)
    return name, column.role.value, column.kind, missing, f"{column.distinct:,}", reason


def _table(rows: Sequence[tuple[str, ...]], width: int | None) -> Iterator[str]:
    """Yield the rows of the table of columns; in a narrow place names and reasons are cut, kinds and counts left out."""
    kept = [*range(len(_HEAD))]
    widths = [max(len(row[place]) for row in rows) for place in kept]
    if width is not None:
        widths[0] = min(widths[0], max(_NAME, width - sum(widths[1:5]) - 2 * 5 - _NAME))
        for place in _SPARE:
            if sum(widths[each] + 2 for each in kept[:-1]) + min(widths[5], _NAME) > width:
                kept.remove(place)
        widths[5] = max(0, width - sum(widths[each] + 2 for each in kept[:-1]))
    right = [kept.index(place) for place in _NUMBERS if place in kept]
    cells = [[cut(row[place], widths[place], in_the_middle=place == 0) for place in kept] for row in rows]
    yield from laid_out(cells, right)


def laid_out(rows: Sequence[Sequence[str]], right: Collection[int]) -> Iterator[str]:
    """Yield rows of cells as lines; the cells of the columns in `right` are aligned on the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def cut(text: str, width: int, *, in_the_middle: bool = False) -> str:
    """Return a text with dots in the place of what is beyond a width."""
    if len(text) <= width:
        return text
    end = (width - 3) // 2 if in_the_middle else 0  # names often differ in their ends
    return f"{text[: max(0, width - 3 - end)]}...{text[len(text) - end :]}"[:width]


def _plain(columns: Sequence[ColumnRole]) -> Iterator[dict[str, Any]]:
    for each in columns:
        yield {**asdict(each), "role": each.role.value, "warnings": list(each.warnings)}
