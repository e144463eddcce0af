"""Rows without a target: an error that names them, unless the config says to leave them out."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer.data.encode import Array
from trainer.data.reading.columns import Long
from trainer.data.reading.reader import Table
from trainer.data.reading.writers import with_own_facts
from trainer.errors import DataError, some_rows
from trainer.overrides import override


@dataclass(frozen=True)
class Labelled:
    """A table whose rows all have a target; if some were left out, a line about them, and the numbers of the others."""

    table: Table
    note: str = ""
    rows: Array | None = None


def with_target(table: Table, name: str, source: str, *, missing: str) -> Labelled:
    """Return a table without the rows that lack a target; raise DataError for such rows unless `missing` is "skip"."""
    without = _missing(table[name])
    if not without.any():
        return Labelled(table)
    infinite = table.infinite.get(name, 0)
    fault = "infinite" if infinite == without.sum() else "missing or infinite" if infinite else "missing"
    marks, gap = table.marks.get(name, ()), getattr(table.kinds[name], "gap", None)
    words = ", ".join(map(repr, marks))
    both = ", ".join(map(repr, [*marks, *([gap] if gap else [])]))
    counts = f"; {both} counts as missing" if both else ""
    if missing != "skip":
        rename = f"; if {words} is a class, give it another name" if words else ""
        rename += f"; if {gap!r} is a class, set {override('data.categorical', name)}" if gap else ""
        raise DataError(
            f"{source}: target {name!r} is {fault} in {some_rows(without)}{counts}; fill or remove them, or leave them out "
            f"with data.missing_target=skip{rename}"
        )
    if without.all():
        raise DataError(f"{source}: target {name!r} is {fault} in all {len(without)} rows{counts}")
    note = f"{source}: target {name!r} is {fault} in {some_rows(without)}, which are left out{counts}"
    rows = np.flatnonzero(~without)
    kept = table.take(rows)
    for column, values in kept.columns.items():
        if isinstance(values, Long):
            known: Any = with_own_facts(values)
            kept = kept.with_column(column, known)
    return Labelled(kept, note, rows)


def _missing(values: Array) -> Array:
    if values.dtype == object:
        if isinstance(values, Long):
            return np.concatenate([block < 0 for block in values.blocks()])
        return np.array([each is None for each in values], bool)
    return np.isnan(values)
