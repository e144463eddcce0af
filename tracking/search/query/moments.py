"""Moments in a filter, as spans of time: a date is a whole day, a date-time or ago("7d") an instant.

A moment is before, in or after a span. So `created_at == today` and `created_at <= '2024-11-15'` include all of that
day.
"""

from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from tracking.search.query.tree import Moment
from tracking.values import timestamps
from tracking.values.units import parse_duration


class Span(NamedTuple):
    """A span of time, both ends included."""

    first: datetime
    last: datetime


def span_of(value: Any, now: datetime) -> Span | None:
    """Return the span that a text, `today`, `yesterday` or `ago(...)` names at the moment `now`; None for other values.

    Text without an offset is local. Raise ValueError for a text that is no date, and for a duration that is malformed
    or reaches too far back.
    """
    try:
        match value:
            case Moment("ago", argument):
                return _instant(now - timedelta(seconds=parse_duration(argument, needs_unit=True)))
            case Moment(word):
                return _day(now.date() - timedelta(days=word == "yesterday"))
            case str():
                return _named(value)
    except (OverflowError, OSError) as error:  # raised by the C library for years outside its calendar
        raise ValueError(str(error)) from None
    return None


def moment_of(value: Any) -> datetime | None:
    """Return the aware moment of a run's time, given as such or as ISO text; None for anything else."""
    try:
        if isinstance(value, datetime):
            return value if value.tzinfo else value.astimezone()
        return timestamps.parse(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None


def _named(text: str) -> Span:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return _instant(timestamps.parse(text))
    return _day(day)


def _day(day: date) -> Span:
    first, following = (
        datetime.combine(each, time()).astimezone() for each in (day, day + timedelta(days=1))
    )
    return Span(first, following - datetime.resolution)


def _instant(moment: datetime) -> Span:
    return Span(moment, moment)
