"""The command that follows a run: a line per log call until the run ends."""

import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from tracking.cli.columns import elapsed
from tracking.cli.show import RunArgument
from tracking.cli.toolkit import output
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.metrics.follow import Follower, whole_history
from tracking.metrics.line import Line
from tracking.records import RunRecord, RunStatus
from tracking.store.scan import shown_status
from tracking.store.store import Store
from tracking.values import timestamps

POLL_S = 0.2
EXIT_CODES = {RunStatus.COMPLETED: 0, RunStatus.RUNNING: 0, RunStatus.FAILED: 3, RunStatus.KILLED: 4}


def tail(
    run_id: RunArgument,
    lines: Annotated[
        int, typer.Option("--lines", "-n", metavar="N", min=0, help="How many of the earlier log calls.")
    ] = 10,
    follow: Annotated[bool, typer.Option(help="Go on until the run ends.")] = True,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Follow what a run logs.

    A line per log call, with --json a JSON object per line, until the run ends. The exit code then is 0 for completed,
    3 for failed, 4 for killed.

    Example: python -m tracking tail run_007 --lines 20
    """
    place = Store(store)
    run = place.scan.record(place.require(run_id))
    follower = Follower(place.paths.run(run_id))
    try:
        earlier = follower.read()
        if not follower.has_seen_journals:
            earlier = whole_history(place.paths.run(run_id))
        has_told = bool(earlier)
        _say(earlier[-lines:] if lines else [], as_json=as_json)
        while follow:
            # the status is asked first: what was logged before the end is read after it
            status = shown_status(place.require(run_id))
            new = follower.read()
            if status is not RunStatus.RUNNING and not has_told and not follower.has_seen_journals:
                new = whole_history(place.paths.run(run_id))  # it all happened between two looks
            _say(new, as_json=as_json)
            has_told = has_told or bool(new)
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
        moment = line.timestamp  # other code writes what it likes
    words = [moment] if moment else []
    if line.step is not None:
        words.append(f"step {line.step}")
    return "  ".join([*words, *(f"{name}={output.show(value)}" for name, value in line.metrics.items())])


def _say_end(run: RunRecord) -> None:
    seconds = (run.finished_at - run.created_at).total_seconds() if run.finished_at else None
    words = [run.run_id, run.status.value]
    if seconds is not None:
        words.append(f"after {elapsed(seconds)}")
    output.say(" ".join(words) + (f": {run.error}" if run.error else ""))
