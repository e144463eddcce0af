"""Times of other programs, as numbers, and as the text that a store keeps."""

import math
from datetime import UTC, datetime
from typing import Any

from tracking.errors import InvalidValueError, quoted


class Clock:
    """Milliseconds since 1970 as the text of a local time; it remembers the second that it wrote last."""

    def __init__(self) -> None:
        self._second: int | None = None
        self._head = self._tail = ""

    def text(self, moment: Any) -> str:
        """Return the text; raise InvalidValueError for what is no time."""
        if not isinstance(moment, int):
            raise InvalidValueError(f"the time {quoted(moment)} is no number of milliseconds")
        second, rest = divmod(moment, 1000)
        if second != self._second:
            try:
                text = datetime.fromtimestamp(second, UTC).astimezone().isoformat()
            except (ValueError, OverflowError, OSError):
                raise InvalidValueError(f"the time {moment} is beyond every calendar") from None
            self._second, self._head, self._tail = second, text[:19], text[19:]
        return f"{self._head}.{rest:03d}{self._tail}"


def milliseconds_of(seconds: float) -> int:
    """Return a number of seconds since 1970 in milliseconds; 0 for what is no time."""
    return round(seconds * 1000) if math.isfinite(seconds) and abs(seconds) < 1e15 else 0
