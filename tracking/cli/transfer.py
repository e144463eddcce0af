"""Commands that carry runs out of a store and into it: export, import."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tracking.cli.columns import ExperimentOption, FilterOption
from tracking.cli.confirm import DryRunOption, runs_text
from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import InvalidValueError, TrackingError, quoted
from tracking.store.store import Store
from tracking.tracker import ExperimentTracker
from tracking.transfer import (
    TableFormat,
    history_table,
    import_runs,
    run_table,
    select,
    write_table,
)
from tracking.transfer.tables import write_text
from tracking.values.units import counted


def export(
    experiment: Annotated[str | None, typer.Argument(help="Only the runs of this experiment.")] = None,
    *,
    path: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file, not to stdout.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="csv, json or parquet; else by FILE's name."),
    ] = None,
    histories: Annotated[bool, typer.Option("--histories", help="A row per point, not per run.")] = False,
    columns: Annotated[
        str | None, typer.Option("--columns", metavar="FIELDS", help="Only these, separated by commas.")
    ] = None,
    query: FilterOption = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="CSV: texts as they are, those of a formula too.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Write runs as a table: CSV, JSON or Parquet.

    A row per run, with its parameters, tags and last metric values; with --histories a row per point: run_id, metric,
    step, value, timestamp. --json is short for --format json.

    In CSV a text that a spreadsheet would run as a formula (= + - @, a tab or the end of a line first, and no number)
    begins with an apostrophe, so that it is shown as text; --exact writes it as it is.

    Example: python -m tracking export ctr_model --output runs.parquet
    """
    if as_json and form not in (None, TableFormat.JSON):
        raise InvalidValueError(f"--json and --format {form} contradict each other; give one of them")
    kind = _format(form or ("json" if as_json else None), path)
    if path is not None and Path(path).is_dir():
        raise InvalidValueError(f"--output {quoted(path)} is a folder; name a file")
    if histories and columns:
        raise InvalidValueError("--histories has fixed columns; leave out --columns")
    runs = ExperimentTracker(store).search_runs(query or "", experiment_name=experiment)
    if experiment is not None and not runs and query is None:
        raise TrackingError(f"no runs of an experiment {experiment!r} in {store!r}")
    table = (
        history_table(Store(store), [run.run_id for run in runs]) if histories else run_table(runs, columns)
    )
    if path is None:
        write_text(table, sys.stdout, kind, exact=exact)
    else:
        count = write_table(table, Path(path), kind, exact=exact)
        # Stdout is for tables.
        sys.stderr.write(f"Wrote {count} {'points' if histories else 'runs'} to {output.safe(path)}\n")
    return 0


def import_store(
    other: Annotated[str, typer.Argument(metavar="OTHER_STORE", help="The folder of the other runs.")],
    experiment: ExperimentOption = None,
    query: FilterOption = None,
    dry_run: DryRunOption = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Copy the runs of another store into this one.

    All files of a run are copied; a run whose id is taken gets a new one. Runs that are here already are skipped, so
    an import may be repeated; running ones are left out. Registered models are not imported.

    Example: python -m tracking import ../laptop/experiments
    """
    place, source = Store(store), Store(other)
    run_ids = select(source, experiment=experiment, query=query)
    progress = output.say_progress if sys.stderr.isatty() else None
    outcome = import_runs(place, source, run_ids, dry_run=dry_run, on_progress=progress)
    if as_json:
        output.say_json(
            {
                "dry_run": dry_run,
                "imported": outcome.copied,
                "present": outcome.present,
                "left_out": outcome.left_out,
                "points": outcome.points,
                "lacking": outcome.lacking,
            }
        )
    else:
        points = f" with {counted(outcome.points, 'point')}" if outcome.copied else ""
        output.say(f"{'Would import' if dry_run else 'Imported'} {runs_text(list(outcome.copied))}{points}")
        renumbered = [[old, new] for old, new in outcome.copied.items() if old != new]
        if renumbered and not dry_run:
            tables.say_rows(["there", "here"], renumbered)
        if outcome.present:
            output.say(f"Here already: {runs_text(list(outcome.present.values()))}")
        if source.paths.models.is_dir():
            output.say("Registered models are not imported.")
    for run_id, reason in outcome.left_out.items():
        output.warn(f"left out {run_id}: {reason}")
    for run_id, reason in outcome.lacking.items():
        output.warn(f"{run_id}: {reason}")
    return 1 if outcome.left_out or outcome.lacking else 0


def _format(name: str | None, path: str | None) -> TableFormat:
    chosen = name or (Path(path).suffix.removeprefix(".") if path else "") or TableFormat.CSV
    if chosen not in list(TableFormat):
        raise InvalidValueError(f"format {quoted(chosen)} is none of {', '.join(TableFormat)}; set --format")
    if chosen == TableFormat.PARQUET and path is None:
        raise InvalidValueError("Parquet is a binary format; name a file with --output")
    return TableFormat(chosen)
