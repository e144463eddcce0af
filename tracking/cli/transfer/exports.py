"""The command that carries runs out of a store: export."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from tracking.cli.columns import ExperimentsOrVersion, FilterOption
from tracking.cli.confirm import runs_text
from tracking.cli.registry.exchange import (
    export_version,
    is_version,
)
from tracking.cli.toolkit import output
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.cli.toolkit.targets import writing_output
from tracking.errors import InvalidValueError, TrackingError, quoted
from tracking.search.run_list import RunList
from tracking.store.store import Store
from tracking.tracker import ExperimentTracker
from tracking.transfer import (
    Table,
    TableFormat,
    export_to_mlflow,
    export_to_tensorboard,
    history_table,
    run_table,
    write_table,
)
from tracking.transfer.mlflow.targets import check_target, shown
from tracking.transfer.tables import write_text
from tracking.values.units import counted

ARCHIVES = (".tar.gz", ".tgz")  # of versions of models
MLFLOW, TENSORBOARD = "mlflow", "tensorboard"  # formats beside those of tables

OutputOption = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file, not to stdout.")
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="FORMAT", help="csv, json, parquet, mlflow or tensorboard; else by FILE's name."
    ),
]
ToOption = Annotated[
    str | None,
    typer.Option(
        "--to", metavar="ADDRESS", help="MLflow: sqlite:///mlflow.db, http://..., or a file; or tensorboard."
    ),
]
ExactOption = Annotated[bool, typer.Option("--exact", help="CSV: texts as they are, those of a formula too.")]


def export(
    experiment: ExperimentsOrVersion = None,
    *,
    path: OutputOption = None,
    form: FormatOption = None,
    to: ToOption = None,
    histories: Annotated[bool, typer.Option("--histories", help="A row per point, not per run.")] = False,
    columns: Annotated[
        str | None, typer.Option("--columns", metavar="FIELDS", help="Only these, separated by commas.")
    ] = None,
    query: FilterOption = None,
    exact: ExactOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="MLflow: only show what would be sent.")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Write runs as a table or for TensorBoard, or send them to MLflow; or write a version of a model.

    A row per run, with its parameters, tags and last metric values; with --histories a row per point: run_id, metric,
    step, value, timestamp. --json is short for --format json.

    In CSV a text that a spreadsheet would run as a formula (= + - @, a tab or the end of a line first, and no number)
    begins with an apostrophe, so that it is shown as text; --exact writes it as it is.

    --to sends runs to MLflow, with all points, files, registered versions and aliases. It may be repeated: a run that
    is there is completed or skipped. It needs podium[mlflow]. --to tensorboard writes a folder with an event file for
    each run into the folder that --output names.

    A version becomes a folder, or a .tar.gz, that is read without a store: the model's files, manifest, config, verdict,
    the run as JSON, SHA256SUMS, and a README that says how to load it.

    \b
    Example: python -m tracking export ctr_model --output runs.parquet
             python -m tracking export ctr_model --to tensorboard --output logs
             python -m tracking export ctr_model --to sqlite:///mlflow.db
             python -m tracking export ctr_model@champion --output ctr.tar.gz
    """
    if is_version(store, experiment):
        return export_version(store, str(experiment), path, None, as_json=as_json)
    if to == TENSORBOARD and form in (None, TENSORBOARD):
        form, to = TENSORBOARD, None
    if to is not None or form == MLFLOW:
        _refuse_for_mlflow(
            form, {"--output": path, "--histories": histories, "--columns": columns, "--exact": exact}
        )
        return _send(store, check_target(to), experiment, query, dry_run=dry_run, as_json=as_json)
    if dry_run:
        raise InvalidValueError("--dry-run is for an export to MLflow; name one with --to")
    if form == TENSORBOARD:
        _refuse_for_events(path, {"--histories": histories, "--columns": columns, "--exact": exact})
        return _write_events(store, _found(store, experiment, query), str(path), as_json=as_json)
    if as_json and form not in (None, TableFormat.JSON):
        raise InvalidValueError(f"--json and --format {form} contradict each other; give one of them")
    kind = _format(form or ("json" if as_json else None), path)
    if histories and columns:
        raise InvalidValueError("--histories has fixed columns; leave out --columns")
    runs = _found(store, experiment, query)
    ids = [run.run_id for run in runs]
    table = history_table(Store(store), ids) if histories else run_table(runs, columns)
    return _write(store, table, path, kind, "points" if histories else "runs", exact=exact)


def _found(store: str, experiment: str | None, query: str | None) -> RunList:
    runs = ExperimentTracker(store).search_runs(query or "", experiment_name=experiment)
    if experiment is not None and not runs and query is None:
        raise TrackingError(f"no runs of an experiment {experiment!r} in {store!r}")
    return runs


