"""Commands that control a sweep: resume, cancel."""

import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from sweeps.cli.app import SweepArgument
from sweeps.errors import SweepError
from sweeps.paths import find_sweep
from sweeps.plan.plan import Plan
from sweeps.settings.addresses import FROM_VARIABLE, VARIABLE
from sweeps.state.lock import holds_within, parent_of
from sweeps.state.origin import require_own
from sweeps.state.resume import resume_command, resume_hint
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.cli.toolkit.output import one_line, say, say_json
from tracking.notify import parse_option

Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="Further values of swept keys, x=1,2,3, and settings to change, sweep.n_jobs=8."),
]

BETWEEN_S = 1.0  # between the two signals, so that the parent handles the first before the second


def resume(
    sweep: SweepArgument = "latest",
    overrides: Overrides = None,
    store: StoreOption = DEFAULT_STORE,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Also run the failed jobs again.")] = False,
    changed: Annotated[
        bool, typer.Option("--changed", help="Resume although configs or code have changed.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Run the command of a sweep that you did not start here.")
    ] = False,
    notify: Annotated[
        list[str] | None,
        typer.Option(
            "--notify",
            metavar="ADDRESS",
            help="Send alerts here instead of to the addresses of the sweep; may be repeated.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Resume a sweep that ended early, or extend one, with the command and in the folder that it was started with.

    Jobs that ended are kept, the others run. With more values of the swept keys, the new points run too. The command of
    a sweep that you did not start is shown, not run.

    Example: python -m sweeps resume latest
    """
    addresses = parse_option(notify, "--notify")
    folder = find_sweep(Path(store), sweep)
    plan = Plan.read(folder / "plan.json")
    parent = parent_of(folder)
    if parent is not None:
        raise SweepError(f"{plan.sweep}: this sweep still runs ({parent})")
    more = [*(overrides or ())]
    more += ["hydra.sweeper.resume_failed=true"] if failed else []
    more += ["hydra.sweeper.resume_changed=true"] if changed else []
    more += ["hydra.sweeper.output=json"] if as_json else []
    more += [FROM_VARIABLE] if addresses else []
    command = resume_command(plan, folder, more)
    if not yes:
        require_own(plan, folder.absolute())
    try:
        # exec, not a child: the terminal, its signals and the exit code are then those of the sweep.
        if addresses:  # not on the command line, where others can see it
            os.environ[VARIABLE] = "\n".join(address.text for address in addresses)
        os.chdir(str(plan.cwd))  # the command may hold relative paths
        os.execv(command[0], command)  # noqa: S606 - the user's own command, as recorded
    except OSError as error:
        raise SweepError(f"{plan.sweep}: cannot run {command[0]} in {plan.cwd}: {error}") from error


def cancel(
    sweep: SweepArgument = "latest",
    store: StoreOption = DEFAULT_STORE,
    now: Annotated[bool, typer.Option("--now", help="End the running jobs at once.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask a running sweep to stop: running jobs may finish their runs, and completed jobs are ranked.

    Example: python -m sweeps cancel latest
    """
    folder = find_sweep(Path(store), sweep)
    parent = parent_of(folder)
    if parent is None:
        raise SweepError(f"{folder.name}: this sweep is not running")
    if not parent.is_here():
        raise SweepError(f"{folder.name}: this sweep runs elsewhere ({parent}); cancel it there")
    os.kill(parent.pid, signal.SIGTERM)
    if now and not holds_within(BETWEEN_S, lambda: not parent.is_here()):
        os.kill(parent.pid, signal.SIGTERM)  # the second ends the jobs without their grace period
    hint = resume_hint(folder.absolute())
    if as_json:
        say_json({"sweep": folder.name, "pid": parent.pid, "host": parent.host, "go_on": hint})
    else:
        say(one_line(f"Asked {parent} to stop {folder.name}; resume it later with: {hint}"))
