"""A bar on a terminal while one model trains: the epoch, rows per second, the time left, the objective so far.

It stays below what the process prints: a line that is written to stdout or stderr takes the place of the bar, which is
drawn again below it. It is drawn on the terminal alone, so no log holds it.
"""

import contextlib
import math
import os
import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import IO, Any

EVERY_S = 0.1
NO_CURSOR = {"dumb", "unknown", ""}
_CLEAR = "\r\x1b[2K"


class Bar:
    """Draws the progress of a training as a context around it; does nothing where `stream` is no terminal.

    `objective` names the metric that is shown, of which the best value so far is kept by `is_better`.
    """

    def __init__(
        self,
        *,
        epochs: int,
        rows: int,
        objective: str,
        is_better: Callable[[float, float | None], bool],
        stream: IO[str] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._epochs, self._rows = epochs, max(1, rows)
        self._objective, self._is_better = objective, is_better
        self._best: float | None = None
        self._done = 0  # epochs
        self._seen = 0  # rows of the present epoch
        self._stream: Any = stream
        self._clock = clock
        self._next = 0.0
        self._terminal: IO[str] | None = None
        self._progress: Any = None
        self._writes: list[tuple[Any, Any]] = []  # streams, and what their `write` was
        self._is_drawn = False
        self._is_held = False  # a line has begun that the bar would take away

    def __enter__(self) -> "Bar":
        """Begin to draw, if the stream is a terminal with a cursor."""
        if not _has_cursor(self._stream):
            return self
        self._terminal = os.fdopen(
            os.dup(self._stream.fileno()), "w", encoding=self._stream.encoding, errors="replace"
        )
        self._progress, self._task = _progress(self._terminal, self._epochs, self._rows)
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and _has_cursor(stream):
                self._writes.append((stream, vars(stream).get("write")))
                stream.write = self._above(stream.write)  # type: ignore[method-assign]
        self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar."""
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

    @property
    def each_batch(self) -> Callable[[int], None] | None:
        """What to call with the rows of each batch; None where nothing is drawn."""
        return None if self._terminal is None else self._batch

    def telling(
        self, log: Callable[[dict[str, float], int], object]
    ) -> Callable[[dict[str, float], int], None]:
        """Return a `log` that shows the end of an epoch, too."""

        def told(metrics: dict[str, float], epoch: int) -> None:
            log(metrics, epoch)
            self.epoch(metrics, epoch)

        return told

    def epoch(self, metrics: dict[str, float], epoch: int) -> None:
        """Show the end of an epoch."""
        value = metrics.get(self._objective)
        if value is not None and self._is_better(value, self._best):
            self._best = value
        self._done, self._seen = epoch, 0
        self._draw()

    def _batch(self, rows: int) -> None:
        self._seen += rows
        if self._clock() >= self._next:
            self._draw()

    def _draw(self) -> None:
        if self._terminal is None or self._is_held:
            return
        self._next = self._clock() + EVERY_S
        best = "" if self._best is None else f"{self._objective} {shown_number(self._best)}"
        self._progress.update(
            self._task,
            completed=min(self._done * self._rows + self._seen, self._epochs * self._rows),
            epoch=min(self._done + 1, self._epochs),
            best=best,
        )
        console = self._progress.console
        console.width = shutil.get_terminal_size().columns
        with contextlib.suppress(OSError, ValueError):  # the terminal is closed; the training goes on
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
        """Return a `write` that takes the bar away first; it is drawn again with the next batch."""

        def written(text: str) -> Any:
            self._clear()
            self._next = 0.0
            self._is_held = not text.endswith("\n") if text else self._is_held
            return write(text)

        return written


def shown_number(value: float) -> str:
    """Return a metric with four decimals; one that is too small or too large for these with an exponent: `1.200e-05`."""
    return (
        f"{value:.4f}"
        if value == 0 or 1e-3 <= abs(value) < 1e5 or not math.isfinite(value)
        else f"{value:.3e}"
    )


def _has_cursor(stream: Any) -> bool:
    try:
        return (
            stream is not None
            and bool(stream.isatty())
            and os.environ.get("TERM", "").lower() not in NO_CURSOR
        )
    except ValueError:  # it is closed
        return False


def _progress(terminal: IO[str], epochs: int, rows: int) -> tuple[Any, Any]:
    """Return a progress of rich that draws nothing by itself, and its task."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:,.0f} rows/s" if task.speed else "")

    progress = Progress(
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(bar_width=20),
        TextColumn("{task.percentage:>3.0f}%"),
        Speed(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[best]}"),
        console=Console(file=terminal, force_terminal=True, highlight=False),
        auto_refresh=False,
    )
    return progress, progress.add_task("training", total=epochs * rows, epoch=1, epochs=epochs, best="")
