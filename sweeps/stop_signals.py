"""SIGINT, SIGTERM and SIGHUP stop a sweep: in order at the first signal, at once at the second."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruptions:
    """Handles the signals that stop a sweep; `last` is the latest one, None if none came."""

    def __init__(self, stop: Callable[[], None], say: Callable[[str], None]) -> None:
        self._stop = stop
        self._say = say
        self.last: signal.Signals | None = None

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """Call `stop` and `say` what happens at each signal during the block; in other threads than the main one, do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # A signal that is ignored stays ignored, as SIGHUP under nohup.
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
