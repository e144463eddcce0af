"""Moments in a filter, as spans of time: a date is a whole day, a date-time or ago("7d") an instant.

A moment is before, in or after a span. So `created_at == today` and `created_at <= '2024-11-15'` include all of that
day.
"""

from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from tracking.search.query.tree import Literal, Moment, Value
from tracking.values import timestamps
from tracking.values.units import parse_duration


class Span(NamedTuple):
    """A span of time from `start` up to but not including `end`."""

    start: datetime
    end: datetime


def span_of(text: str) -> Span:
    """Return the day or the instant that ISO text names, local without an offset; raise ValueError for other text."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    try:
        return _day(day) if day else _instant(timestamps.parse(text))
    except (OverflowError, OSError) as error:  # raised by the C library for years outside its calendar
        raise ValueError(str(error)) from None


def span_of_value(value: Value, now: datetime) -> Span | None:
    """Return the span that a text, `today`, `yesterday` or `ago(...)` names at the moment `now`; None for other values.

    Raise ValueError for a text that is no date, and for a duration that is malformed or reaches too far back.
    """
    if isinstance(value, Literal) and isinstance(value.value, str):
        return span_of(value.value)
    if not isinstance(value, Moment):
        return None
    if value.argument is None:
        return _day(now.date() - timedelta(days=value.word == "yesterday"))
    try:
        return _instant(now - timedelta(seconds=parse_duration(value.argument, needs_unit=True)))
    except OverflowError as error:
        raise ValueError(str(error)) from None


def moment_of(value: Any) -> datetime | None:
    """Return the aware moment of a run's time, given as such or as ISO text; None for anything else."""
    try:
        if isinstance(value, datetime):
            return value if value.tzinfo else value.astimezone()
        return timestamps.parse(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None


def _day(day: date) -> Span:
    start, end = (datetime.combine(each, time()).astimezone() for each in (day, day + timedelta(days=1)))
    return Span(start, end)


def _instant(moment: datetime) -> Span:
    return Span(moment, moment + datetime.resolution)
