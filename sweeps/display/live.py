"""A sweep on a terminal: a table that is redrawn in place, and failures above it as they happen.

The step of a running job comes from its run, which is read while the table is drawn: at most once a second, and less
often where reading is slow.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sweeps.display.plain import Lines
from sweeps.display.scoreboard import FAILED, JobLine, Scoreboard
from sweeps.display.tables import objective_column, swept_columns
from sweeps.jobs import JobState, Outcome
from sweeps.paths import shown_run
from sweeps.warned import Kind
from tracking import RunRecord
from tracking.cli.toolkit.fitting import Column
from tracking.cli.toolkit.output import ellipsis, one_line, safe, show
from tracking.cli.toolkit.tables import fitting_table
from tracking.values.units import format_clock

ENDED_ROWS = 20  # ended jobs beyond this leave the table; the leaderboard has them all
HEAD_ROWS = 2  # the names of the columns and the rule below them
SPARE_ROWS = 2
WARNINGS = 3  # kinds that are shown while jobs run
LOOK_S = 1.0  # the shortest time between two reads of a run
LOOK_SHARE = 0.02  # the largest share of the time that reading one run may take


class LiveTable(Lines):
    """A `Progress` on a terminal; `record` reads a run, or returns None."""

    _letters = 300

    def __init__(
        self,
        console: Console,
        board: Scoreboard,
        record: Callable[[str], RunRecord | None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(console.file, board)
        self._console = console
        self._record = record
        self._clock = clock
        self._next_look: dict[int, float] = {}
        self._note: str | None = None
        self._live = Live(get_renderable=self.render, console=console, refresh_per_second=4, transient=True)

    def drawing(self) -> AbstractContextManager[object]:
        """Keep the table on the screen; remove it afterwards."""
        return self._live

    def _decided(self, text: str) -> None:
        """Leave what a search has decided to `render`: the job is in the table."""

    def _warned(self, kind: Kind | None) -> None:
        """Leave a warning to `render` and to the end: what is below the table is drawn anew."""

    def finished(self, outcome: Outcome, objective: float | None) -> None:
        """Update the scoreboard; print a job that failed, was killed or cut off above the table."""
        line = self._board.finished(outcome, objective)
        if line.state in FAILED or line.note:
            self._print(self._sentence(line), "red" if line.state in FAILED else "yellow")

    def say(self, note: str) -> None:
        """Show a note below the table, in place of the one before; print it while there is no table.

        A note of several lines is a table of its own, which is printed.
        """
        if "\n" in note:
            self._print(note)
        elif self._live.is_started:
            self._note = note
        else:
            self._print(note, "yellow")

    def render(self) -> Group:
        """Return the table, no higher than the terminal."""
        running = self._board.running
        for line in running:
            self._look_at(line)
        # A narrow terminal breaks the lines below the table, and they grow with what has no room.
        lines = self._lines_of(self._below(len(running)))
        room = max(1, self._console.height - HEAD_ROWS - lines - SPARE_ROWS)
        shown, left_out = self._choose(running, room)
        return Group(self._table(shown), *self._below(left_out))

    def _lines_of(self, texts: Sequence[Text]) -> int:
        return sum(len(text.wrap(self._console, self._console.width)) for text in texts)

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(Text(safe(text), style=style), soft_wrap=True)

    def _look_at(self, line: JobLine) -> None:
        began = self._clock()
        if line.run is None or began < self._next_look.get(line.number, 0.0):
            return
        record = self._record(line.run)
        # In proportion to the last read, so that a slow file system does not keep the sweep busy with drawing.
        self._next_look[line.number] = began + max(LOOK_S, (self._clock() - began) / LOOK_SHARE)
        if record is None:
            return
        metric = self._board.objective.metric
        if metric in record.summary:
            line.latest, line.step = record.summary[metric].last, record.summary[metric].last_step
        else:
            steps = [each.last_step for each in record.summary.values() if each.last_step is not None]
            line.step = max(steps, default=None)

    def _choose(self, running: Sequence[JobLine], room: int) -> tuple[list[JobLine], int]:
        """Return the leader, the jobs that ended last, the running jobs, and how many running ones have no room.

        Running jobs take precedence.
        """
        active = list(running[:room])
        places = min(ENDED_ROWS, room - len(active))
        ended = self._board.ended
        recent = ended[-places:] if places > 0 else []
        best = self._board.best
        if best is not None and recent and best not in recent:
            recent = [best, *recent[1:]]
        return [*recent, *active], len(running) - len(active)

    def _table(self, shown: Sequence[JobLine]) -> Table:
        if not shown:
            return Table.grid()
        board, best = self._board, self._board.best
        values = [line.latest if line.state is JobState.RUNNING else line.objective for line in shown]
        steps = [str(line.step) if _is_under_way(line) else "-" for line in shown]
        label = board.objective.label
        columns = [
            Column("job", [str(line.number) for line in shown]),
            Column("run", [shown_run(line.run or "-") for line in shown], drop=5, left=True),
            *swept_columns(board.swept, [line.point for line in shown], [label]),
            *([Column("step", steps, drop=4)] if any(map(_is_under_way, shown)) else []),
            objective_column(board.objective, [show(value) for value in values]),
            Column("time", [format_clock(board.took_s(line)) for line in shown], drop=6),
            Column("status", [line.how for line in shown], drop=2, left=True),
        ]
        styles = ["bold" if line is best else "" for line in shown]
        mark = ellipsis(self._console.encoding)
        return fitting_table(columns, self._console.width, row_styles=styles, ellipsis=mark)[0]

    def _below(self, left_out: int) -> list[Text]:
        board = self._board
        running, ended = len(board.running), len(board.ended)
        counts = [
            f"{ended}/{len(board)} done",
            f"{running} running",
            f"{board.queued} queued" if board.search is None else f"{board.pruned} pruned",
        ]
        texts = [Text(" | ".join([*counts, f"{board.failed} failed"]), style="dim")]
        if board.failed:
            texts[0].stylize("red", texts[0].plain.rindex("|") + 2)
        times = [format_clock(board.elapsed_s)]
        left_s = board.left_s()
        if left_s is not None and ended < len(board):
            times.append(f"about {format_clock(left_s)} left")
        best = board.best
        if best is not None:
            times.append(f"best {one_line(board.objective.label)} {show(best.objective)} (job {best.number})")
        if left_out:
            times.append(f"{left_out} more running")
        texts.append(Text(" | ".join(times), style="dim"))
        if self._note:
            texts.append(Text(safe(self._note), style="yellow"))
        kinds = board.warned.kinds
        width, mark = self._console.width, ellipsis(self._console.encoding)
        for text in (one_line(kind.all) for kind in kinds[-WARNINGS:]):
            cut = text if len(text) <= width else f"{text[: width - 1]}{mark}"
            texts.append(Text(cut, style="yellow"))
        if len(kinds) > WARNINGS:
            texts.append(Text(f"{len(kinds) - WARNINGS} more kinds of warnings", style="yellow"))
        return texts


def _is_under_way(line: JobLine) -> bool:
    return line.state is JobState.RUNNING and line.step is not None
