"""Comparisons that no run can pass because all values of the field are of another type than the constant.

The parser does not know the values, so what it cannot refuse is explained beside the answer: `lr < 'a'` where lr is a number
in all runs. A field with values of both types is left alone, as some run may pass.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracking.search.query.fields import Field, quote
from tracking.search.query.tree import Comparison, Condition, Joined, Literal, Not, Sign
from tracking.values.units import counted

_ORDERS = {Sign.LESS, Sign.AT_MOST, Sign.GREATER, Sign.AT_LEAST}
_MIRRORED = {
    Sign.LESS: Sign.GREATER,
    Sign.AT_MOST: Sign.AT_LEAST,
    Sign.GREATER: Sign.LESS,
    Sign.AT_LEAST: Sign.AT_MOST,
    Sign.EQUAL: Sign.EQUAL,
}
_EQUAL_TO = {"a number": {"a number", "true or false"}, "true or false": {"a number", "true or false"}}


def mismatches(root: Condition, columns: Mapping[Field, Sequence[Any]]) -> list[str]:
    """Return a sentence for each comparison of a field with a constant that cannot hold for any value in its column."""
    sentences = []
    for field, sign, constant in _comparisons(root):
        values = columns.get(field, ())
        kinds = {_kind(value) for value in {type(value): value for value in values}.values()} - {None}
        if len(kinds) != 1 or field.is_time or _may_hold(sign, kinds, constant):
            continue
        (kind,) = kinds
        have = sum(value is not None for value in values)
        of = f"all {have:,} runs" if have > 1 else counted(have, "run")
        them = "" if have == len(values) else f" that {'have' if have > 1 else 'has'} it"
        sentences.append(f"{field} is {kind} in {of}{them}; {_said(constant)}{_remedy(str(kind), constant)}")
    return list(dict.fromkeys(sentences))


def _comparisons(node: Condition) -> Iterator[tuple[Field, Sign, Any]]:
    """Yield the comparisons of a field with a constant, the field first."""
    match node:
        case Joined():
            for item in node.items:
                yield from _comparisons(item)
        case Not():
            yield from _comparisons(node.item)
        case Comparison(Field() as field, sign, Literal(constant)):
            yield field, sign, constant
        case Comparison(Literal(constant), sign, Field() as field) if sign in _MIRRORED:
            yield field, _MIRRORED[sign], constant


def _may_hold(sign: Sign, kinds: set[str | None], constant: Any) -> bool:
    if sign in _ORDERS:
        return _kind(constant) in kinds & {"a number", "text"}
    if sign is Sign.EQUAL:
        return constant is None or not kinds.isdisjoint(_equals(constant))
    if sign is Sign.IN and isinstance(constant, list):
        return any(item is None or not kinds.isdisjoint(_equals(item)) for item in constant)
    return True


def _equals(constant: Any) -> set[str | None]:
    """Return the kinds of values that may be equal to a constant."""
    kind = _kind(constant)
    return {*_EQUAL_TO.get(str(kind), {kind})}


def _kind(value: Any) -> str | None:
    """Return the kind of a value in words; None for none."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return (
        "a list"
        if isinstance(value, list | tuple)
        else "a mapping"
        if isinstance(value, Mapping)
        else "of another kind"
    )


def _said(constant: Any) -> str:
    if isinstance(constant, list):
        return f"no item of [{', '.join(map(_written, constant))}] is"
    return f"{_written(constant)} is {_kind(constant) or 'no value'}"


def _written(constant: Any) -> str:
    return quote(constant) if isinstance(constant, str) else repr(constant)


def _remedy(kind: str, constant: Any) -> str:
    if kind == "a number" and isinstance(constant, str):
        try:
            number = float(constant)
        except ValueError:
            return ""
        return f", so write {constant.strip()}" if math.isfinite(number) else ""
    if kind == "text" and _kind(constant) == "a number":
        return f", so write {quote(repr(constant))}"
    return ""
