"""Shows a sweep as plain lines, one per finished job: for a pipe, a log file, or a terminal without a cursor."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.text import Text

from sweeps.display.scoreboard import JobLine, Scoreboard
from sweeps.display.tables import number, parameter, short_names, show_leaderboard
from sweeps.jobs import Event, EventKind, Outcome
from sweeps.ranking.leaderboard import Leaderboard
from sweeps.ranking.promotion import Decision
from tracking.values.units import counted, format_clock

SHOWN = 50  # rows of the leaderboard at the end of a sweep


class Lines:
    """A `Progress` that prints and never takes anything back."""

    def __init__(self, console: Console, board: Scoreboard) -> None:
        self._console = console
        self._board = board
        self._names = short_names(board.swept)
        self._dir = Path()

    def drawing(self) -> AbstractContextManager[object]:
        """Draw nothing that would have to be taken back."""
        return nullcontext()

    def began(self, sweep_dir: Path) -> None:
        """Print what begins, and where its results go."""
        self._dir = sweep_dir
        self._print(f"Sweep {sweep_dir.name}: {counted(len(self._board), 'job')}, results in {sweep_dir}")

    def heard(self, event: Event) -> None:
        """Take note of the event; print that a job is tried again."""
        line = self._board.heard(event)
        if event.kind is EventKind.RETRY:
            said = f"job {line.number}: attempt {event.data['attempt']} failed, trying again: {event.data['error']}"
            self._print(said, style="yellow")

    def finished(self, outcome: Outcome, objective: float | None) -> None:
        """Take note of a job's end and print its line."""
        self._print(self._sentence(self._board.finished(outcome, objective)))

    def say(self, note: str) -> None:
        """Print a remark."""
        self._print(note)

    def ranked(self, board: Leaderboard) -> None:
        """Print the leaderboard, every error, and how well the slots were used."""
        show_leaderboard(self._console, board, self._dir, most=SHOWN)

    def decided(self, decision: Decision) -> None:
        """Print what became of the winner."""
        self._print(str(decision), style="green" if decision.promoted else "yellow")

    def _print(self, text: str, style: str = "") -> None:
        # A Text, because brackets in a string would be read as markup.
        self._console.print(Text(text, style=style), soft_wrap=True)

    def _sentence(self, line: JobLine) -> str:
        parts = [f"[{len(self._board.ended)}/{len(self._board)}]", f"job {line.number}", line.how]
        if line.objective is not None:
            parts.append(f"{self._board.objective.label}={number(line.objective)}")
        parts.append(format_clock(line.wall_s))
        parts.append(self._point(line.point))
        parts.append(line.error or line.run or "")
        return "  ".join(part for part in parts if part)

    def _point(self, point: Mapping[str, object]) -> str:
        return " ".join(f"{self._names.get(key, key)}={parameter(value)}" for key, value in point.items())
