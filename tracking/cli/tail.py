"""The command that follows a run, a line per log call: tail."""

import contextlib
import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from tracking.cli.show import RunArgument
from tracking.cli.toolkit import output
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.metrics.follow import Follower, whole_history
from tracking.metrics.line import Line
from tracking.records import RunStatus
from tracking.store.scan import shown_status
from tracking.store.store import Store
from tracking.values import timestamps
from tracking.values.units import format_clock

POLL_S = 0.2
EXIT_CODES = {RunStatus.FAILED: 3, RunStatus.KILLED: 4}


def tail(
    run_id: RunArgument,
    lines: Annotated[
        int, typer.Option("--lines", "-n", metavar="N", min=0, help="Earlier log calls to show.")
    ] = 10,
    follow: Annotated[bool, typer.Option(help="Wait for log calls until the run ends.")] = True,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Follow what a run logs.

    A line per log call, with --json a JSON object per line, until the run ends. The exit code is 0 if it completed,
    3 if it failed, 4 if it was killed.

    Example: python -m tracking tail run_007 --lines 20
    """
    place = Store(store)
    place.scan.record(place.require(run_id))  # refuses a run that is unknown or damaged
    paths = place.paths.run(run_id)
    is_first, has_shown, is_running = True, False, True
    with contextlib.closing(Follower(paths)) as follower:
        while is_running:
            # The status is read before the log, so that the last log calls are read too.
            is_running = follow and shown_status(place.require(run_id), place.paths) is RunStatus.RUNNING
            new = follower.read()
            # A run without journals was finished before the first poll, or between two polls.
            if not has_shown and not follower.has_seen_journals and (is_first or not is_running):
                new = whole_history(paths)
            has_shown = has_shown or bool(new)
            if is_first:
                new = new[-lines:] if lines else []
            _say(new, as_json=as_json)
            is_first = False
            if is_running:
                time.sleep(POLL_S)
    run = place.scan.record(place.require(run_id))
    if follow and not as_json:
        took = f" after {format_clock(run.duration_s)}" if run.finished_at else ""
        output.say(f"{run.run_id} {run.status.value}{took}" + (f": {run.error}" if run.error else ""))
    return EXIT_CODES.get(run.status, 0)


def _say(lines: Sequence[Line], *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            sys.stdout.write(output.printable(line.encode()).decode())
        else:
            output.say(_text(line))
    if lines:
        sys.stdout.flush()  # the next log call may be far away


def _text(line: Line) -> str:
    try:
        moment = f"{timestamps.parse(line.timestamp):%H:%M:%S}"
    except ValueError:
        moment = line.timestamp  # other programs may write another format
    words = [moment] if moment else []
    if line.step is not None:
        words.append(f"step {line.step}")
    return "  ".join([*words, *(f"{name}={output.show(value)}" for name, value in line.metrics.items())])
