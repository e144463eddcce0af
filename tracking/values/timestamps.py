"""Timestamps: local time with its UTC offset, such as 2024-11-15T10:30:00.250+01:00.

Text without an offset, as in stores of other code, is read as local time.
"""

import time
from datetime import datetime

_clock = time.time  # looked up once: `now` runs at every step
_known = 0.0, 0.0, ""  # from when to when which text is right: one value, so that threads see it whole
_second = -1, "", ""  # the second whose calendar is worked out, and the text around its milliseconds


def now() -> str:
    """Return the current time as ISO text with milliseconds and UTC offset."""
    since, until, text = _known
    return text if since <= _clock() < until else _renewed()


def _renewed() -> str:
    global _known, _second
    millisecond = time.time_ns() // 1_000_000
    second, rest = divmod(millisecond, 1000)
    known, head, offset = _second
    if second != known:
        head, offset = _calendar(second)
        _second = second, head, offset
    now = f"{head}.{rest:03d}{offset}"
    _known = millisecond / 1000, (millisecond + 1) / 1000, now
    return now


def _calendar(second: int) -> tuple[str, str]:
    """Return the local time of a second, and its UTC offset; as `datetime.isoformat` writes them.

    A finalizer may log while Python ends, where Python 3.13 can crash of any `datetime` (python/cpython#132413).
    """
    local = time.localtime(second)
    minutes, seconds = divmod(abs(local.tm_gmtoff), 60)
    offset = f"{'-' if local.tm_gmtoff < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
    return time.strftime("%Y-%m-%dT%H:%M:%S", local), f"{offset}:{seconds:02d}" if seconds else offset


def parse(text: str) -> datetime:
    """Return `text` as an aware datetime; raise ValueError when it is not ISO 8601."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.astimezone()
