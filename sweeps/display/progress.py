"""The display of a sweep, and the choice of one: a live table, plain lines, or JSON events.

A display shows what happens: `began`, `heard` (a job starts, opens a run, is tried again), `finished`, `say` (a note),
`ranked` and `decided`; its caller holds `drawing` while jobs run. `heard`, `finished` and `say` may be called from any
thread, `say` also from a signal handler. No method raises when the reader has gone.
"""

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from sweeps.display.json_events import JsonLines, Write, stdout_to_itself
from sweeps.display.plain import Lines
from sweeps.display.scoreboard import Scoreboard
from sweeps.settings.sweeper_settings import OutputMode
from tracking import RunRecord
from tracking.cli.toolkit.output import console
from tracking.cli.toolkit.streams import lasting

Progress = Lines | JsonLines  # a table is Lines, too


def stdout_for(mode: OutputMode) -> AbstractContextManager[Write | None]:
    """Return a context for a whole sweep, its planning included; for JSON it gives the only writer to stdout."""
    return stdout_to_itself() if mode is OutputMode.JSON else nullcontext()


def make_progress(
    mode: OutputMode, write: Write | None, board: Scoreboard, record: Callable[[str], RunRecord | None]
) -> Progress:
    """Return the `Progress` for `mode`; with ``auto`` it is a table on a terminal, and lines in a notebook (`!python ...`).

    `write` is that of `stdout_for`.
    """
    if write is not None:
        return JsonLines(write, board)
    out = lasting(sys.stdout)
    draws = (
        out.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"} and not _in_notebook()
    )
    if mode is OutputMode.TABLE or (mode is OutputMode.AUTO and draws):
        from sweeps.display.live import LiveTable

        return LiveTable(console(out, force_terminal=mode is OutputMode.TABLE or None), board, record)
    return Lines(out, board)


def _in_notebook() -> bool:
    """Return whether a Jupyter kernel started this process: it shows a terminal's output, and moves no cursor."""
    backend = os.environ.get("MPLBACKEND", "")
    return "JPY_PARENT_PID" in os.environ or backend.startswith("module://matplotlib_inline")
