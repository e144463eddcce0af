"""Refuse comparisons that can never hold, while the parser can still point at them."""

import math
from datetime import datetime
from typing import Any

from tracking.records import RunStatus
from tracking.search.query.fields import Field, FieldKind, quote
from tracking.search.query.moments import span_of
from tracking.search.query.tree import Literal, Moment, Operand, Sign

_STATUS = Field(FieldKind.RUN, "status")
_MEMBERSHIP = (Sign.IN, Sign.NOT_IN)
_CONTAINING = (Sign.CONTAINS, Sign.NOT_CONTAINS)


def why_senseless(left: Operand, sign: Sign, right: Operand) -> str:
    """Return what is wrong with a comparison that can never hold or be decided; '' if nothing is."""
    constants = [item for side in (left, right) for item in _constants(side)]
    is_listed = isinstance(right, Literal) and isinstance(right.value, list)
    if sign in (Sign.IS, Sign.IS_NOT):
        is_identity = right in (Literal(None), Literal(math.nan))
        return "" if is_identity else f"'{sign}' needs None or nan to its right; write == to compare"
    for side in (left, right):
        if isinstance(side, Field) and side.is_time:
            if sign in _MEMBERSHIP and not (side is left and is_listed):
                return f"a time can be '{sign}' a list of dates only"
            if sign in _CONTAINING:
                return f"{side} is a time and cannot contain anything"
            return next(filter(None, (_why_no_time(side, constant) for constant in constants)), "")
    if any(isinstance(constant, Moment) for constant in constants):
        return "only created_at and finished_at can be compared with a moment"
    if sign in _MEMBERSHIP and not _may_contain(right):
        return f"'{sign}' needs a list, a text or a field to its right, such as {sign} ['a', 'b']"
    if sign in _CONTAINING and not _may_contain(left):
        return f"'{sign}' needs a list, a text or a field to its left"
    is_equality = sign in (Sign.EQUAL, Sign.UNEQUAL) or (sign in _MEMBERSHIP and is_listed)
    if is_equality and _STATUS in (left, right):
        for constant in constants:
            if constant is not None and not isinstance(constant, list) and constant not in list(RunStatus):
                shown = quote(constant) if isinstance(constant, str) else constant
                return f"{shown} is not a status; statuses are {', '.join(RunStatus)}"
    return ""


def _why_no_time(field: Field, constant: Any) -> str:
    try:
        if constant is None or span_of(constant, datetime.now().astimezone()):
            return ""
    except ValueError:
        if isinstance(constant, Moment):
            return "ago takes a quoted duration, such as ago('7d'); write 90s, 30m, 1.5h, 1h30m, 2d or 2w"
        return f"{quote(constant)} is not a date; write '2024-11-15' or '2024-11-15T10:30'"
    return f"{field} can only be compared with a date, such as '2024-11-15', today or ago('7d')"


def _constants(side: Operand) -> list[Any]:
    if isinstance(side, Field):
        return []
    return side.value if isinstance(side.value, list) else [side.value]


def _may_contain(side: Operand) -> bool:
    return isinstance(side, Field) or isinstance(side.value, list | str)
