"""The steps of commands that change runs: choose the runs, ask, act, report."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

from tracking.cli.toolkit import output
from tracking.errors import InvalidValueError, TrackingError
from tracking.process.program import command
from tracking.store.store import Store
from tracking.tracker import ExperimentTracker
from tracking.values.units import counted

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]


def agreed(question: str, *, yes: bool) -> bool:
    """Ask the user on the terminal; raise TrackingError if there is none and `yes` was not given."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise TrackingError("this needs a confirmation, and there is no terminal to ask on; add --yes")
    return typer.confirm(output.safe(question), err=True)  # stdout is for results


def chosen_runs(
    store: str, run_ids: Sequence[str] | None, experiment: str | None, query: str | None
) -> list[str]:
    """Return the runs that are named, else all that pass; raise TrackingError when there are none."""
    if run_ids:
        if experiment or query:
            raise InvalidValueError("name runs, or choose them with --experiment and --filter; not both")
        return list(dict.fromkeys(run_ids))
    if experiment is None and query is None:
        raise InvalidValueError("no run is named; name runs, or choose them with --experiment and --filter")
    if query is not None and not query.strip():
        raise InvalidValueError(
            "the filter is empty, which every run passes; use --experiment to choose runs without a filter"
        )
    found = ExperimentTracker(store).search_runs(query or "", experiment_name=experiment)
    if not found:
        raise TrackingError(f"no run passes; {command('search')} shows what a filter finds")
    return [run.run_id for run in found]


def runs_text(run_ids: Sequence[str]) -> str:
    """Return the number of runs and their ids, for a sentence."""
    if not run_ids:
        return "no runs"
    return f"{counted(len(run_ids), 'run')} ({output.ranges(run_ids, whole=False)})"


def each(run_ids: Sequence[str], act: Callable[[str], object]) -> dict[str, str]:
    """Call `act` for each run; return the runs that were refused, with the reasons."""
    refused = {}
    for run_id in run_ids:
        try:
            act(run_id)
        except (TrackingError, OSError) as error:  # the other runs are still changed
            refused[run_id] = str(error)
    return refused


def change(
    store: Store,
    run_ids: Sequence[str],
    act: Callable[[Store, str], object],
    done: tuple[str, str],
    *,
    as_json: bool,
    refused: Mapping[str, str] | None = None,
) -> int:
    """Call `act` for each run, publish the store, and write what was done; return the exit code.

    `done` is the key in JSON and the words for it; `refused` are runs that were refused before.
    """
    reasons = {**(refused or {}), **each(run_ids, lambda run_id: act(store, run_id))}
    if store.paths.runs.is_dir():  # publishing would create the folder
        store.publisher.publish(force=True)
    changed = [run_id for run_id in run_ids if run_id not in reasons]
    if as_json:
        output.say_json({done[0]: changed, "refused": reasons})
    elif changed:
        output.say(f"{done[1]}: {runs_text(changed)}")
    for reason in reasons.values():
        output.warn(reason)
    return 1 if reasons else 0
