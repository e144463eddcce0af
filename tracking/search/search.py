"""Search: which runs a filter lets pass, in which order. By the columns of an index, or by plain records."""

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
    arrange,
    parse_order,
    parse_query,
    resolve,
    value_of,
)


@dataclass(frozen=True)
class Search:
    """What is searched for; oldest first where `orders` leave it open. Bare names are resolved when it is done."""

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
        """The search that is written as a filter and fields to order by; QueryError shows where either is wrong."""
        if limit is not None and (not isinstance(limit, int) or limit < 0):
            raise InvalidValueError(
                f"limit {quoted(limit)} is no number of runs; give 0 or more, or None for all"
            )
        by = [order_by] if isinstance(order_by, str) else [] if order_by is None else order_by
        if not isinstance(by, Sequence):
            raise InvalidValueError(
                f"order_by {quoted(order_by)} is no field; give one, such as '-created_at', or a list of them"
            )
        return cls(parse_query(text), tuple(map(parse_order, by)), experiment_name, limit)

    def select(self, view: View) -> list[int]:
        """The numbers of the runs in an index; only the columns that the filter and the order name are read."""
        query, orders = self._resolved(view.names)
        found = view.numbers(self.experiment_name)
        if query.root is not None:
            fields = list(query.fields)
            columns = dict(zip(fields, view.columns(fields, found), strict=True))
            found = [found[place] for place in _passing(query, columns, len(found))]
        if orders:
            fields = [order.field for order in orders]
            columns = dict(zip(fields, view.columns(fields, found), strict=True))
            places = arrange(range(len(found)), orders, lambda place, field: columns[field][place])
            found = [found[place] for place in places]
        return found[: self.limit]

    def select_records(self, records: Iterable[RunRecord]) -> list[RunRecord]:
        """The runs among all records of a store, which need no index: the same as `select`."""
        runs = list(records)
        query, orders = self._resolved(lambda: names_in(runs))
        found = [
            run
            for run in runs
            if self.experiment_name in (None, run.experiment_name) and query.matches(_getter(run))
        ]
        return arrange(found, orders, value_of)[: self.limit]

    def _resolved(self, names: Callable[[], Names]) -> tuple[Query, list[Order]]:
        if not _depends_on_names([*self.query.fields, *(order.field for order in self.orders)]):
            return self.query, list(self.orders)
        known = names()
        return self.query.resolved(known), [order.resolved(known) for order in self.orders]


def names_in(records: Iterable[RunRecord]) -> Names:
    """The parameters, metrics and tags of these runs."""
    params, metrics, tags = set[str](), set[str](), set[str]()
    for run in records:
        params |= run.params.keys()
        metrics |= run.summary.keys()
        tags |= run.tags.keys()
    return Names(frozenset(params), frozenset(metrics), frozenset(tags))


def resolved(fields: Sequence[Field], view: View) -> list[Field]:
    """The fields with bare names replaced by what they mean in the store."""
    if not _depends_on_names(fields):
        return list(fields)
    names = view.names()
    return [resolve(field, names) for field in fields]


def _passing(query: Query, columns: dict[Field, list[Any]], total: int) -> list[int]:
    found = []
    place = 0

    def get(field: Field) -> Any:
        return columns[field][place]

    for place in range(total):
        if query.matches(get):
            found.append(place)
    return found


def _getter(run: RunRecord) -> Callable[[Field], Any]:
    return lambda field: value_of(run, field)


def _depends_on_names(fields: Iterable[Field]) -> bool:
    # `val_auc` may be anything, and `metrics.val.max` the metric `val.max`
    return any(field.kind is FieldKind.BARE or field.part not in (None, MetricPart.LAST) for field in fields)
