"""SIGTERM while a run is open: raised as an exception, so that `with` unwinds and the run ends as killed.

SIGTERM and Ctrl-C wait while a run is written down.

The handler is installed with the first open run of a process and removed with the last, only in the main thread, and
only where the signal has its default action: a handler of the program's own and SIG_IGN stay.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from tracking.process.hooks import renew_in_children

Handler = Callable[[int, FrameType | None], object]

EXIT_CODE = 128 + signal.SIGTERM


class Terminated(SystemExit):
    """SIGTERM arrived. Uncaught, the process ends with the usual exit code 143."""

    def __init__(self) -> None:
        super().__init__(EXIT_CODE)


class TermGuard:
    """Counts the open runs of this process and keeps the handler installed while there are any.

    A forked child has no open run, so in it SIGTERM and Ctrl-C do what they did before the first one.
    """

    def __init__(self) -> None:
        self._open = 0
        self._arrived = False
        self._deferring = 0
        self._pending = False
        self._interrupts: list[tuple[Handler, Handler]] = []  # our handlers of Ctrl-C, and those before them

    @property
    def has_arrived(self) -> bool:
        """Whether SIGTERM has arrived since the first of the open runs was opened."""
        return self._arrived

    def enter(self) -> None:
        """Count one more open run."""
        renew_in_children(self._renew)
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
        with self.holding(), self._holding_interrupt():
            yield

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Delay SIGTERM alone until the block ends."""
        self._deferring += 1
        try:
            yield
        finally:
            self._deferring = max(0, self._deferring - 1)
            if self._pending and not self._deferring:
                self._pending = False
                os.kill(os.getpid(), signal.SIGTERM)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._deferring:
            self._pending = True
            return
        if (
            not self._open
        ):  # a library that had a handler for a while has put this one back after the last run
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
            return
        if self._arrived:
            return  # a second signal must not cut the unwinding short
        self._arrived = True
        raise Terminated

    @contextlib.contextmanager
    def _holding_interrupt(self) -> Iterator[None]:
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

        renew_in_children(self._renew)
        self._interrupts.append((hold, before))
        signal.signal(signal.SIGINT, hold)
        try:
            yield
        finally:
            if (hold, before) in self._interrupts:
                self._interrupts.remove((hold, before))
            if signal.getsignal(signal.SIGINT) == hold:
                signal.signal(signal.SIGINT, before)
            if has_arrived:
                os.kill(os.getpid(), signal.SIGINT)

    def _renew(self) -> None:
        self._open = self._deferring = 0
        self._arrived = self._pending = False
        if signal.getsignal(signal.SIGTERM) == self._handle:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for hold, before in reversed(self._interrupts):
            if signal.getsignal(signal.SIGINT) == hold:
                signal.signal(signal.SIGINT, before)
        self._interrupts.clear()


guard = TermGuard()


def cause_of_exit() -> BaseException | None:
    """Return the error that this process ends with; None if it ends in order, or with an exit code that nobody can ask for.

    Python tells exit handlers of an error that it has printed, and not of a SystemExit.
    """
    if guard.has_arrived:
        return Terminated()
    error = sys.exception()
    if error is None and not hasattr(sys, "ps1"):  # at a prompt an earlier error does not end the session
        error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    return None if isinstance(error, SystemExit) and error.code in (None, 0) else error


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
