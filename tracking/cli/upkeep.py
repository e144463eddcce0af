"""Commands that keep a store in order: delete, restore, trash, gc, doctor, reindex."""

import logging
import sys
from collections import Counter
from datetime import timedelta
from typing import Annotated, Any

import typer

from tracking.cli.columns import ExperimentOption, FilterOption
from tracking.cli.confirm import (
    DryRunOption,
    YesOption,
    agreed,
    change,
    chosen_runs,
    each,
    runs_text,
)
from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.doctor import Examination, Outcome, leftovers
from tracking.doctor import examine as look_through
from tracking.errors import InvalidValueError, quoted
from tracking.registry import ModelRegistry
from tracking.registry.lineage import descendants
from tracking.search.catalog import Catalog
from tracking.store import trash
from tracking.store.store import Store
from tracking.values.units import counted, format_size, parse_duration, parse_size

log = logging.getLogger("tracking")

Runs = Annotated[list[str] | None, typer.Argument(metavar="RUN", help="The ids of runs.")]

# the words for a finding, and for a number of them
OUTCOMES = {
    Outcome.REPAIRED: ("repaired", "repaired"),
    Outcome.REPAIRABLE: ("would repair", "can be repaired"),
    Outcome.OPEN: ("needs you", "for you to repair"),
}


def delete(
    run_ids: Runs = None,
    *,
    query: FilterOption = None,
    experiment: ExperimentOption = None,
    yes: YesOption = False,
    force: Annotated[bool, typer.Option("--force", help="Also runs that are running.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Move runs into the trash.

    restore brings them back, gc removes them for good. Runs that a registered model came from are left where they
    are, and without --force running ones too.

    Example: python -m tracking delete run_003 run_004
    """
    place = Store(store)
    chosen = chosen_runs(store, run_ids, experiment, query)
    needed = descendants(ModelRegistry(place.paths.base))
    # Before the question, which names only runs that may go.
    refused = each(chosen, lambda run_id: trash.check_deletable(place, run_id, needed, force=force))
    ready = [run_id for run_id in chosen if run_id not in refused]
    if ready and not agreed(f"Move {runs_text(ready)} into the trash?", yes=yes):
        output.say("Nothing was deleted.")
        return 1
    trash.remember(place, ready)
    return change(
        place,
        ready,
        lambda store, run_id: trash.delete(store, run_id, needed, force=force),
        ("deleted", "Moved into the trash"),
        as_json=as_json,
        refused=refused,
    )


def restore(
    run_ids: Annotated[list[str], typer.Argument(metavar="RUN", help="The ids of deleted runs.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Bring deleted runs back out of the trash, under their ids.

    Example: python -m tracking restore run_003
    """
    chosen = list(dict.fromkeys(run_ids))  # a second restore of a run would be refused
    return change(Store(store), chosen, trash.restore, ("restored", "Restored"), as_json=as_json)


def show_trash(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List deleted runs: when, by whom, and their size.

    Example: python -m tracking trash
    """
    runs = trash.trashed_runs(Store(store))
    if as_json:
        output.say_json(runs)
    elif not runs:
        output.say("The trash is empty.")
    else:
        rows = [
            [run.run_id, run.experiment_name, run.deleted_at, run.deleted_by, format_size(run.size_bytes)]
            for run in runs
        ]
        tables.say_rows(["run_id", "experiment", "deleted", "by", "size"], rows)
        output.say(f"\n{format_size(sum(run.size_bytes for run in runs))} in total")


def _span(text: str) -> timedelta:
    try:
        return timedelta(seconds=parse_duration(text, needs_unit=True))  # a bare 30 might mean days
    except OverflowError:
        raise InvalidValueError(f"{quoted(text)} is longer than a calendar reaches") from None


def gc(
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="TIME", help="Only runs deleted longer ago than this, such as 30d."
        ),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option("--max-size", metavar="SIZE", help="Only until the rest is this small, such as 1GB."),
    ] = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Remove deleted runs for good, and leftovers of killed processes.

    All in the trash, or the oldest until both limits hold. Runs that registered models came from are kept.

    Example: python -m tracking gc --older-than 30d --max-size 1GB
    """
    place = Store(store)
    limits: dict[str, Any] = {
        "older_than": None if older_than is None else _span(older_than),
        "keep_bytes": None if max_size is None else parse_size(max_size),
    }
    needed = descendants(ModelRegistry(place.paths.base))
    plan = trash.purge(place, needed, **limits, dry_run=True)  # first, so that the question names the runs
    temporary = sorted(leftovers.find_leftovers(place.paths))
    if not dry_run and (plan.runs or temporary):
        question = f"Remove {runs_text([run.run_id for run in plan.runs])} for good?"
        if plan.runs and not agreed(question, yes=yes):
            output.say("Nothing was removed.")
            return 1
        plan = trash.purge(place, needed, **limits)
        for path in temporary:
            leftovers.remove_leftover(path)
    if as_json:
        output.say_json(
            {
                "dry_run": dry_run,
                "purged": plan.runs,
                "freed_bytes": plan.freed_bytes,
                "kept": plan.kept,
                "leftovers": temporary,
            }
        )
        return 0
    verb = "Would remove" if dry_run else "Removed"
    output.say(f"{verb} {runs_text([run.run_id for run in plan.runs])}: {format_size(plan.freed_bytes)}")
    if temporary:
        output.say(f"{verb} {counted(len(temporary), 'leftover')} of killed processes")
    for run_id, reason in plan.kept.items():
        output.say(f"Kept {run_id}: {reason}")
    return 0


def doctor(
    dry_run: DryRunOption = False, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False
) -> int:
    """Check a store, repair what can be repaired, and report the rest.

    Dead runs, truncated lines, stale views, leftovers of killed processes, half registered models. A damaged file is
    reported and never changed. The exit code is 0 if nothing is left to repair, else 1.

    Example: python -m tracking doctor --dry-run
    """
    log.setLevel(logging.ERROR)  # the findings repeat its warnings
    try:
        seen = look_through(Store(store), repair=not dry_run)
    finally:
        log.setLevel(logging.NOTSET)
    if as_json:
        output.say_json(
            {
                "runs": seen.runs,
                "versions": seen.versions,
                "dry_run": dry_run,
                "findings": seen.findings,
            }
        )
    else:
        _say_findings(seen)
    return 0 if seen.is_well else 1


def reindex(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Rebuild the read index and publish metadata.json.

    Both are derived from the runs and may be removed at any time; the next reader is faster after this.

    Example: python -m tracking reindex
    """
    place = Store(store)
    catalog = Catalog(place)
    if sys.stderr.isatty():  # a file would keep every step
        catalog.index.progress = output.say_progress
    catalog.index.rebuild()
    catalog.rows()  # warns of damaged runs
    if place.paths.runs.is_dir():
        place.publisher.publish(force=True)
    count = len(catalog.index.ask(lambda view: view.numbers()))
    output.say_json({"runs": count}) if as_json else output.say(f"Indexed {counted(count, 'run')}.")


def _say_findings(seen: Examination) -> None:
    for finding in seen.findings:
        output.say(f"{OUTCOMES[finding.outcome][0]}: {finding.place}: {finding.what}\n    {finding.remedy}")
    found = Counter(finding.outcome for finding in seen.findings)
    summary = ", ".join(
        f"{found[outcome]} {text}" for outcome, (_, text) in OUTCOMES.items() if found[outcome]
    )
    checked = f"{counted(seen.runs, 'run')} and {counted(seen.versions, 'model version')}"
    output.say(f"Looked at {checked}: {summary or 'nothing is wrong'}.")
