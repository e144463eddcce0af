"""What the package says in its log while a command works: on stderr, in the words of commands, each thing once."""

import contextlib
import logging
import sys
from collections.abc import Iterator

from tracking.cli.toolkit import output

log = logging.getLogger("tracking")

LEFT_OUT = "left out: "


class Notices(logging.Handler):
    """Tells what is logged as it comes, unless it was told already; knows whether anything was left out."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.has_left_out = False
        self._told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of one record."""
        message = record.getMessage()
        what = message.removeprefix(LEFT_OUT)
        self.has_left_out |= message.startswith(LEFT_OUT)
        if what not in self._told:
            self._told.add(what)
            sys.stderr.write(f"tracking: {output.safe(message)}\n")


@contextlib.contextmanager
def noticed() -> Iterator[Notices]:
    """Tell what is logged inside."""
    notices = Notices()
    log.addHandler(notices)
    try:
        yield notices
    finally:
        log.removeHandler(notices)
