"""A filter on many runs at once: column by column, which is several times as fast as run by run, with the same answer.

Comparisons of a field with a plain constant are made for a whole column. All others are the tests of `evaluate`, made only
for the runs that the rest of the filter leaves open.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import compress, repeat
from typing import Any, NamedTuple

from tracking.search.query.evaluate import MIRRORED, ORDERS, test_of
from tracking.search.query.fields import Field
from tracking.search.query.tree import Comparison, Condition, Joined, Literal, Not, Sign

Columns = Mapping[Field, Sequence[Any]]

_ORDERINGS = set(ORDERS.values())
_NUMBERS = {int, float}
_PLAIN = {int, float, bool, str, type(None)}  # `==` of two of these raises nothing and is True or False


class _Against(NamedTuple):
    """A field that is compared with a constant, and the types of values for which `compare` alone decides."""

    field: Field
    compare: Callable[[Any, Any], Any]
    constant: Any
    types: set[type]


def passing(node: Condition, columns: Columns, places: Sequence[int], now: datetime) -> list[int]:
    """Return those of the places at which the tree holds, in their order; `now` as for `test_of`."""
    match node:
        case Joined(word="and"):
            for item in node.items:
                places = passing(item, columns, places, now)
            return list(places)
        case Joined():
            found: set[int] = set()
            for item in node.items:
                found.update(passing(item, columns, [each for each in places if each not in found], now))
            return [place for place in places if place in found]
        case Not():
            found = set(passing(node.item, columns, places, now))
            return [place for place in places if place not in found]
        case Comparison() if against := _against_constant(node):
            column = columns[against.field]
            if against.compare in _ORDERINGS:  # what is missing is neither less nor greater
                places = [place for place in places if column[place] is not None]
            values = [column[place] for place in places]
            if set(map(type, values)) <= against.types:
                return list(compress(places, map(against.compare, values, repeat(against.constant))))
    return _one_by_one(node, columns, places, now)


def _one_by_one(node: Condition, columns: Columns, places: Sequence[int], now: datetime) -> list[int]:
    test = test_of(node, now)
    found = []
    place = 0

    def get(field: Field) -> Any:
        return columns[field][place]

    for place in places:
        if test(get):
            found.append(place)
    return found


def _against_constant(node: Comparison) -> _Against | None:
    left, sign, right = node.left, node.sign, node.right
    if isinstance(left, Literal):
        left, sign, right = right, MIRRORED.get(sign, sign), left
    if not (isinstance(left, Field) and isinstance(right, Literal)) or left.is_time:
        return None
    kind = type(right.value)
    if sign in ORDERS and kind in _NUMBERS:
        return _Against(left, ORDERS[sign], right.value, _NUMBERS)
    if sign in (Sign.EQUAL, Sign.UNEQUAL) and kind in _PLAIN:
        compare = operator.eq if sign is Sign.EQUAL else operator.ne
        return _Against(left, compare, right.value, _PLAIN)
    return None
