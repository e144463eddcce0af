"""Moments in a filter: a date is a whole day, a date-time or ago("7d") an instant; both are spans of time.

A moment is compared with a span as with one thing: it is before, in or after it. So `created_at == today` and
`created_at <= '2024-11-15'` include all of that day.
"""

from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from tracking.values import timestamps
from tracking.values.units import parse_duration


class Span(NamedTuple):
    """From `start` to before `end`."""

    start: datetime
    end: datetime


def span_of(text: str) -> Span:
    """The day or the instant that ISO text names, local without an offset; ValueError for other text."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    try:
        return _day(day) if day else _instant(timestamps.parse(text))
    except (OverflowError, OSError) as error:  # how the C library refuses years it has no calendar for
        raise ValueError(str(error)) from None


def span_of_word(word: str, argument: str | None, now: datetime) -> Span:
    """What `today`, `yesterday` or `ago(argument)` is at the moment `now`; ValueError for another argument."""
    if argument is None:
        return _day(now.date() - timedelta(days=word == "yesterday"))
    try:
        return _instant(now - timedelta(seconds=parse_duration(argument, needs_unit=True)))
    except OverflowError as error:
        raise ValueError(str(error)) from None


def moment_of(value: Any) -> datetime | None:
    """The aware moment behind a run's time, given as such or as ISO text; None for anything else."""
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
