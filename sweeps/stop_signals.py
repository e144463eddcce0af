"""What a sweep makes of SIGINT, SIGTERM and SIGHUP: an orderly stop, and at once when they come again."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruptions:
    """Hears the signals that stop a sweep; `last` is the one that came last, None when none did."""

    def __init__(self, stop: Callable[[], None], say: Callable[[str], None]) -> None:
        self._stop = stop
        self._say = say
        self.last: signal.Signals | None = None

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """Call `stop` at each signal that comes in the block; `say` tells what happens. In the main thread alone."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # Whoever ignores one of them, as nohup does SIGHUP, has a reason.
        wanted = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._hear) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        is_first, self.last = self.last is None, signal.Signals(number)
        what = "waiting for running jobs to finish their runs; again ends them now"
        self._say(f"{self.last.name}: {what if is_first else 'ending the running jobs now'}")
        self._stop()
