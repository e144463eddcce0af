"""Commands that keep a store in order: delete, restore, trash, gc, doctor, reindex."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer

from tracking.cli.confirm import (
    ExperimentOption,
    FilterOption,
    YesOption,
    agreed,
    chosen_runs,
    each,
    runs_text,
    tell,
)
from tracking.cli.confirm import Outcome as Done
from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.doctor import Examination, Outcome, leftovers
from tracking.doctor import examine as look_through
from tracking.errors import CorruptFileError, InvalidValueError, quoted
from tracking.registry import ModelRegistry
from tracking.registry.lineage import descendants
from tracking.search.catalog import Catalog
from tracking.store import trash
from tracking.store.store import Store
from tracking.values.units import format_size, parse_duration, parse_size

log = logging.getLogger("tracking")

Runs = Annotated[list[str] | None, typer.Argument(metavar="RUN", help="The ids of runs.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]

SYMBOLS = {Outcome.REPAIRED: "repaired", Outcome.REPAIRABLE: "would repair", Outcome.OPEN: "needs you"}


def delete(
    run_ids: Runs = None,
    query: FilterOption = None,
    experiment: ExperimentOption = None,
    yes: YesOption = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Move runs into the trash.

    restore brings them back, gc removes them for good. Running runs, and runs that a registered model came from,
    are left where they are.

    Example: python -m tracking delete run_003 run_004
    """
    place = Store(store)
    chosen = chosen_runs(store, run_ids, experiment, query)
    needed = descendants(ModelRegistry(place.paths.base))
    refused = each(chosen, lambda run_id: trash.check_deletable(place, run_id, needed))
    ready = [run_id for run_id in chosen if run_id not in refused]
    if ready and not agreed(f"Move {runs_text(ready)} into the trash?", yes=yes):
        output.say("Nothing was deleted.")
        return 1
    trash.remember(place, ready)
    refused |= each(ready, lambda run_id: trash.delete(place, run_id, needed))
    return tell(place, Done("deleted", "Moved into the trash"), ready, refused, as_json=as_json)


def restore(
    run_ids: Annotated[list[str], typer.Argument(metavar="RUN", help="The ids of deleted runs.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Bring deleted runs back out of the trash.

    Under the ids they had.

    Example: python -m tracking restore run_003
    """
    place = Store(store)
    run_ids = list(dict.fromkeys(run_ids))
    refused = each(run_ids, lambda run_id: trash.restore(place, run_id))
    return tell(place, Done("restored", "Restored"), run_ids, refused, as_json=as_json)


def show_trash(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> int:
    """List deleted runs.

    When, by whom, and how much room they take.

    Example: python -m tracking trash
    """
    runs = trash.trashed_runs(Store(store))
    if as_json:
        output.say_json([_trashed(run) for run in runs])
    elif not runs:
        output.say("The trash is empty.")
    else:
        rows = [
            [
                run.run_id,
                run.experiment_name,
                f"{run.deleted_at:%Y-%m-%d %H:%M:%S}",
                run.deleted_by,
                format_size(run.size_bytes),
            ]
            for run in runs
        ]
        tables.say_rows(["run_id", "experiment", "deleted", "by", "size"], rows)
        output.say(f"\n{format_size(sum(run.size_bytes for run in runs))} in all")
    return 0


def _span(text: str) -> timedelta:
    try:
        return timedelta(seconds=parse_duration(text, needs_unit=True))  # of a bare 30, days may be meant
    except OverflowError:
        raise InvalidValueError(f"{quoted(text)} is longer than a calendar reaches") from None


def gc(
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="TIME", help="Only what was deleted before, as 30d.")
    ] = None,
    max_size: Annotated[
        str | None, typer.Option("--max-size", metavar="SIZE", help="Only until the rest fits, as 1GB.")
    ] = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Remove deleted runs for good, and leftovers of killed processes.

    All in the trash, or the oldest by the limits given. What a registered model came from is kept.

    Example: python -m tracking gc --older-than 30d --max-size 1GB
    """
    place = Store(store)
    limits: dict[str, Any] = {
        "older_than": None if older_than is None else _span(older_than),
        "keep_bytes": None if max_size is None else parse_size(max_size),
    }
    needed = descendants(ModelRegistry(place.paths.base))
    plan = trash.purge(place, needed, **limits, dry_run=True)
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
                "purged": [_trashed(run) for run in plan.runs],
                "freed_bytes": plan.freed_bytes,
                "kept": plan.kept,
                "leftovers": [str(path) for path in temporary],
            }
        )
        return 0
    verb = "Would remove" if dry_run else "Removed"
    output.say(f"{verb} {runs_text([run.run_id for run in plan.runs])}: {format_size(plan.freed_bytes)}")
    if temporary:
        output.say(f"{verb} {len(temporary)} leftovers of killed processes")
    for run_id, reason in plan.kept.items():
        output.say(f"Kept {run_id}: {reason}")
    return 0


def doctor(
    dry_run: DryRunOption = False, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False
) -> int:
    """Look through a store, repair what can be, and name the rest.

    Dead runs, torn lines, views that are behind, leftovers of killed processes, half registered models. A damaged
    file is named and never changed. The exit code is 0 when nothing is left wrong, else 1.

    Example: python -m tracking doctor --dry-run
    """
    with _silence():
        seen = look_through(Store(store), repair=not dry_run)
    if as_json:
        output.say_json(
            {
                "runs": seen.runs,
                "versions": seen.versions,
                "dry_run": dry_run,
                "findings": [asdict(finding) for finding in seen.findings],
            }
        )
    else:
        _say_findings(seen)
    return 0 if seen.is_well else 1


def reindex(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> int:
    """Build the read index anew and publish metadata.json.

    Both are made from the runs and may be removed at any time; this only saves the next reader the time.

    Example: python -m tracking reindex
    """
    place = Store(store)
    catalog = Catalog(place)
    if sys.stderr.isatty():
        catalog.index.progress = output.say_progress
    catalog.index.rebuild()
    damaged: list[CorruptFileError] = []
    catalog.rows(None, damaged.append)
    code = output.report(damaged)  # before the publication, which names what it meets too
    if place.paths.runs.is_dir():
        place.publisher.publish(force=True)
    count = len(catalog.index.ask(lambda view: view.numbers()))
    output.say_json({"runs": count}) if as_json else output.say(
        f"Indexed {count} run{'s' if count != 1 else ''}."
    )
    return code


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the log from saying again what the findings say."""
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _say_findings(seen: Examination) -> None:
    for finding in seen.findings:
        output.say(f"{SYMBOLS[finding.outcome]}: {finding.place}: {finding.what}\n    {finding.remedy}")
    counts = [
        f"{sum(finding.outcome is outcome for finding in seen.findings)} {verb}"
        for outcome, verb in ((Outcome.REPAIRED, "repaired"), (Outcome.REPAIRABLE, "can be repaired"))
        if any(finding.outcome is outcome for finding in seen.findings)
    ]
    left = sum(finding.outcome is Outcome.OPEN for finding in seen.findings)
    counts += [f"{left} need{'s' if left == 1 else ''} you"] if left else []
    looked = f"Looked at {seen.runs} run{'s' if seen.runs != 1 else ''}"
    looked += f" and {seen.versions} model version{'s' if seen.versions != 1 else ''}"
    output.say(f"{looked}: {', '.join(counts) or 'nothing is wrong'}.")


def _trashed(run: trash.TrashedRun) -> dict[str, Any]:
    return {**asdict(run), "deleted_at": run.deleted_at.isoformat(), "path": str(run.path)}
