"""Sort runs by fields, each ascending or descending."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from tracking.errors import QueryError
from tracking.search.query.fields import Field, Names, resolve
from tracking.search.query.parser import parse_field
from tracking.values.names import order_of

Item = TypeVar("Item")
_NUMBERS = {int, float, bool, type(None)}


class Order(NamedTuple):
    """An order by the values of a field; written `-created_at` if descending."""

    field: Field
    descending: bool = False

    def resolved(self, names: Names) -> "Order":
        """Return the order with a bare name replaced by what it means among these names; see `resolve`."""
        return Order(resolve(self.field, names), self.descending)

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.field}"


def parse_order(text: str) -> Order:
    """Parse an order: a field, with a '-' before it to descend, such as -metrics.val_auc.max."""
    if not isinstance(text, str):
        raise QueryError(f"an order is text, such as '-created_at', not {type(text).__name__}")
    rest = text.strip()
    return Order(parse_field(rest.removeprefix("-")), rest.startswith("-"))


def arrange(
    items: Iterable[Item], orders: Sequence[Order], value_of: Callable[[Item, Field], Any]
) -> list[Item]:
    """Return the items sorted by the orders, the first one first; the sort is stable.

    Items without a value, or with NaN, come last in either direction. Numbers come before texts, texts before the
    rest. Run ids sort as runs do: run_999 before run_1000.
    """
    given = list(items)
    columns = [[value_of(item, order.field) for item in given] for order in orders]
    return [given[place] for place in arranged_places(len(given), orders, columns)]


def arranged_places(count: int, orders: Sequence[Order], columns: Sequence[list[Any]]) -> list[int]:
    """Return the places of `count` items as `arrange` sorts them; `columns` has their values for each order."""
    places = list(range(count))
    for order, column in zip(reversed(orders), reversed(columns), strict=True):
        keys = _keys(column, is_run_id=order.field.is_run_id)
        present = [place for place in places if keys[place] is not None]
        absent = [place for place in places if keys[place] is None] if len(present) < count else []
        # reverse keeps equal items in order
        present.sort(key=keys.__getitem__, reverse=order.descending)
        places = present + absent
    return places


def _keys(column: list[Any], *, is_run_id: bool) -> list[Any]:
    """Return the sort key of each value, None for one that comes last."""
    if set(map(type, column)) <= _NUMBERS:
        # the usual case, in which the values are their own keys; NaN is unequal to itself
        return [None if value != value else value for value in column]
    return list(map(_run_key if is_run_id else _key, column))


def _run_key(value: Any) -> tuple[int, Any] | None:
    return (1, order_of(value)) if isinstance(value, str) else _key(value)


def _key(value: Any) -> tuple[int, Any] | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, int | float):
        return (0, value)
    if isinstance(value, str):
        return (1, value)
    # moments with and without an offset cannot be compared with each other, their timestamps can
    timestamp = getattr(value, "timestamp", None)
    return (2, timestamp()) if callable(timestamp) else (3, str(value))
