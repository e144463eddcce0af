"""A sweep as plain lines, one per finished job: for a pipe, a log file, or a terminal without a cursor."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

from sweeps.display.scoreboard import JobLine, Scoreboard
from sweeps.display.tables import parameter, short_names, show_leaderboard, show_warnings
from sweeps.jobs import Event, EventKind, Outcome
from sweeps.paths import shown_run
from sweeps.ranking.leaderboard import Leaderboard
from sweeps.ranking.promotion import Decision
from sweeps.warned import Kind
from tracking.cli.toolkit.output import one_line, say, show
from tracking.values.secrets import masked
from tracking.values.units import counted, format_clock

SHOWN = 50  # rows of the leaderboard at the end of a sweep
LOSSES = 3  # of a job, which its search then takes for a failed one
AGAIN = 100  # letters of a warning that was printed before


class Lines:
    """A `Progress` that appends lines to a stream."""

    _letters: int | None = AGAIN  # of a warning at the end

    def __init__(self, out: IO[str], board: Scoreboard) -> None:
        self._out = out
        self._board = board
        self._names = short_names(board.swept, [board.objective.label])
        self._dir = Path()

    def drawing(self) -> AbstractContextManager[object]:
        """Draw nothing."""
        return nullcontext()

    def began(self, sweep_dir: Path) -> None:
        """Print the sweep, its number of jobs, and its folder."""
        self._dir = sweep_dir
        jobs = counted(len(self._board), "job") if len(self._board) else "a search"
        self._print(one_line(f"Sweep {sweep_dir.name}: {jobs}, results in {sweep_dir}"))

    def heard(self, event: Event) -> None:
        """Update the scoreboard; print a new kind of warning, a retry, a job that goes on or repeats another one, and that
        a job waits for its process to end.
        """
        if event.kind is EventKind.WARNING:
            self._warned(self._board.warned.hear(event))
            return
        line = self._board.heard(event)
        if event.kind is EventKind.RETRY:
            attempt, error = event.data["attempt"], one_line(str(event.data["error"]))
            how = f"attempt {attempt} failed, trying again"
            if event.data.get("cut_off"):
                how = "runs again" if event.data.get("lost_node") else "cut off, runs again alone"
            self._print(f"job {line.number}: {how}: {error}", "yellow")
        elif event.kind is EventKind.RESUMED:
            until, was_lost = event.data["until"], event.data["was_lost"]
            how_far = "to its end" if until is None else f"to epoch {until}"
            how_lost = f" ({line.error})" if line.error else ""
            self._decided(
                f"job {line.number} was lost{how_lost} and begins again; lost {LOSSES} times, it counts as failed"
                if was_lost
                else f"job {line.number} goes on {how_far}"
            )
        elif event.kind is EventKind.ASKED and event.data["repeats"] is not None:
            self._decided(f"job {line.number} repeats job {event.data['repeats']} with another seed")
        elif event.kind is EventKind.ENDING:
            waits_for = one_line(str(event.data["waits_for"]))
            self._print(f"job {line.number}: its task has returned; waiting for {waits_for}")

    def finished(self, outcome: Outcome, objective: float | None) -> None:
        """Update the scoreboard; print the line of the job."""
        self._print(self._sentence(self._board.finished(outcome, objective)))

    def say(self, note: str) -> None:
        """Print a note."""
        self._print(note)

    def ranked(self, board: Leaderboard) -> None:
        """Print the leaderboard, how well the slots were used, every error, and every kind of warning with its jobs."""
        show_leaderboard(board, self._dir, most=SHOWN, file=self._out)
        show_warnings(self._board.warned, self._dir, most=self._letters, file=self._out)
        self._out.flush()

    def decided(self, decision: Decision) -> None:
        """Print the decision about the winner."""
        self._print(str(decision), "green" if decision.promoted else "yellow")

    def _decided(self, text: str) -> None:
        """Print what a search has decided."""
        self._print(text)

    def _warned(self, kind: Kind | None) -> None:
        """Print a kind of warning, if it is a new one."""
        if kind is not None:
            self._print(one_line(kind.first), "yellow")

    def _print(self, text: str, style: str = "") -> None:
        # Flushed, because a log file or a pipe is followed while jobs run for hours.
        say(text, style, file=self._out)
        self._out.flush()

    def _sentence(self, line: JobLine) -> str:
        parts = [f"[{len(self._board.ended)}/{len(self._board)}]", f"job {line.number}", line.how]
        if line.objective is not None:
            parts.append(f"{self._board.objective.label}={show(line.objective)}")
        parts.append(format_clock(line.wall_s))
        values = (
            (self._names.get(key, key), parameter(value)) for key, value in masked(dict(line.point)).items()
        )
        parts.append(" ".join(f"{name}={value}" for name, value in values))
        parts += [line.error or (shown_run(line.run) if line.run else ""), line.note or ""]
        return one_line("  ".join(part for part in parts if part))
