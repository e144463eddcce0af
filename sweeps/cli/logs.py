"""The command that shows what a job printed: logs.

A pipe gets the bytes of the log. A terminal and `--tail` get what a terminal would show of it, so that nothing a job
printed takes hold of the terminal, and a progress bar is one line.
"""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from sweeps.cli.app import JobArgument, SweepArgument
from sweeps.cli.jobs import find_job
from sweeps.display.screen import Screen, finished, lines_of
from sweeps.errors import SweepError
from sweeps.paths import find_sweep, job_folder
from sweeps.state.ledger import read_sweep, replay
from sweeps.state.lock import parent_of
from tracking.cli.toolkit import output
from tracking.cli.toolkit.fitting import cells_wide
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.files import open_file, refuse_link

POLL_S = 0.2
MOST_ROWS = 1000  # that are drawn at once


def logs(
    sweep: SweepArgument,
    job: JobArgument,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print what is added until the job ends.")
    ] = False,
    tail: Annotated[
        int | None, typer.Option("--tail", "-n", metavar="N", min=0, help="Only the last N lines.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Print the output of a job, all its attempts together.

    Example: python -m sweeps logs latest 3 --tail 20
    """
    if follow and as_json:
        raise typer.BadParameter("--follow prints text as it is written; leave out --json")
    folder = find_sweep(Path(store), sweep)
    _, history = read_sweep(folder)
    number = find_job(folder, history, job)
    log = job_folder(folder, number) / "output.log"
    refuse_link(log.parent.parent, log.parent)
    known = history.outcomes.get(number)
    if known is not None and known.reused:
        raise SweepError(f"job {number} of {folder.name} did not run: it reuses {known.runs[-1]}")
    if not os.path.lexists(log) and not follow:
        why = "has no log: its launcher keeps it elsewhere, or it was removed" if known else "has not started"
        raise SweepError(f"job {number} of {folder.name} {why}; there is no {log}")
    if as_json:
        text = "".join(f"{line}\n" for line in lines_of(log, tail))
        output.say_json({"sweep": folder.name, "job": number, "log": log, "text": text})
    elif follow:
        _follow(folder, number, log, tail)
    elif tail is None and not sys.stdout.isatty():
        with open_file(log) as stream:
            shutil.copyfileobj(stream, sys.stdout.buffer)
    else:
        for line in lines_of(log, tail):
            sys.stdout.write(f"{output.printed(line)}\n")


def _follow(folder: Path, job: int, log: Path, tail: int | None) -> None:
    """Print a log, and what is added to it until the job ends. The log may not exist yet."""
    shown = Terminal(tail) if sys.stdout.isatty() else Pipe(tail)
    with contextlib.ExitStack() as opened:
        stream: BinaryIO | None = None
        is_running = True
        while is_running:
            # Checked before the log is read, so that the last lines are printed too.
            is_running = parent_of(folder) is not None and not _has_ended(folder, job)
            if stream is None and os.path.lexists(log):
                stream = opened.enter_context(open_file(log))
            if stream is not None:
                shown.show(stream)
            sys.stdout.flush()
            if is_running:
                time.sleep(POLL_S)
    shown.end()


class Pipe:
    """A log that is followed by a pipe: its last lines as a terminal shows them, then each byte as it is written."""

    def __init__(self, tail: int | None) -> None:
        self._tail = tail

    def show(self, stream: BinaryIO) -> None:
        """Write what is new in a log."""
        if self._tail is not None:
            screen = Screen()
            lines = [*finished(screen, stream, self._tail), *screen.rows]
            sys.stdout.write("\n".join(map(output.printed, lines)))
            sys.stdout.flush()
            self._tail = None
        shutil.copyfileobj(stream, sys.stdout.buffer)

    def end(self) -> None:
        """Write nothing: the bytes are the log."""


class Terminal:
    """A log that is followed on a terminal: rows that a progress bar writes over are drawn again.

    The sequences that move the cursor are of this class; none of the log is passed on.
    """

    def __init__(self, tail: int | None) -> None:
        self._tail = tail
        self._screen = Screen()
        self._drawn: list[str] = []

    def show(self, stream: BinaryIO) -> None:
        """Draw what is new in a log."""
        done: list[str] = []
        for line in finished(self._screen, stream, self._tail):
            done.append(line)
            if len(done) == MOST_ROWS:
                self._draw(done, [""])
                done = []
        self._tail = None
        self._draw(done, self._screen.rows)

    def end(self) -> None:
        """Leave the cursor in a line of its own."""
        if self._drawn and self._drawn[-1]:
            sys.stdout.write("\n")

    def _draw(self, done: Sequence[str], rows: Sequence[str]) -> None:
        """Draw rows of which those that are `done` do not change any more; leave the cursor at the end of the last."""
        size, drawn = shutil.get_terminal_size(), self._drawn
        new = [output.printed(row) for row in (*done, *rows)]
        if new == drawn:
            return
        pairs = zip(drawn, new, strict=False)
        same = next(
            (index for index, (old, row) in enumerate(pairs) if old != row), min(len(drawn), len(new))
        )
        same = max(0, min(same, len(new) - 1))
        heights = [_height(row, size.columns) for row in drawn[same:]]
        while sum(heights) > size.lines:  # what has left the screen stays as it is
            same, heights = same + 1, heights[1:]
        if heights:
            up = f"\x1b[{sum(heights) - 1}A" if sum(heights) > 1 else ""
            sys.stdout.write(f"\r{up}\x1b[J")
        elif drawn and len(new) > same:
            sys.stdout.write("\n")
        sys.stdout.write("\n".join(new[same:]))
        self._drawn = new[len(done) :]


def _height(row: str, columns: int) -> int:
    """Return how many lines of a terminal a row takes."""
    return max(1, -(-cells_wide(row.expandtabs()) // max(1, columns)))


def _has_ended(folder: Path, job: int) -> bool:
    known = replay(folder / "jobs.jsonl").jobs.get(job)
    # A job that is tried again is open although it has an outcome.
    return known is not None and known.outcome is not None and not known.is_open
