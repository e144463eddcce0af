"""Sort runs by fields, each ascending or descending."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from tracking.errors import QueryError
from tracking.search.query.fields import Field, Names, resolve
from tracking.search.query.parser import parse_field
from tracking.values.names import order_of

Item = TypeVar("Item")


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
    arranged = list(items)
    for order in reversed(orders):
        key_of = _run_key if order.field.is_run_id else _key
        keyed = [(key_of(value_of(item, order.field)), item) for item in arranged]
        present = [(key, item) for key, item in keyed if key is not None]
        present.sort(key=lambda pair: pair[0], reverse=order.descending)  # reverse keeps equal items in order
        arranged = [item for _, item in present] + [item for key, item in keyed if key is None]
    return arranged


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
