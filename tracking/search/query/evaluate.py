"""Compile a tree into one function of a run's values, built once and called for each run.

A missing value is None. Equality is that of Python. Only two numbers (not booleans), two texts or two moments have an
order: any other pair is neither less nor greater, and no value raises an error. Run ids compare as they are listed.
"""

import math
import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tracking.search.query import tree
from tracking.search.query.fields import Field, run_order
from tracking.search.query.moments import moment_of, span_of_value
from tracking.search.query.tree import (
    Comparison,
    Condition,
    Listing,
    Literal,
    Moment,
    Not,
    Operand,
    Sign,
    Value,
)

Get = Callable[[Field], Any]
Test = Callable[[Get], bool]
Compare = Callable[[Any, Any], Any]

_ORDERS: dict[Sign, Compare] = {
    Sign.LESS: operator.lt,
    Sign.AT_MOST: operator.le,
    Sign.GREATER: operator.gt,
    Sign.AT_LEAST: operator.ge,
}
_MIRRORED = {
    Sign.LESS: Sign.GREATER,
    Sign.AT_MOST: Sign.AT_LEAST,
    Sign.GREATER: Sign.LESS,
    Sign.AT_LEAST: Sign.AT_MOST,
    Sign.EQUAL: Sign.EQUAL,
    Sign.UNEQUAL: Sign.UNEQUAL,
    Sign.CONTAINS: Sign.IN,
    Sign.NOT_CONTAINS: Sign.NOT_IN,
}
_NEGATED = {
    Sign.UNEQUAL: Sign.EQUAL,
    Sign.NOT_IN: Sign.IN,
    Sign.NOT_CONTAINS: Sign.CONTAINS,
    Sign.IS_NOT: Sign.IS,
}


def test_of(node: Condition, now: datetime) -> Test:
    """Return the function that tells whether the tree holds for a run, given as a function from fields to values.

    `now` is the moment that `today` and `ago("7d")` refer to.
    """
    match node:
        case Field():
            return lambda get: _is_true(get(node))
        case Literal():
            truth = bool(node.value)
            return lambda _: truth
        case Comparison():
            tests, left = [], node.first
            for sign, right in node.rest:
                tests.append(_pair(sign, left, right, now))
                left = right
            return tests[0] if len(tests) == 1 else _all(tests)
        case Not():
            return _not(test_of(node.item, now))
        case tree.All():
            return _all([test_of(item, now) for item in node.items])
        case tree.Any():
            return _any([test_of(item, now) for item in node.items])


def _all(tests: list[Test]) -> Test:
    def test(get: Get) -> bool:
        for each in tests:  # noqa: SIM110  a loop is twice as fast as all() here
            if not each(get):
                return False
        return True

    return test


def _any(tests: list[Test]) -> Test:
    def test(get: Get) -> bool:
        for each in tests:  # noqa: SIM110  a loop is twice as fast as any() here
            if each(get):
                return True
        return False

    return test


def _not(test: Test) -> Test:
    return lambda get: not test(get)


def _pair(sign: Sign, left: Operand, right: Operand, now: datetime) -> Test:
    if sign in _NEGATED:
        return _not(_pair(_NEGATED[sign], left, right, now))
    if sign in _MIRRORED and (sign is Sign.CONTAINS or not isinstance(left, Field)):
        sign, left, right = _MIRRORED[sign], right, left
    is_time = any(isinstance(side, Field) and side.is_time for side in (left, right))
    if is_time and sign is not Sign.IS:
        return _time_pair(sign, left, right, now)
    is_run_id = any(isinstance(side, Field) and side.is_run_id for side in (left, right))
    compare = _run_ordering(_ORDERS[sign]) if is_run_id and sign in _ORDERS else _compare(sign)
    if not isinstance(left, Field):
        constant = _plain(left)
        return (
            (lambda get: compare(constant, get(right)))
            if isinstance(right, Field)
            else _always(bool(compare(constant, _plain(right))))
        )
    if isinstance(right, Field):
        return lambda get: compare(get(left), get(right))
    constant = _plain(right)
    if sign in _ORDERS and _is_number(constant):
        return _against_number(_ORDERS[sign], left, constant)
    return lambda get: compare(get(left), constant)


def _against_number(compare: Compare, field: Field, constant: float) -> Test:
    def test(get: Get) -> bool:
        value = get(field)
        kind = type(value)
        return (kind is float or kind is int or _is_number(value)) and bool(compare(value, constant))

    return test


def _time_pair(sign: Sign, left: Operand, right: Operand, now: datetime) -> Test:
    if not isinstance(left, Field):  # the parser allows only fields to the left of `in`
        return _always(False)
    if isinstance(right, Field):
        compare = _compare(sign)
        return lambda get: compare(moment_of(get(left)), moment_of(get(right)))
    if sign is Sign.IN:
        items = right.items if isinstance(right, Listing) else ()
        return _any([_time_pair(Sign.EQUAL, left, item, now) for item in items])
    span = span_of_value(right, now)
    if span is None:
        return lambda get: sign is Sign.EQUAL and moment_of(get(left)) is None
    start, end = span

    def test(get: Get) -> bool:
        moment = moment_of(get(left))
        if moment is None:
            return False
        match sign:
            case Sign.EQUAL:
                return start <= moment < end
            case Sign.LESS:
                return moment < start
            case Sign.AT_MOST:
                return moment < end
            case Sign.GREATER:
                return moment >= end
            case _:
                return moment >= start

    return test


def _compare(sign: Sign) -> Compare:
    if sign in _ORDERS:
        return _ordering(_ORDERS[sign])
    return {Sign.EQUAL: _equal, Sign.IN: _is_in, Sign.IS: _is}[sign]


def _ordering(compare: Compare) -> Compare:
    def test(left: Any, right: Any) -> bool:
        if _is_number(left) and _is_number(right):
            return bool(compare(left, right))
        same = any(isinstance(left, kind) and isinstance(right, kind) for kind in (str, datetime))
        return same and bool(compare(left, right))

    return test


def _run_ordering(compare: Compare) -> Compare:
    def test(left: Any, right: Any) -> bool:
        is_text = isinstance(left, str) and isinstance(right, str)
        return is_text and bool(compare(run_order(left), run_order(right)))

    return test


def _equal(left: Any, right: Any) -> bool:
    try:
        return bool(left == right)
    except Exception:  # noqa: BLE001  a value may raise anything in ==
        return False


def _is(value: Any, constant: float | None) -> bool:
    return value is None if constant is None else isinstance(value, float) and math.isnan(value)


def _is_in(item: Any, container: Any) -> bool:
    if isinstance(container, str):
        return isinstance(item, str) and item in container
    if isinstance(container, list | tuple | Mapping):
        return any(_equal(item, each) for each in container)
    return False


def _is_true(value: Any) -> bool:
    try:
        return bool(value)
    except Exception:  # noqa: BLE001  a value may raise anything in bool()
        return False


def _always(answer: bool) -> Test:
    return lambda _: answer


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: Value) -> Any:
    match value:
        case Literal():
            return value.value
        case Listing():
            return [_plain(item) for item in value.items]
        case Moment():
            return str(value)
