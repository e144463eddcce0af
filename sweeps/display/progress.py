"""Who tells the user how a sweep goes: a live table, plain lines, or JSON lines for a script."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from sweeps.display.console import make_console
from sweeps.display.json_events import JsonLines, Write, stdout_to_itself
from sweeps.display.live import LiveTable
from sweeps.display.plain import Lines
from sweeps.display.scoreboard import Scoreboard
from sweeps.jobs import Event, Outcome
from sweeps.ranking.leaderboard import Leaderboard
from sweeps.ranking.promotion import Decision
from sweeps.settings.sweeper_settings import OutputMode
from tracking import RunRecord


class Progress(Protocol):
    """Tells what happens in a sweep.

    `heard`, `finished` and `say` may be called from any thread, `say` also from a signal handler. Nothing here raises
    because nobody reads any more.
    """

    def began(self, sweep_dir: Path) -> None:
        """Tell that the sweep begins, and where its results go."""

    def drawing(self) -> AbstractContextManager[object]:
        """Give what is to surround the time the jobs run."""

    def heard(self, event: Event) -> None:
        """Take note of a job's start, of the run it opened, or that it is tried again."""

    def finished(self, outcome: Outcome, objective: float | None) -> None:
        """Take note of a job's end."""

    def say(self, note: str) -> None:
        """Tell a remark."""

    def ranked(self, board: Leaderboard) -> None:
        """Tell how the jobs rank, and every error."""

    def decided(self, decision: Decision) -> None:
        """Tell what became of the winner."""


def stdout_for(mode: OutputMode) -> AbstractContextManager[Write | None]:
    """Give what is to surround all of a sweep, its planning included: for JSON what keeps stdout clean, and writes."""
    return stdout_to_itself() if mode is OutputMode.JSON else nullcontext()


def make_progress(
    mode: OutputMode, write: Write | None, board: Scoreboard, record: Callable[[str], RunRecord | None]
) -> Progress:
    """Return the `Progress` that `mode` asks for, with ``auto`` a table on a terminal; `write` is `stdout_for`'s."""
    if write is not None:
        return JsonLines(write, board)
    console = make_console(as_terminal=mode is OutputMode.TABLE)
    draws = console.is_terminal and not console.is_dumb_terminal
    if mode is OutputMode.TABLE or (mode is OutputMode.AUTO and draws):
        return LiveTable(console, board, record)
    return Lines(console, board)
