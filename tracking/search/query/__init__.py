"""The filter language, such as "metrics.val_auc > 0.8 and status == 'completed'", with its orders and fields."""

from tracking.search.query.fields import (
    Field,
    FieldKind,
    MetricPart,
    Names,
    close_names,
    lookup,
    names_in,
    resolve,
    unknown_names,
    value_of,
)
from tracking.search.query.filters import Query, parse_query
from tracking.search.query.mismatches import mismatches
from tracking.search.query.order import Order, arrange, arranged_places, parse_order
from tracking.search.query.parser import parse_field, parse_fields

__all__ = [
    "Field",
    "FieldKind",
    "MetricPart",
    "Names",
    "Order",
    "Query",
    "arrange",
    "arranged_places",
    "close_names",
    "lookup",
    "mismatches",
    "names_in",
    "parse_field",
    "parse_fields",
    "parse_order",
    "parse_query",
    "resolve",
    "unknown_names",
    "value_of",
]
