"""What a sweep is told on: a console whose reader may leave, or whose terminal may be closed, without ending anything."""

import os
import sys
from pathlib import Path
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


def open_streams() -> None:
    """Give a process that was started without stdin, stdout or stderr one that leads nowhere."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)  # something else may have been opened under its number since
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere == number:
                os.set_inheritable(number, True)
            else:
                os.dup2(nowhere, number)
                os.close(nowhere)
        setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - as long as the process


def say_on_stderr(text: str) -> None:
    """Write a message to stderr, if anybody is there."""
    stderr = _Stream(sys.stderr)
    stderr.write(text)
    stderr.flush()
