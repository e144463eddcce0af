"""Who tells the user how a sweep goes: a live table, plain lines, or JSON lines for a script."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from rich.console import Console

from sweeps.executor.base import Event, Outcome
from sweeps.json_lines import JsonLines, stdout_to_itself
from sweeps.leaderboard import Leaderboard
from sweeps.lines import Lines
from sweeps.live import LiveTable
from sweeps.promotion import Decision
from sweeps.scoreboard import Scoreboard
from sweeps.settings import OutputMode
from sweeps.table import make_console
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


@contextlib.contextmanager
def telling(
    mode: OutputMode, board: Scoreboard, record: Callable[[str], RunRecord | None]
) -> Iterator[Progress]:
    """Give the `Progress` that `mode` asks for; with ``auto`` a table on a terminal, lines elsewhere."""
    if mode is OutputMode.JSON:
        with stdout_to_itself() as write:
            yield JsonLines(write, board)
        return
    console = Console(highlight=False, force_terminal=True) if mode is OutputMode.TABLE else make_console()
    draws = console.is_terminal and not console.is_dumb_terminal
    if mode is OutputMode.TABLE or (mode is OutputMode.AUTO and draws):
        yield LiveTable(console, board, record)
    else:
        yield Lines(console, board)
