"""In which order runs are given: by fields, each up or down."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from tracking.search.query.fields import Field, Names, resolve, run_order

Item = TypeVar("Item")


class Order(NamedTuple):
    """By the values of a field; as text `-created_at` when they descend."""

    field: Field
    descending: bool = False

    def resolved(self, names: Names) -> "Order":
        """The order with a bare name replaced by what it means among these names; see `resolve`."""
        return Order(resolve(self.field, names), self.descending)

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.field}"


def arrange(
    items: Iterable[Item], orders: Sequence[Order], value_of: Callable[[Item, Field], Any]
) -> list[Item]:
    """The items sorted, the first order deciding first; equals stay as they are.

    What has no value, or NaN, comes last in either direction. Numbers come before texts, those before the rest; the ids
    of runs are in the order of runs: run_999 before run_1000.
    """
    arranged = list(items)
    for order in reversed(orders):
        key_of = _run_key if order.field.is_run_id else _key
        keyed = [(key_of(value_of(item, order.field)), item) for item in arranged]
        present = [(key, item) for key, item in keyed if key is not None]
        present.sort(key=lambda pair: pair[0], reverse=order.descending)
        arranged = [item for _, item in present] + [item for key, item in keyed if key is None]
    return arranged


def _run_key(value: Any) -> tuple[int, Any] | None:
    return (1, run_order(value)) if isinstance(value, str) else _key(value)


def _key(value: Any) -> tuple[int, Any] | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, int | float):
        return (0, value)
    if isinstance(value, str):
        return (1, value)
    timestamp = getattr(value, "timestamp", None)
    return (2, timestamp()) if callable(timestamp) else (3, str(value))
