"""What commands that change runs share: choosing the runs, asking before something goes, telling what was done."""

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple

import typer

from tracking.cli.toolkit import output
from tracking.errors import InvalidValueError, TrackingError
from tracking.store.store import Store
from tracking.tracker import ExperimentTracker

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
FilterOption = Annotated[
    str | None, typer.Option("--filter", metavar="EXPR", help="All runs that pass this filter; see search.")
]
ExperimentOption = Annotated[
    str | None, typer.Option("--experiment", metavar="NAME", help="All runs of this experiment.")
]


class Outcome(NamedTuple):
    """How a command says what it did: the key in JSON, and the words."""

    key: str
    done: str


def agreed(question: str, *, yes: bool) -> bool:
    """Whether the user agrees; asked on the terminal, and an error where there is none to ask on."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise TrackingError("this asks before it acts, and there is no terminal to ask on; add --yes")
    return typer.confirm(output.safe(question), err=True)


def chosen_runs(
    store: str, run_ids: Sequence[str] | None, experiment: str | None, query: str | None
) -> list[str]:
    """The runs that are named, or else all that pass; TrackingError when neither is said."""
    if run_ids:
        if experiment or query:
            raise InvalidValueError("name runs, or choose them with --experiment and --filter; not both")
        return list(dict.fromkeys(run_ids))
    if experiment is None and query is None:
        raise InvalidValueError("no run is named; name runs, or choose them with --experiment and --filter")
    if query is not None and not query.strip():
        raise InvalidValueError(
            "the filter is empty, which every run passes; --experiment names runs without a filter"
        )
    found = ExperimentTracker(store).search_runs(query or "", experiment_name=experiment)
    if not found:
        raise TrackingError("no run passes; python -m tracking search shows what a filter finds")
    return [run.run_id for run in found]


def runs_text(run_ids: Sequence[str]) -> str:
    """Runs in a sentence: their number and ids."""
    if not run_ids:
        return "no runs"
    return f"{len(run_ids)} run{'s' if run_ids[1:] else ''} ({output.ranges(run_ids, whole=False)})"


def each(run_ids: Sequence[str], act: Callable[[str], object]) -> dict[str, str]:
    """Do it for each run; which were refused, and why."""
    refused = {}
    for run_id in run_ids:
        try:
            act(run_id)
        except (TrackingError, OSError) as error:
            refused[run_id] = str(error)
    return refused


def tell(
    store: Store, outcome: Outcome, run_ids: Sequence[str], refused: dict[str, str], *, as_json: bool
) -> int:
    """Publish, say what was done and what was refused; the exit code."""
    if store.paths.runs.is_dir():
        store.publisher.publish(force=True)
    worked = [run_id for run_id in run_ids if run_id not in refused]
    if as_json:
        output.say_json({outcome.key: worked, "refused": refused})
    elif worked:
        output.say(f"{outcome.done}: {runs_text(worked)}")
    for reason in refused.values():
        output.warn(reason)
    return 1 if refused else 0
