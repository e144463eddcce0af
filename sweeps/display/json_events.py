"""A sweep as JSON for a script: one object per event and line on stdout, and nothing else there.

What other code prints to stdout meanwhile, such as a resolver or a log handler of the user, goes to stderr.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweeps.display.scoreboard import Scoreboard
from sweeps.jobs import Event, EventKind, Outcome
from sweeps.ranking.leaderboard import Leaderboard, as_plain
from sweeps.ranking.promotion import Decision
from tracking.cli.toolkit.output import printable
from tracking.values.jsontext import encode
from tracking.values.secrets import masked, masked_command

Write = Callable[[bytes], None]


class JsonLines:
    """A `Progress` for scripts; `write` takes whole lines."""

    def __init__(self, write: Write, board: Scoreboard) -> None:
        self._write = write
        self._board = board

    def drawing(self) -> AbstractContextManager[object]:
        """Draw nothing."""
        return nullcontext()

    def began(self, sweep_dir: Path) -> None:
        """Write `began`: the sweep, its folder, how many jobs and slots."""
        self._say(
            EventKind.BEGAN,
            sweep=sweep_dir.name,
            dir=str(sweep_dir),
            jobs=len(self._board),
            slots=self._board.slots,
        )

    def heard(self, event: Event) -> None:
        """Write `started`, `run`, `ending` or `retry` as the ledger has it, without the traceback; a new kind of `warning`.

        Of a search write `asked` for a job that it decided on, `rung` for one that was judged, `resumed` for one that goes
        on.
        """
        if event.kind is EventKind.WARNING:
            kind = self._board.warned.hear(event)
            if kind is not None:
                self._say(event.kind, job=event.job, **event.data)
            return
        self._board.heard(event)
        self._say(event.kind, **{"job": event.job, **event.data})

    def finished(self, outcome: Outcome, objective: float | None) -> None:
        """Write `finished`: how the job ended, and the state of the sweep."""
        line = self._board.finished(outcome, objective)
        best = self._board.best
        self._say(
            EventKind.FINISHED,
            **asdict(outcome),
            point=line.point,
            objective=objective,
            done=len(self._board.ended),
            jobs=len(self._board),
            failed=self._board.failed,
            best=None if best is None else {"job": best.number, "objective": best.objective},
            left_s=self._board.left_s(),
        )

    def say(self, note: str) -> None:
        """Write `note`."""
        self._say("note", text=note)

    def ranked(self, board: Leaderboard) -> None:
        """Write `warnings`, each kind with the number of its jobs, and `leaderboard`, as leaderboard.json has it."""
        warned = self._board.warned
        if warned.kinds:
            self._say("warnings", kinds=[kind.to_json() for kind in warned.kinds], further=warned.further)
        self._say("leaderboard", **as_plain(board))

    def decided(self, decision: Decision) -> None:
        """Write `promotion`, as promotion.json has it."""
        self._say("promotion", **asdict(decision))

    def _say(self, event: str, **data: Any) -> None:
        data.pop("traceback", None)  # the ledger has it; here it would hide the events
        if "overrides" in data:
            data["overrides"] = masked_command(data["overrides"])
        if "point" in data:
            data["point"] = masked(dict(data["point"]))
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._write(printable(encode({"event": event, "at": stamp, **data})) + b"\n")


@contextlib.contextmanager
def stdout_to_itself() -> Iterator[Write]:
    """Give a function that writes to stdout; redirect all other output to stderr until the end.

    Once the reader has gone, what is written is discarded.
    """
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    lock = threading.RLock()  # a signal handler may write while its own thread does
    is_gone = False

    def write(line: bytes) -> None:
        nonlocal is_gone
        with lock:
            try:
                while line and not is_gone:
                    line = line[os.write(stdout, line) :]
            except OSError:
                is_gone = True

    try:
        yield write
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)
