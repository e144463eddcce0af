"""The commands that end a sweep early and go on with it."""

import os
import signal
import time
from typing import Annotated

import typer

from sweeps.cli.options import DEFAULT_STORE, JsonOption, StoreOption, SweepArgument
from sweeps.cli.saying import say, say_json
from sweeps.errors import SweepError
from sweeps.paths import find_sweep
from sweeps.plan.plan import Plan
from sweeps.state.lock import Parent, parent_of
from sweeps.state.resume import resume_command, resume_hint

Overrides = Annotated[
    list[str] | None, typer.Argument(help="Settings to change, as on the command line: sweep.n_jobs=8")
]

BETWEEN_S = 1.0  # what a parent gets to hear the first signal before the second one


def resume(
    sweep: SweepArgument = "latest",
    overrides: Overrides = None,
    store: StoreOption = DEFAULT_STORE,
    failed: Annotated[bool, typer.Option("--failed", help="Run the failed jobs again too.")] = False,
    changed: Annotated[
        bool, typer.Option("--changed", help="Go on although configs or code changed since.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Go on with a sweep that ended early, by the command and in the folder it was started with.

    Jobs that ended are kept, the others run.
    Example: python -m sweeps resume latest
    """
    folder = find_sweep(store, sweep)
    plan = Plan.read(folder / "plan.json")
    parent = parent_of(folder)
    if parent is not None:
        raise SweepError(f"{plan.sweep}: this sweep still runs ({parent})")
    more = [*(overrides or ())]
    more += ["hydra.sweeper.resume_failed=true"] if failed else []
    more += ["hydra.sweeper.resume_changed=true"] if changed else []
    more += ["hydra.sweeper.output=json"] if as_json else []
    command = resume_command(plan, folder, more)
    try:
        os.chdir(str(plan.cwd))
        os.execv(command[0], command)  # noqa: S606 - the user's own command, as recorded
    except OSError as error:
        raise SweepError(f"{plan.sweep}: cannot run {command[0]} in {plan.cwd}: {error}") from error


def cancel(
    sweep: SweepArgument = "latest",
    store: StoreOption = DEFAULT_STORE,
    now: Annotated[bool, typer.Option("--now", help="End the running jobs at once.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask a sweep that runs to stop: running jobs may finish their runs, and what had completed is ranked.

    Example: python -m sweeps cancel latest
    """
    folder = find_sweep(store, sweep)
    parent = parent_of(folder)
    if parent is None:
        raise SweepError(f"{folder.name}: this sweep does not run")
    if not parent.is_here():
        raise SweepError(f"{folder.name}: runs elsewhere: {parent}; cancel it there")
    os.kill(parent.pid, signal.SIGTERM)
    if now and _still_there(parent):
        os.kill(parent.pid, signal.SIGTERM)
    hint = resume_hint(folder.absolute())
    if as_json:
        say_json({"sweep": folder.name, "pid": parent.pid, "host": parent.host, "go_on": hint})
    else:
        say(f"Asked {parent} to stop {folder.name}; go on with it later: {hint}")


def _still_there(parent: Parent) -> bool:
    deadline = time.monotonic() + BETWEEN_S
    while parent.is_here():
        if time.monotonic() > deadline:
            return True
        time.sleep(BETWEEN_S / 20)
    return False
