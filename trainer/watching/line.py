"""One line on a terminal that shows how far a long work is.

It stays below what the process prints: a line that is written to stdout or stderr takes its place, and it is drawn again
below that one. It is drawn on the terminal alone, so no log holds it.
"""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import IO, Any

EVERY_S = 0.1
NO_CURSOR = {"dumb", "unknown", ""}
_CLEAR = "\r\x1b[2K"


class Line:
    """Draws the columns of rich's progress; does nothing where `stream` is no terminal with a cursor."""

    def __init__(self, stream: IO[str] | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream: Any = stream
        self._clock = clock
        self._next = 0.0
        self._terminal: IO[str] | None = None
        self._progress: Any = None
        self._task: Any = None
        self._writes: list[tuple[Any, Any]] = []  # streams, and what their `write` was
        self._is_drawn = False
        self._is_held = False  # a line has begun that this one would take away

    @property
    def is_shown(self) -> bool:
        """Whether it has begun, on a terminal."""
        return self._terminal is not None

    @property
    def is_due(self) -> bool:
        """Whether it is time to draw again."""
        return self._clock() >= self._next

    def begin(self, columns: Callable[[], Sequence[Any]], *, total: float | None, **fields: Any) -> None:
        """Begin to draw, if the stream is a terminal with a cursor; `columns` imports what it needs of rich."""
        if not has_cursor(self._stream):
            return
        from rich.console import Console
        from rich.progress import Progress

        self._terminal = os.fdopen(
            os.dup(self._stream.fileno()), "w", encoding=self._stream.encoding, errors="replace"
        )
        console = Console(file=self._terminal, force_terminal=True, highlight=False)
        self._progress = Progress(*columns(), console=console, auto_refresh=False)
        self._task = self._progress.add_task("", total=total, **fields)
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and has_cursor(stream):
                self._writes.append((stream, vars(stream).get("write")))
                stream.write = self._above(stream.write)  # type: ignore[method-assign]

    def end(self) -> None:
        """Remove the line."""
        if self._terminal is None:
            return
        for stream, before in reversed(self._writes):
            if before is None:
                del stream.write
            else:
                stream.write = before
        self._clear()
        with contextlib.suppress(OSError):
            self._terminal.close()
        self._terminal = None

    def draw(self, completed: float, **fields: Any) -> None:
        """Show how much is done."""
        if self._terminal is None or self._is_held:
            return
        self._next = self._clock() + EVERY_S
        self._progress.update(self._task, completed=completed, **fields)
        console = self._progress.console
        console.width = shutil.get_terminal_size().columns
        with contextlib.suppress(OSError, ValueError):  # the terminal is closed; the work goes on
            with console.capture() as drawn:
                console.print(self._progress.get_renderable(), end="")
            self._write(_CLEAR + drawn.get().rstrip("\n"))
            self._is_drawn = True

    def _clear(self) -> None:
        if self._is_drawn:
            self._is_drawn = False
            with contextlib.suppress(OSError):
                self._write(_CLEAR)

    def _write(self, text: str) -> None:
        assert self._terminal is not None  # noqa: S101 - its callers have asked
        self._terminal.write(text)
        self._terminal.flush()

    def _above(self, write: Callable[[str], Any]) -> Callable[[str], Any]:
        """Return a `write` that takes the line away first; it is drawn again when it is due."""

        def written(text: str) -> Any:
            self._clear()
            self._next = 0.0
            self._is_held = not text.endswith("\n") if text else self._is_held
            return write(text)

        return written


def has_cursor(stream: Any) -> bool:
    """Whether a stream is a terminal whose lines can be drawn over."""
    try:
        return (
            stream is not None
            and bool(stream.isatty())
            and os.environ.get("TERM", "").lower() not in NO_CURSOR
        )
    except ValueError:  # it is closed
        return False
