"""The end of this process in order: what is called then, and the error that the process ends with."""

import atexit
import os
import sys
from collections.abc import Callable

from tracking.process.signals import Terminated, guard

_handlers: list[Callable[[], None]] = []
_watched_pid = -1


def call_at_exit(handler: Callable[[], None]) -> None:
    """Call `handler` when the process ends in order; also in a child of multiprocessing, which skips exit handlers.

    Ask again in a forked child. The handler that was added last is called first.
    """
    global _watched_pid
    if handler not in _handlers:
        _handlers.append(handler)
    if _watched_pid == os.getpid():
        return
    if _watched_pid == -1:
        atexit.register(_call_all)
    _watched_pid = os.getpid()
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        from multiprocessing import util

        util.Finalize(None, _call_all, exitpriority=0)


def cause_of_exit() -> BaseException | None:
    """Return the error that this process ends with; None if it ends in order, or with an exit code that nobody can ask for.

    Python tells exit handlers of an error that it has printed, and not of a SystemExit.
    """
    if guard.has_arrived:
        return Terminated()
    error = sys.exception()
    if error is None and not hasattr(sys, "ps1"):  # at a prompt an earlier error does not end the session
        error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return None
    return error


def _call_all() -> None:
    for handler in reversed(_handlers):
        handler()
