"""The profile of a table: its columns, their roles and why, as text for people and as JSON for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trainer.data.reading.header import shown
from trainer.data.roles import ColumnRole, Role

_REASON = 60  # letters of a reason in a table
_LISTED = 60  # columns in a table; wide tables would fill screens


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
        left_out = [
            f"{shown(each.name)} ({each.role.value})"
            for each in self.columns
            if not each.is_feature and each.role is not Role.TARGET
        ]
        return "; ".join([*parts, *([f"left out {', '.join(left_out)}"] if left_out else [])])

    def text(self) -> str:
        """Return the profile as a table of columns, with the target and its classes above it."""
        counts = ", ".join(f"{label} {count}" for label, count in [*self.classes.items()][:10])
        more = ", ..." if len(self.classes) > 10 else ""
        lines = [f"{self.source}: {self.rows} rows, {len(self.columns)} columns"]
        lines += [
            f"target {shown(name)}, {self.task}{':' * bool(counts)} {counts}{more}{self._positive()}".rstrip()
            for name in self.named(Role.TARGET)
        ]
        cells = [
            ("column", "role", "kind", "missing", "distinct", "why"),
            *map(_cells, self.columns[:_LISTED]),
        ]
        widths = [max(len(row[place]) for row in cells) for place in range(5)]
        lines += ["  ".join([*map(str.ljust, row[:5], widths), row[5]]).rstrip() for row in cells]
        if len(self.columns) > _LISTED:
            lines.append(f"... and {len(self.columns) - _LISTED} more")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return {**asdict(self), "notes": list(self.notes), "columns": [*_plain(self.columns)]}

    def _positive(self) -> str:
        return f" (positive: {self.positive})" if self.positive is not None else ""


def _cells(column: ColumnRole) -> tuple[str, ...]:
    missing = f"{column.missing:.1%}" if column.missing else "-"
    reason = column.reason if len(column.reason) <= _REASON else f"{column.reason[:_REASON]}..."
    return shown(column.name), column.role.value, column.kind, missing, str(column.distinct), reason


def _plain(columns: Sequence[ColumnRole]) -> Iterator[dict[str, Any]]:
    for each in columns:
        yield {**asdict(each), "role": each.role.value, "warnings": list(each.warnings)}
