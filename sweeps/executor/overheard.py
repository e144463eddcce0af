"""Hears the warnings of a job, so that its sweep can say them: those of `logging` and those of `warnings`.

They still go where the job sends them, such as its log. What a job silences is not heard: a logger's level and filters,
and the filters of `warnings`, count.
"""

import contextlib
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from sweeps.executor.failure_text import one_line
from sweeps.warned import MOST_KINDS, kind_of

LONGEST = 2000  # letters of a warning that are looked at

Tell = Callable[[str, str], object]

_shown = 0


def shown() -> int:
    """Return how many warnings of `warnings` were shown in this process while one of its jobs was heard."""
    return _shown


@contextlib.contextmanager
def overheard(tell: Tell) -> Iterator[None]:
    """Tell each kind of warning of the block once, as soon as it occurs: its level or category, and its text on one line.

    `tell` is called in the thread that warns, and an error of it reaches nobody. Processes that the job starts are not
    heard.
    """
    ear = _Ear(tell)
    with warnings.catch_warnings():
        pass  # Python forgets what it has shown: each job of a child warns for itself
    logger: Any = logging.Logger
    module: Any = warnings
    # Not a handler of the root logger: a job may configure logging anew, and loggers of libraries may not propagate.
    call_handlers, show = logger.callHandlers, module.showwarning

    def heard_record(self: logging.Logger, record: logging.LogRecord) -> None:
        call_handlers(self, record)
        if record.levelno >= logging.WARNING and not ear.is_showing:
            ear.hear(record.levelname, record.getMessage)

    def heard_warning(message: Any, category: type[Warning], *arguments: Any, **named: Any) -> None:
        global _shown
        _shown += 1
        ear.is_showing = True  # logging.captureWarnings logs it, too
        try:
            show(message, category, *arguments, **named)
        finally:
            ear.is_showing = False
        ear.hear(category.__name__, lambda: str(message))

    logger.callHandlers, module.showwarning = heard_record, heard_warning
    try:
        yield
    finally:
        if logger.callHandlers is heard_record:
            logger.callHandlers = call_handlers
        if module.showwarning is heard_warning:
            module.showwarning = show
        ear.is_closed = True


class _Ear:
    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._pid = os.getpid()
        self._told: set[str] = set()
        self._showing = threading.local()
        self.is_closed = False

    @property
    def is_showing(self) -> bool:
        """Whether this thread is showing a warning."""
        return bool(getattr(self._showing, "now", False))

    @is_showing.setter
    def is_showing(self, now: bool) -> None:
        self._showing.now = now

    def hear(self, how: str, text: Callable[[], str]) -> None:
        if self.is_closed or len(self._told) >= MOST_KINDS or os.getpid() != self._pid:
            return
        with contextlib.suppress(Exception):  # the text is the user's code, and the sweep may be gone
            line = text()[:LONGEST]
            kind = kind_of(how, line)
            if kind not in self._told:
                self._told.add(kind)
                self._tell(how, one_line(line))
