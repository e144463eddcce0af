"""Search: the runs that pass a filter, in order; found by the columns of an index or among records."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tracking.errors import InvalidValueError, quoted
from tracking.records import RunRecord
from tracking.search.index import View
from tracking.search.query import (
    Field,
    FieldKind,
    MetricPart,
    Names,
    Order,
    Query,
    arranged_places,
    mismatches,
    names_in,
    parse_order,
    parse_query,
    resolve,
    unknown_names,
    value_of,
)

# reads the values of each field in runs, given by number
Columns = Callable[[Sequence[Field], Sequence[int]], list[list[Any]]]


@dataclass(frozen=True)
class Search:
    """A parsed filter and order; runs that are equal in `orders` come oldest first.

    What a bare name means is decided when the search runs, by the names in the store.
    """

    query: Query
    orders: tuple[Order, ...] = ()
    experiment_name: str | None = None
    limit: int | None = None

    @classmethod
    def parse(
        cls,
        text: str = "",
        *,
        experiment_name: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> "Search":
        """Return the search for a filter and fields to order by; raise QueryError at the place of a mistake."""
        if limit is not None and (not isinstance(limit, int) or limit < 0):
            raise InvalidValueError(
                f"limit {quoted(limit)} is not a number of runs; give 0 or more, or None for all"
            )
        by = [order_by] if isinstance(order_by, str) else [] if order_by is None else order_by
        if not isinstance(by, Sequence):
            raise InvalidValueError(
                f"order_by {quoted(order_by)} is not a field; give one, such as '-created_at', or a list of them"
            )
        return cls(parse_query(text), tuple(map(parse_order, by)), experiment_name, limit)

    def select(self, view: View, notes: list[str] | None = None) -> list[int]:
        """Return the numbers of the runs in an index; read only the columns that the filter and the order name.

        Add a sentence to `notes` for each comparison that no run can pass, see `mismatches`.
        """
        return self._select(
            view.numbers(self.experiment_name), view.names, view.columns, notes, is_by_id=True
        )

    def select_records(self, records: Iterable[RunRecord]) -> list[RunRecord]:
        """Return the runs among all records of a store, as `select` does without an index."""
        runs = list(records)

        def columns(fields: Iterable[Field], numbers: Sequence[int]) -> list[list[Any]]:
            return [[value_of(runs[number], field) for number in numbers] for field in fields]

        of_experiment = [
            number for number, run in enumerate(runs) if self.experiment_name in (None, run.experiment_name)
        ]
        return [runs[number] for number in self._select(of_experiment, lambda: names_in(runs), columns)]

    def unknown(self, names: Names) -> list[str]:
        """Return a sentence for each name in the filter and the order that none of these runs has."""
        orders = [order.resolved(names).field for order in self.orders]
        return unknown_names({*self.query.resolved(names).fields, *orders}, names)

    def _select(
        self,
        found: list[int],
        names: Callable[[], Names],
        columns: Columns,
        notes: list[str] | None = None,
        *,
        is_by_id: bool = False,
    ) -> list[int]:
        query, orders = self._resolved(names)
        if query.text.strip():
            by_field = dict(zip(query.fields, columns(query.fields, found), strict=True))
            if notes is not None:
                notes += mismatches(query.root, by_field)
            found = [found[place] for place in query.passing(by_field, len(found))]
        if is_by_id and len(orders) == 1 and orders[0].field.is_run_id:
            found = found[::-1] if orders[0].descending else found
        elif orders:
            fields = [order.field for order in orders]
            found = [found[place] for place in arranged_places(len(found), orders, columns(fields, found))]
        return found[: self.limit]

    def _resolved(self, names: Callable[[], Names]) -> tuple[Query, Sequence[Order]]:
        if not _depends_on_names([*self.query.fields, *(order.field for order in self.orders)]):
            return self.query, self.orders
        known = names()
        return self.query.resolved(known), [order.resolved(known) for order in self.orders]


def resolved(fields: Sequence[Field], view: View) -> Sequence[Field]:
    """Return the fields, bare names replaced by what they mean in the store."""
    if not _depends_on_names(fields):
        return fields
    names = view.names()
    return [resolve(field, names) for field in fields]


def _depends_on_names(fields: Iterable[Field]) -> bool:
    # `val_auc` may be anything, and `metrics.val.max` the metric `val.max`
    return any(field.kind is FieldKind.BARE or field.part not in (None, MetricPart.LAST) for field in fields)
