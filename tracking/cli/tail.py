"""The command that follows a run, a line per log call: tail."""

import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from tracking.cli.columns import duration_s
from tracking.cli.show import RunArgument
from tracking.cli.toolkit import output
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.metrics.follow import Follower, whole_history
from tracking.metrics.line import Line
from tracking.records import RunRecord, RunStatus
from tracking.store.scan import shown_status
from tracking.store.store import Store
from tracking.values import timestamps
from tracking.values.units import format_clock

POLL_S = 0.2
EXIT_CODES = {RunStatus.COMPLETED: 0, RunStatus.RUNNING: 0, RunStatus.FAILED: 3, RunStatus.KILLED: 4}


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
    run = place.scan.record(place.require(run_id))
    follower = Follower(place.paths.run(run_id))
    try:
        earlier = follower.read()
        if not follower.has_seen_journals:
            earlier = whole_history(place.paths.run(run_id))
        has_shown = bool(earlier)
        _say(earlier[-lines:] if lines else [], as_json=as_json)
        while follow:
            # The status is read before the log, so that the last log calls are read too.
            status = shown_status(place.require(run_id))
            new = follower.read()
            if status is not RunStatus.RUNNING and not has_shown and not follower.has_seen_journals:
                new = whole_history(place.paths.run(run_id))  # it started and ended between two polls
            _say(new, as_json=as_json)
            has_shown = has_shown or bool(new)
            if status is not RunStatus.RUNNING:
                break
            time.sleep(POLL_S)
    finally:
        follower.close()
    run = place.scan.record(place.require(run_id))
    if follow and not as_json:
        _say_end(run)
    return EXIT_CODES[run.status]


def _say(lines: Sequence[Line], *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            sys.stdout.write(line.encode().decode())
        else:
            output.say(_text(line))
    if lines:
        sys.stdout.flush()


def _text(line: Line) -> str:
    try:
        moment = f"{timestamps.parse(line.timestamp):%H:%M:%S}"
    except ValueError:
        moment = line.timestamp  # other programs may write another format
    words = [moment] if moment else []
    if line.step is not None:
        words.append(f"step {line.step}")
    return "  ".join([*words, *(f"{name}={output.show(value)}" for name, value in line.metrics.items())])


def _say_end(run: RunRecord) -> None:
    took = f" after {format_clock(duration_s(run))}" if run.finished_at else ""
    output.say(f"{run.run_id} {run.status.value}{took}" + (f": {run.error}" if run.error else ""))
