"""News that may come often, such as a new best value, at most once in a while: the latest counts."""

import threading
import time
from collections.abc import Callable

GAP_S = 60.0


class Paced:
    """Calls `send` for the first news at once, then at most once in `gap_s` seconds, with the latest news."""

    def __init__(
        self,
        send: Callable[[], None],
        gap_s: float = GAP_S,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._gap_s = gap_s
        self._clock = clock
        self._lock = threading.Lock()
        self._last: float | None = None
        self._timer: threading.Timer | None = None

    def note(self) -> None:
        """There is news; `send` is called now, or when the gap is over, in a thread."""
        with self._lock:
            wait_s = 0.0 if self._last is None else self._last + self._gap_s - self._clock()
            if wait_s > 0:
                if self._timer is None:
                    self._timer = threading.Timer(wait_s, self.flush)
                    self._timer.daemon = True
                    self._timer.start()
                return
        self._now()

    def flush(self) -> None:
        """Call `send` now if news waits for the end of a gap."""
        if self.drop():
            self._now()

    def drop(self) -> bool:
        """Forget what waits; return whether there was anything."""
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        return timer is not None

    def _now(self) -> None:
        with self._lock:
            self._last = self._clock()
        self._send()
