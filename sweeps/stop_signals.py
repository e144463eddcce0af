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
        with _handled_by(self._hear):
            yield

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        is_first, self.last = self.last is None, signal.Signals(number)
        what = "waiting for running jobs to finish their runs; again ends them now"
        self._say(f"{self.last.name}: {what if is_first else 'ending the running jobs now'}")
        self._stop()


class Stopped(KeyboardInterrupt):
    """The signal `number` ends a sweep while none of its jobs run."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` at the first signal during the block, where no `Interruptions` hear it."""
    seen: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        seen.append(number)
        if len(seen) == 1:  # a second one would cut off what the first one closes
            raise Stopped(signal.Signals(number))

    with _handled_by(stop):
        yield


@contextlib.contextmanager
def handlers_kept() -> Iterator[None]:
    """Undo what the block changes in how signals are handled; in other threads than the main one, nothing can be changed."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle the signals during the block; in other threads than the main one, do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A signal that is ignored stays ignored, as SIGHUP under nohup.
    wanted = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in wanted}
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)
