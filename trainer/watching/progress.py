"""A bar on a terminal while one model trains: the epoch, rows per second, the time left, the objective so far."""

import math
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import IO, Any

from trainer.watching.line import Line


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
        self._line = Line(stream, clock=clock)

    def __enter__(self) -> "Bar":
        """Begin to draw, if the stream is a terminal with a cursor."""
        total = self._epochs * self._rows
        self._line.begin(_columns, total=total, epoch=1, epochs=self._epochs, best="")
        self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar."""
        self._line.end()

    @property
    def each_batch(self) -> Callable[[int], None] | None:
        """What to call with the rows of each batch; None where nothing is drawn."""
        return self._batch if self._line.is_shown else None

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
        if self._line.is_due:
            self._draw()

    def _draw(self) -> None:
        if not self._line.is_shown:
            return
        done = min(self._done * self._rows + self._seen, self._epochs * self._rows)
        best = "" if self._best is None else f"{self._objective} {shown_number(self._best)}"
        self._line.draw(done, epoch=min(self._done + 1, self._epochs), best=best)


def shown_number(value: float) -> str:
    """Return a metric with four decimals; one that is too small or too large for these with an exponent: `1.200e-05`."""
    return (
        f"{value:.4f}"
        if value == 0 or 1e-3 <= abs(value) < 1e5 or not math.isfinite(value)
        else f"{value:.3e}"
    )


def _columns() -> Sequence[Any]:
    from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:,.0f} rows/s" if task.speed else "")

    return (
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(bar_width=20),
        TextColumn("{task.percentage:>3.0f}%"),
        Speed(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[best]}"),
    )
