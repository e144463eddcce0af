"""Timestamps: local time with its offset from UTC, such as 2024-11-15T10:30:00.250+01:00.

Readable like the naive local time it replaces, and still one instant. Text without an offset (stores written by
other code) is read as local time.
"""

import time
from datetime import datetime

_millisecond = _second = -1
_now = ""
_text = ("", "")


def now() -> str:
    """The present as ISO text with milliseconds and UTC offset."""
    global _millisecond, _second, _now, _text
    millisecond = time.time_ns() // 1_000_000
    if millisecond == _millisecond:
        return _now
    second, rest = divmod(millisecond, 1000)
    if second != _second:
        # one call per second works out the calendar; calls in between only add the milliseconds
        text = datetime.fromtimestamp(second).astimezone().isoformat()
        _text, _second = (text[:19], text[19:]), second
    head, offset = _text
    now = f"{head}.{rest:03d}{offset}"
    _now, _millisecond = now, millisecond
    return now


def parse(text: str) -> datetime:
    """The aware datetime that `text` names; ValueError when it is not ISO 8601."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.astimezone()
