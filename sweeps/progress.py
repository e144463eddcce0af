"""What a sweep shows while it runs: one live table on a terminal, one line per finished job in a pipe."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sweeps.executor.base import Event, Outcome
from sweeps.settings import Direction, Objective
from sweeps.table import (
    Column,
    duration,
    fitting_table,
    number,
    parameter,
    short_names,
    status_column,
    swept_columns,
)

LIVE_ROWS = 20  # finished jobs beyond this leave the live table; the leaderboard has them all


@dataclass
class _JobLine:
    number: int
    point: Mapping[str, object]
    status: str = "queued"
    run: str | None = None
    started: float | None = None
    wall_s: float | None = None
    objective: float | None = None
    error: str | None = None


class Progress:
    """Follows the jobs of a sweep; a context manager around the time they run.

    `heard` may be called from any thread.
    """

    def __init__(
        self,
        console: Console,
        points: Sequence[Mapping[str, object]],
        swept: Sequence[str],
        objective: Objective,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._lines = {index: _JobLine(index, point) for index, point in enumerate(points)}
        self._names = short_names(swept)
        self._objective = objective
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()
        self._note: str | None = None
        self._live = (
            Live(get_renderable=self._render, console=console, refresh_per_second=4, transient=True)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def heard(self, event: Event) -> None:
        """Take note of a job's start or of the run it opened."""
        with self._lock:
            line = self._lines[event.job]
            if event.kind == "started":
                line.status, line.started = "running", self._clock()
            elif event.kind == "run":
                line.run = str(event.data["run"])
            elif event.kind == "retry":
                line.status, line.started = "queued", None
        if event.kind == "retry" and self._live is None:
            said = f"job {event.job}: attempt {event.data['attempt']} failed, trying again: {event.data['error']}"
            self._console.print(said.replace("[", r"\["), soft_wrap=True)

    def finished(self, outcome: Outcome, objective: float | None) -> None:
        """Take note of a job's end; in a pipe, print its line."""
        with self._lock:
            line = self._lines[outcome.job]
            line.status, line.wall_s = str(outcome.status), outcome.wall_s
            line.objective, line.error = objective, outcome.error
        if self._live is None:
            self._console.print(self._sentence(line), soft_wrap=True)

    def say(self, note: str) -> None:
        """Show a remark: below the live table, or as a line."""
        self._note = note
        if self._live is None:
            self._console.print(note, soft_wrap=True)

    def _sentence(self, line: _JobLine) -> str:
        done = sum(other.wall_s is not None for other in self._lines.values())
        parts = [f"[{done}/{len(self._lines)}]", f"job {line.number}", line.status]
        if line.objective is not None:
            parts.append(f"{self._objective.label}={number(line.objective)}")
        parts.append(duration(line.wall_s))
        parts.append(self._point(line.point))
        parts.append(line.error or line.run or "")
        # Brackets would be read as markup by rich.
        return "  ".join(part for part in parts if part).replace("[", r"\[")

    def _point(self, point: Mapping[str, object]) -> str:
        return " ".join(f"{self._names.get(key, key)}={parameter(value)}" for key, value in point.items())

    def _best(self) -> _JobLine | None:
        scored = [
            line for line in self._lines.values() if line.status == "completed" and line.objective is not None
        ]
        sign = 1 if self._objective.mode is Direction.MAX else -1
        return max(scored, key=lambda line: sign * (line.objective or 0.0), default=None)

    def _render(self) -> Group:
        with self._lock:
            lines = list(self._lines.values())
            running = [line for line in lines if line.status == "running"]
            ended = sorted((line for line in lines if line.wall_s is not None), key=lambda line: line.number)
            room = max(1, min(LIVE_ROWS, self._console.height - 8) - len(running))
            shown = [*ended[-room:], *running]
            return Group(self._table(shown), *self._summary(lines, len(running), len(ended)))

    def _table(self, shown: Sequence[_JobLine]) -> Table:
        if not shown:
            return Table.grid()
        best = self._best()
        columns = [
            Column("job", [str(line.number) for line in shown]),
            Column("run", [line.run or "-" for line in shown], drop=2, left=True),
            *swept_columns(tuple(self._names), [line.point for line in shown]),
            Column(self._objective.label, [number(line.objective) for line in shown]),
            Column("time", [duration(self._elapsed(line)) for line in shown], drop=3),
            status_column([line.status for line in shown]),
        ]
        styles = ["bold" if line is best else "" for line in shown]
        return fitting_table(columns, self._console.width, row_styles=styles)[0]

    def _elapsed(self, line: _JobLine) -> float:
        return line.wall_s if line.wall_s is not None else self._clock() - (line.started or 0.0)

    def _summary(self, lines: Sequence[_JobLine], running: int, ended: int) -> list[Text]:
        failed = sum(line.status in {"failed", "killed"} for line in lines)
        queued = len(lines) - running - ended
        parts = [f"{ended}/{len(lines)} done", f"{running} running", f"{queued} queued", f"{failed} failed"]
        best = self._best()
        if best is not None:
            parts.append(f"best {self._objective.label} {number(best.objective)} (job {best.number})")
        parts.append(duration(self._clock() - self._began))
        texts = [Text(" | ".join(parts), style="dim")]
        if self._note:
            texts.append(Text(self._note, style="yellow"))
        return texts
