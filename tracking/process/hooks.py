"""What is called when this process has been forked, and when it ends.

A forked child has one thread, the one that forked. A lock that another thread held is never released in it, and the
handlers and files of its parent are not its own: whoever keeps such things renews them here.
"""

import atexit
import contextlib
import functools
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from types import FrameType, MethodType
from typing import Any

Call = Callable[[], None]

_functions: set[Call] = set()
_methods: "weakref.WeakKeyDictionary[object, Callable[..., None]]" = weakref.WeakKeyDictionary()
_at_exit: list[Call] = []
_watched_pid = -1
_begun: FrameType | None = None  # what runs this child of multiprocessing, from Python 3.13 on
_held = threading.local()  # the signals that were blocked before the forks that this thread makes


def renew_in_children(renew: Call) -> None:
    """Call `renew` first thing in each process that is forked from now on; a method as long as its object lives."""
    _watch_forks()
    if isinstance(renew, MethodType):
        _methods[renew.__self__] = renew.__func__
    else:
        _functions.add(renew)


def call_at_exit(handler: Call) -> None:
    """Call `handler` when this process ends in order; also in a child of multiprocessing, which skips exit handlers.

    Ask again in a forked child. The handler that was added last is called first.
    """
    global _watched_pid
    if handler not in _at_exit:
        _at_exit.append(handler)
    if _watched_pid == os.getpid():
        return
    if _watched_pid == -1:
        atexit.register(_leave)
    _watched_pid = os.getpid()
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        from multiprocessing import util

        util.Finalize(None, _leave, exitpriority=0)
        if sys.version_info >= (3, 13):
            _keep_error_of(processes.current_process())


def _keep_error_of(process: Any) -> None:
    """Keep the error that a child of multiprocessing ends with as `sys.last_value`, as Python does with one that it prints.

    Up to Python 3.12 the exit handlers of such a child see the error as it is raised. Later ones are called when it has been
    printed and is gone. In between, multiprocessing reads the name of the process to print it; of a SystemExit only the exit
    code is left, in the frame that runs the process.
    """
    global _begun
    kind, begins = type(process), type(process)._bootstrap.__code__

    def name(self: Any) -> str:
        if sys._getframe(1).f_code is begins and sys.exception() is not None:
            sys.last_value = sys.exception()
        return str(kind.name.fget(self))

    with contextlib.suppress(AttributeError, TypeError):  # a class of the user's with another kind of name
        named = {"name": property(name, kind.name.fset), "__module__": kind.__module__}
        process.__class__ = type(kind.__name__, (kind,), named)
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code is not begins:
        frame = frame.f_back  # none is found in another thread
    _begun = frame


@functools.cache
def _watch_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_hold_signals, after_in_parent=_let_signals, after_in_child=_renew)


def _hold_signals() -> None:
    """Let SIGTERM wait while a fork is made.

    One that reaches the child before its handlers are renewed would be lost: Python notes it for the handler of the
    parent, and ignores it once that is gone.
    """
    _held.masks = [*getattr(_held, "masks", ()), signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})]


def _let_signals() -> None:
    masks = getattr(_held, "masks", None)
    if masks:  # none for a fork that another thread had begun when this was set up
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.pop())


def _renew() -> None:
    for renew in list(_functions):
        renew()
    for thing, method in list(_methods.items()):
        method(thing)
    _let_signals()


def _leave() -> None:
    code = _begun.f_locals.get("exitcode") if _begun is not None else None
    if code and getattr(sys, "last_value", None) is None:
        sys.last_value = SystemExit(code)
    for handler in reversed(_at_exit):
        handler()
