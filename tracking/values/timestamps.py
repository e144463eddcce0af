"""Timestamps: local time with its UTC offset, such as 2024-11-15T10:30:00.250+01:00.

Text without an offset, as in stores of other code, is read as local time.
"""

import time
from datetime import datetime

_millisecond = _second = -1
_now = ""
_text = ("", "")


def now() -> str:
    """Return the current time as ISO text with milliseconds and UTC offset."""
    global _millisecond, _second, _now, _text
    millisecond = time.time_ns() // 1_000_000
    if millisecond == _millisecond:
        return _now
    second, rest = divmod(millisecond, 1000)
    if second != _second:
        # the calendar is worked out once per second: this runs at every step
        text = datetime.fromtimestamp(second).astimezone().isoformat()
        _text, _second = (text[:19], text[19:]), second
    head, offset = _text
    now = f"{head}.{rest:03d}{offset}"
    _now, _millisecond = now, millisecond
    return now


def parse(text: str) -> datetime:
    """Return `text` as an aware datetime; raise ValueError when it is not ISO 8601."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.astimezone()
