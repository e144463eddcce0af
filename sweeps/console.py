"""What a sweep is told on: a console whose reader may leave, or whose terminal may be closed, without ending anything."""

import os
import sys
from typing import TextIO, cast

from rich.console import Console

PIPE_WIDTH = 400  # wide enough that a table in a pipe is never cut


class _Stream:
    """A standard stream that, once it cannot be written, takes what is said to nowhere, so that work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, attribute: str) -> object:
        return getattr(self._stream, attribute)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            return self._give_up(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._give_up("")

    def _give_up(self, text: str) -> int:
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        return len(text)


def make_console(*, as_terminal: bool = False) -> Console:
    """Return a console on stdout: as wide as the terminal, or never cut when output is a pipe."""
    stdout = cast(TextIO, _Stream(sys.stdout))
    console = Console(file=stdout, highlight=False, force_terminal=True if as_terminal else None)
    return console if console.is_terminal else Console(file=stdout, highlight=False, width=PIPE_WIDTH)


def say_on_stderr(text: str) -> None:
    """Write a message to stderr, if anybody is there."""
    stderr = _Stream(sys.stderr)
    stderr.write(text)
    stderr.flush()
