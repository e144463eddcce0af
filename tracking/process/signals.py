"""SIGTERM while a run is open: raised as an exception, so that `with` unwinds and the run ends as killed.

SIGTERM and Ctrl-C wait while a run is written down.

The handler is installed with the first open run of a process and removed with the last, only in the main thread, and
only where the signal has its default action: a handler of the program's own and SIG_IGN stay.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

EXIT_CODE = 128 + signal.SIGTERM


class Terminated(SystemExit):
    """SIGTERM arrived. Uncaught, the process ends with the usual exit code 143."""

    def __init__(self) -> None:
        super().__init__(EXIT_CODE)


class TermGuard:
    """Counts the open runs of this process and keeps the handler installed while there are any."""

    def __init__(self) -> None:
        self._open = 0
        self._pid = -1
        self._arrived = False
        self._deferring = 0
        self._pending = False

    def enter(self) -> None:
        """Count one more open run."""
        if self._pid != os.getpid():
            self._open, self._pid = 0, os.getpid()  # a forked child has no open run
        if not self._open:
            self._arrived = False
        self._open += 1
        if _in_main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._handle)

    def leave(self) -> None:
        """Count one open run less."""
        self._open = max(0, self._open - 1)
        if not self._open and _in_main_thread() and signal.getsignal(signal.SIGTERM) == self._handle:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    @contextlib.contextmanager
    def deferring(self) -> Iterator[None]:
        """Delay signals until the block ends, then deliver them to the handler of that time.

        Ctrl-C is delayed too, but a second Ctrl-C is not.
        """
        self._deferring += 1
        try:
            with _holding_interrupt():
                yield
        finally:
            self._deferring -= 1
            if self._pending and not self._deferring:
                self._pending = False
                os.kill(os.getpid(), signal.SIGTERM)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._deferring:
            self._pending = True
            return
        if self._arrived:
            return  # a second signal must not cut the unwinding short
        self._arrived = True
        raise Terminated


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def _holding_interrupt() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    if not _in_main_thread() or not callable(before):
        yield  # only the main thread is ever interrupted
        return
    has_arrived = False

    def hold(number: int, frame: FrameType | None) -> None:
        nonlocal has_arrived
        if has_arrived:
            before(number, frame)
        has_arrived = True

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) == hold:
            signal.signal(signal.SIGINT, before)
        if has_arrived:
            os.kill(os.getpid(), signal.SIGINT)
