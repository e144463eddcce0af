"""Compile a tree into one function of a run's values, built once and called for each run.

A missing value is None. Equality is that of Python. Only two numbers (not booleans), two texts or two moments have an
order: any other pair is neither less nor greater, and no value raises an error. Run ids compare as they are listed.
"""

import math
import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tracking.search.query.fields import Field
from tracking.search.query.moments import Span, moment_of, span_of
from tracking.search.query.tree import Comparison, Condition, Joined, Literal, Not, Operand, Sign
from tracking.values.names import order_of

Get = Callable[[Field], Any]
Test = Callable[[Get], bool]
Compare = Callable[[Any, Any], Any]

ORDERS: dict[Sign, Compare] = {
    Sign.LESS: operator.lt,
    Sign.AT_MOST: operator.le,
    Sign.GREATER: operator.gt,
    Sign.AT_LEAST: operator.ge,
}
MIRRORED = {
    Sign.LESS: Sign.GREATER,
    Sign.AT_MOST: Sign.AT_LEAST,
    Sign.GREATER: Sign.LESS,
    Sign.AT_LEAST: Sign.AT_MOST,
    Sign.EQUAL: Sign.EQUAL,
    Sign.CONTAINS: Sign.IN,
}
_NEGATED = {
    Sign.UNEQUAL: Sign.EQUAL,
    Sign.NOT_IN: Sign.IN,
    Sign.NOT_CONTAINS: Sign.CONTAINS,
    Sign.IS_NOT: Sign.IS,
}
_TIME_RELATIONS: dict[Sign, Callable[[datetime, Span], bool]] = {
    Sign.EQUAL: lambda moment, span: span.first <= moment <= span.last,
    Sign.LESS: lambda moment, span: moment < span.first,
    Sign.AT_MOST: lambda moment, span: moment <= span.last,
    Sign.GREATER: lambda moment, span: moment > span.last,
    Sign.AT_LEAST: lambda moment, span: moment >= span.first,
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
            return _compared(node.left, node.sign, node.right, now)
        case Not():
            return _not(test_of(node.item, now))
        case Joined():
            return _joined([test_of(item, now) for item in node.items], decisive=node.word == "or")


def _joined(tests: list[Test], *, decisive: bool) -> Test:
    """Return the test whose answer is `decisive` if that of any test is."""

    def test(get: Get) -> bool:
        for each in tests:  # a loop is twice as fast as any() here
            if each(get) is decisive:
                return decisive
        return not decisive

    return test


def _not(test: Test) -> Test:
    return lambda get: not test(get)


def _compared(left: Operand, sign: Sign, right: Operand, now: datetime) -> Test:
    if sign in _NEGATED:
        return _not(_compared(left, _NEGATED[sign], right, now))
    # a field to the left, where the faster tests expect it
    if sign in MIRRORED and (sign is Sign.CONTAINS or not isinstance(left, Field)):
        left, sign, right = right, MIRRORED[sign], left
    fields = [side for side in (left, right) if isinstance(side, Field)]
    # `is None` asks for the value itself, which is no span of time
    if sign is not Sign.IS and isinstance(left, Field) and any(field.is_time for field in fields):
        return _time_compared(left, sign, right, now)
    if sign in ORDERS:
        compare = _ordering(ORDERS[sign], order_of if any(field.is_run_id for field in fields) else None)
    else:
        compare = {Sign.EQUAL: _equal, Sign.IN: _is_in, Sign.IS: _is}[sign]
    # a test for each pair of sides: a call more per run can be measured
    if isinstance(right, Field):
        if isinstance(left, Field):
            return lambda get: compare(get(left), get(right))
        return lambda get: compare(left.value, get(right))
    constant = right.value
    if isinstance(left, Literal):
        answer = bool(compare(left.value, constant))
        return lambda _: answer
    if sign in ORDERS and _is_number(constant):
        return _against_number(ORDERS[sign], left, constant)
    return lambda get: compare(get(left), constant)


def _against_number(compare: Compare, field: Field, constant: float) -> Test:
    def test(get: Get) -> bool:
        value = get(field)
        kind = type(value)
        # the exact types first: nearly all values have them, and isinstance() is slower
        return (kind is float or kind is int or _is_number(value)) and bool(compare(value, constant))

    return test


def _time_compared(left: Field, sign: Sign, right: Operand, now: datetime) -> Test:
    if sign is Sign.IN and isinstance(right, Literal):
        items = [_time_compared(left, Sign.EQUAL, Literal(item), now) for item in right.value]
        return _joined(items, decisive=True)
    relation = _TIME_RELATIONS[sign]
    constant = span_of(right.value, now) if isinstance(right, Literal) else None

    def test(get: Get) -> bool:
        moment, span = moment_of(get(left)), constant
        if isinstance(right, Field) and (other := moment_of(get(right))):
            span = Span(other, other)
        if moment is None or span is None:
            return sign is Sign.EQUAL and moment is None and span is None
        return relation(moment, span)

    return test


def _ordering(compare: Compare, key: Callable[[str], Any] | None) -> Compare:
    def test(left: Any, right: Any) -> bool:
        if _is_number(left) and _is_number(right):
            return bool(compare(left, right))
        if key and isinstance(left, str) and isinstance(right, str):
            return bool(compare(key(left), key(right)))
        same = any(isinstance(left, kind) and isinstance(right, kind) for kind in (str, datetime))
        return same and bool(compare(left, right))

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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