def _refuse_for_events(path: str | None, options: Mapping[str, object]) -> None:
    given = [name for name, value in options.items() if value]
    if given:
        raise InvalidValueError(f"{given[0]} is for tables, and --format {TENSORBOARD} writes event files")
    if path is None:
        raise InvalidValueError(f"--format {TENSORBOARD} writes a folder; name one with --output")
    if Path(path).exists() and not Path(path).is_dir():
        raise InvalidValueError(f"--output {quoted(path)} is no folder; name one for the event files")


def _write_events(store: str, runs: RunList, path: str, *, as_json: bool) -> int:
    with writing_output(store, path):
        outcome = export_to_tensorboard(Store(store), runs, Path(path))
    if as_json:
        output.say_json(vars(outcome))
    else:
        what = f"{counted(outcome.points, 'point')} of {runs_text(list(outcome.files))}"
        output.say(f"Wrote {what} to {output.safe(path)}")
    if outcome.numbered:
        output.warn(
            f"{output.ranges(outcome.numbered, whole=False)}: steps that are no whole numbers got numbers"
        )
    for name, reason in outcome.left_out.items():
        output.warn(f"left out {name}: {reason}")
    return 1 if outcome.left_out else 0


def _write(store: str, table: Table, path: str | None, kind: TableFormat, what: str, *, exact: bool) -> int:
    if path is None:
        write_text(table, sys.stdout, kind, exact=exact)
    else:
        with writing_output(store, path):
            count = write_table(table, Path(path), kind, exact=exact)
        # Stdout is for tables.
        sys.stderr.write(f"Wrote {count} {what} to {output.safe(path)}\n")
    return 0


def _refuse_for_mlflow(form: str | None, options: Mapping[str, object]) -> None:
    given = [name for name, value in options.items() if value]
    if form not in (None, MLFLOW):
        given.append(f"--format {form}")
    if given:
        raise InvalidValueError(f"{given[0]} is for tables, and --to is for MLflow; give one of them")


def _send(
    store: str, to: str, experiment: str | None, query: str | None, *, dry_run: bool, as_json: bool
) -> int:
    progress = _say_sending if sys.stderr.isatty() else None
    try:
        outcome = export_to_mlflow(
            store,
            to=to,
            experiment_name=experiment,
            query=query or "",
            dry_run=dry_run,
            on_progress=progress,
        )
    except KeyboardInterrupt:
        output.warn("interrupted; what was sent is kept, and the next export completes it")
        return 130
    finally:
        if progress:
            sys.stderr.write("\r\x1b[K")
    if experiment is not None and query is None and not (outcome.ids or outcome.left_out):
        raise TrackingError(f"no runs of an experiment {experiment!r} in {store!r}")
    if as_json:
        output.say_json({"dry_run": dry_run, "to": shown(to), **vars(outcome)})
    else:
        output.say(f"{outcome.sentence(dry_run=dry_run)} to {shown(to)}")
        if outcome.unchanged:
            output.say(f"There already: {runs_text(list(outcome.unchanged))}")
        if outcome.versions:
            pairs = outcome.versions.items()
            names = [here if there in ("", here) else f"{here} as {there}" for here, there in pairs]
            output.say(f"{'Would register' if dry_run else 'Registered'}: {output.listed(names)}")
    for text, of in outcome.notes.items():
        output.warn(f"{output.ranges(of, whole=False)}: {text}")
    for name, reason in outcome.left_out.items():
        output.warn(f"left out {name}: {reason}")
    return 1 if outcome.left_out else 0


def _say_sending(done: int, total: int, doing: str) -> None:
    width = (output.terminal_width(sys.stderr) or 80) - 1
    text = output.one_line(f"{done} of {total} runs  {doing}")[:width]
    sys.stderr.write(f"\r\x1b[K{text}" if done < total else "\r\x1b[K")
    sys.stderr.flush()


def _format(name: str | None, path: str | None) -> TableFormat:
    chosen = name or (Path(path).suffix.removeprefix(".") if path else "") or TableFormat.CSV
    if path is not None and path.endswith(ARCHIVES):
        raise InvalidValueError(
            f"--output {quoted(path)} is for a version of a model; write NAME@WHICH, such as ctr_model@champion"
        )
    if chosen not in list(TableFormat):
        raise InvalidValueError(
            f"format {quoted(chosen)} is none of {', '.join([*TableFormat, MLFLOW, TENSORBOARD])}; set --format"
        )
    if chosen == TableFormat.PARQUET and path is None:
        raise InvalidValueError("Parquet is a binary format; name a file with --output")
    if path is not None and Path(path).is_dir():
        raise InvalidValueError(f"--output {quoted(path)} is a folder; name a file")
    return TableFormat(chosen)
