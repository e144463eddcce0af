"""Windows of the table of runs, answered by the index: the rows that a page shows, never all of the store's."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from tracking.browse import cells
from tracking.browse.seed_groups import SPREAD, Group, Made, groups_of, sorted_groups
from tracking.browse.store_names import suggested
from tracking.errors import InvalidValueError, QueryError, quoted
from tracking.search.index import View
from tracking.search.query import Field, FieldKind, MetricPart, Names, parse_field, resolve
from tracking.search.search import Search

MOST_ROWS = 5000
MOST_COLUMNS = 500
OF_NOW = ("today", "yesterday", "ago")  # words of a filter whose answer changes while no run does
LABELS = {
    "run_id": "run",
    "experiment_name": "experiment",
    "created_at": "created",
    "finished_at": "finished",
    "duration_s": "duration",
}


class Question(NamedTuple):
    """What a page asks of the table."""

    text: str
    sort: tuple[str, ...]
    experiment: str | None
    columns: tuple[str, ...] | None
    offset: int
    limit: int
    by_seeds: bool

    def checked(self) -> "Question":
        """Return the question; raise InvalidValueError for a window that is none or too large."""
        for name, number, most in (("offset", self.offset, None), ("limit", self.limit, MOST_ROWS)):
            if type(number) is not int or number < 0 or (most is not None and number > most):
                bound = "0 or more" if most is None else f"0 to {most}"
                raise InvalidValueError(f"{name} {quoted(number)} is no number of rows; give {bound}")
        if self.columns is not None and len(self.columns) > MOST_COLUMNS:
            raise InvalidValueError(f"{len(self.columns)} columns are too many; choose up to {MOST_COLUMNS}")
        return self


def table_of(view: View, asked: Question, made: Made) -> dict[str, Any]:
    """Return a window of the table, with warnings of what in its filter no run has or can pass. Raise QueryError for a filter, an order or a column that is malformed.

    `made` is for `groups_of`.
    """
    names = view.names()
    search = Search.parse(asked.text, experiment_name=asked.experiment, order_by=asked.sort)
    columns = asked.columns
    if columns is None:
        key = ("suggested", asked.experiment)
        columns = view.kept(key, lambda: tuple(suggested(view, names, asked.experiment)))
    fields = [_field(column, names) for column in dict.fromkeys(columns)]
    notes: list[str] = []
    answer: dict[str, Any] = {"total": view.count(asked.experiment)}
    if asked.by_seeds:
        groups = groups_of(view, replace(search, orders=()).select(view, notes), made)
        rows = sorted_groups(view, groups, search, names)
        answer |= {"matching": len(rows), "offset": asked.offset}
        shown = rows[asked.offset : asked.offset + asked.limit]
        answer["run_ids"] = [group.run_ids[0] for group in shown]
        answer["groups"] = [{"run_ids": group.run_ids, "n": len(group.run_ids)} for group in shown]
        values = [_spread_column(view, shown, field) for _, field in fields]
    else:
        numbers, answer["matching"] = _window(view, search, asked, answer["total"], notes)
        answer |= {"offset": asked.offset, "run_ids": view.run_ids(numbers)}
        values = [cells.column(each) for each in view.columns([field for _, field in fields], numbers)]
    answer["columns"] = [
        _described(name, field, column, names) for (name, field), column in zip(fields, values, strict=True)
    ]
    answer["values"] = values
    answer["warnings"] = [cells.value(each) for each in dict.fromkeys((*search.unknown(names), *notes))]
    return answer


def _window(
    view: View, search: Search, asked: Question, total: int, notes: list[str]
) -> tuple[list[int], int]:
    """Return the numbers of the runs in the window, and how many runs match."""
    is_by_id = len(search.orders) == 1 and search.orders[0].field.is_run_id
    if not search.query.text.strip() and (not search.orders or is_by_id):
        descending = is_by_id and search.orders[0].descending
        return view.page(asked.experiment, asked.offset, asked.limit, descending=descending), total
    found, said = _found(view, search, asked)
    notes += said
    return found[asked.offset : asked.offset + asked.limit], len(found)


def _found(view: View, search: Search, asked: Question) -> tuple[list[int], list[str]]:
    """Return the numbers of the runs that a question finds, and its notes; kept for its other windows, unless the time of day decides."""

    def found() -> tuple[list[int], list[str]]:
        notes: list[str] = []
        return search.select(view, notes), notes

    if any(word in asked.text for word in OF_NOW):
        return found()
    key = ("found", asked.text, asked.sort, asked.experiment)
    return view.kept(key, found, lambda kept: sys.getsizeof(kept[0]))  # the numbers are those of all runs


def _field(text: str, names: Names) -> tuple[str, Field]:
    """Return a column's name and its field; that of a name that no run has stays BARE, and is empty."""
    field = parse_field(text)
    try:
        return text, resolve(field, names)
    except QueryError:
        return text, Field(FieldKind.BARE, field.name)


def _described(name: str, field: Field, values: Sequence[Any], names: Names) -> dict[str, Any]:
    kind = {FieldKind.RUN: "run", FieldKind.METRIC: "metric", FieldKind.PARAM: "param", FieldKind.TAG: "tag"}
    label = LABELS.get(field.name, field.name) if field.kind is FieldKind.RUN else field.name
    if field.part not in (None, MetricPart.LAST):
        label = f"{label} ({str(field.part).replace('_', ' ')})"
    elif sum(field.name in some for some in (names.params, names.metrics, names.tags)) > 1:
        label = f"{label} ({kind.get(field.kind, '')})"
    return {
        "name": name,
        "label": cells.value(label),
        "kind": kind.get(field.kind, "unknown"),
        "numeric": _is_numeric(field, values),
    }


def _is_numeric(field: Field, values: Sequence[Any]) -> bool:
    if field.kind is FieldKind.METRIC or field.name == "duration_s":
        return True
    kinds = set(map(type, values)) - {type(None)}
    if dict in kinds and not all(each.keys() == SPREAD for each in values if isinstance(each, dict)):
        return False  # a nested parameter
    return bool(kinds) and kinds <= {int, float, dict}


def _spread_column(view: View, groups: Sequence[Group], field: Field) -> list[Any]:
    numbers = [number for group in groups for number in group.numbers]
    (found,) = view.columns([field], numbers)
    values: Callable[[], Any] = iter(found).__next__
    return [group.cell([values() for _ in group.numbers], field) for group in groups]
