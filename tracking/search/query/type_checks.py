"""Refuse comparisons that can never hold, while the parser can still point at them."""

from datetime import datetime

from tracking.records import RunStatus
from tracking.search.query.fields import Field, FieldKind
from tracking.search.query.moments import span_of_value
from tracking.search.query.tree import Listing, Literal, Moment, Operand, Sign

_IDENTITY = (Sign.IS, Sign.IS_NOT)
_MEMBERSHIP = (Sign.IN, Sign.NOT_IN)
_EQUALITY = (Sign.EQUAL, Sign.UNEQUAL)
_CONTAINING = (Sign.CONTAINS, Sign.NOT_CONTAINS)


def why_senseless(sign: Sign, left: Operand, right: Operand) -> str:
    """Return what is wrong with a comparison that can never hold or be decided; '' if nothing is."""
    if sign in _IDENTITY:
        return "" if _is_identity(right) else f"'{sign}' needs None or nan to its right; write == to compare"
    if _is_time(left) or _is_time(right):
        return _why_no_time(sign, left, right)
    if any(isinstance(side, Moment) for side in (*_items(left), *_items(right))):
        return "only created_at and finished_at can be compared with a moment"
    if sign in _MEMBERSHIP and not isinstance(right, Listing | Field) and not _is_text(right):
        return f"'{sign}' needs a list, a text or a field to its right, such as {sign} ['a', 'b']"
    if sign in _CONTAINING and not isinstance(left, Listing | Field) and not _is_text(left):
        return f"'{sign}' needs a list, a text or a field to its left"
    if sign in _EQUALITY or (sign in _MEMBERSHIP and isinstance(right, Listing)):
        return _why_no_status(left, right) or _why_no_status(right, left)
    return ""


def _why_no_time(sign: Sign, left: Operand, right: Operand) -> str:
    name = left if _is_time(left) else right
    if sign in _MEMBERSHIP and not (_is_time(left) and isinstance(right, Listing)):
        return f"a time can be '{sign}' a list of dates only"
    if sign in _CONTAINING:
        return f"{name} is a time and cannot contain anything"
    for value in (*_items(left), *_items(right)):
        if isinstance(value, Field) or (isinstance(value, Literal) and value.value is None):
            continue
        try:
            if span_of_value(value, datetime.now().astimezone()) is None:
                return f"{name} can only be compared with a date, such as '2024-11-15', today or ago('7d')"
        except ValueError:
            if isinstance(value, Moment):
                return "ago takes a quoted duration, such as ago('7d'); write 90s, 30m, 1.5h, 1h30m, 2d or 2w"
            return f"{value} is not a date; write '2024-11-15' or '2024-11-15T10:30'"
    return ""


def _why_no_status(field: Operand, value: Operand) -> str:
    if field != Field(FieldKind.RUN, "status"):
        return ""
    for item in _items(value):
        if isinstance(item, Literal) and item.value is not None and item.value not in list(RunStatus):
            return f"{item} is not a status; statuses are {', '.join(RunStatus)}"
    return ""


def _items(operand: Operand) -> tuple[Operand, ...]:
    return operand.items if isinstance(operand, Listing) else (operand,)


def _is_time(operand: Operand) -> bool:
    return isinstance(operand, Field) and operand.is_time


def _is_text(operand: Operand) -> bool:
    return isinstance(operand, Literal) and isinstance(operand.value, str)


def _is_identity(operand: Operand) -> bool:
    return isinstance(operand, Literal) and str(operand) in ("None", "nan")
