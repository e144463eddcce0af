"""The command that brings runs into a store: import."""

import sys
import time
from collections.abc import Callable, Iterable
from typing import Annotated, Any, NamedTuple

import typer

from tracking.cli.columns import ExperimentOption, FilterOption
from tracking.cli.confirm import DryRunOption, runs_text
from tracking.cli.registry.exchange import import_version, is_exported_version
from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, NewStoreOption
from tracking.errors import InvalidValueError, TrackingError, quoted
from tracking.process.signals import EXIT_CODE, Terminated
from tracking.store.store import Store
from tracking.transfer import (
    GrowingSource,
    Imported,
    Source,
    SourceFormat,
    follow_source,
    import_from_mlflow,
    import_runs,
    import_source,
    open_mlflow,
    open_source,
    recognise,
    refuse_unknown,
    select,
)
from tracking.transfer.mlflow.foreign import ForeignStore
from tracking.transfer.mlflow.targets import shown
from tracking.values import jsontext
from tracking.values.units import counted

POLL_S = 1.0

SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="Another store, what another program recorded, or an exported version.",
    ),
]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FORMAT",
        help="podium, mlflow, tensorboard, wandb, optuna or hydra; else recognised by the files.",
    ),
]
FollowOption = Annotated[
    bool, typer.Option("--follow", help="TensorBoard: go on with what is written, until Ctrl-C.")
]
NameOption = Annotated[
    str | None, typer.Option("--as", metavar="NAME", help="Version: the model that gets it.")
]
MostOption = Annotated[
    str | None, typer.Option("--max-size", metavar="SIZE", help="Version: the most it may take; else 16GiB.")
]
DeletedOption = Annotated[bool, typer.Option("--deleted", help="MLflow: also runs that were deleted there.")]
RunningOption = Annotated[
    bool,
    typer.Option("--running", help="MLflow, W&B, Optuna: also runs that never ended; they become killed."),
]


class _Wanted(NamedTuple):
    """What the options choose."""

    store: str
    experiment: str | None
    query: str | None
    deleted: bool
    running: bool
    follow: bool
    dry_run: bool
    as_json: bool


def import_store(
    other: SourceArgument,
    *,
    form: FromOption = None,
    follow: FollowOption = False,
    name: NameOption = None,
    most: MostOption = None,
    experiment: ExperimentOption = None,
    query: FilterOption = None,
    deleted: DeletedOption = False,
    running: RunningOption = False,
    dry_run: DryRunOption = False,
    store: NewStoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Copy runs of another store or another program, or a version of a model, into this one; the source stays as it is.

    \b
    podium       all files of a run; its id is kept where it is free
    mlflow       mlflow.db or mlruns
    tensorboard  each folder with event files is a run; --follow imports while they are written
    wandb        the folder wandb, with offline runs
    optuna       a database, its address, or the file of a journal; each trial is a run
    hydra        multirun or outputs; each job is a run

    Runs that are here already are skipped, so an import may be repeated. Optuna's studies need podium[search], Hydra's
    folders podium[sweeps]; the other programs need not be installed. Registered models are not imported.

    An exported version, a folder or a .tar.gz, gets the next number. It is not trusted: each file must have its hash,
    and nothing of it is run. One that is here already is not imported again.

    \b
    Example: python -m tracking import ../laptop/experiments
             python -m tracking import lightning_logs --follow
             python -m tracking import wandb --dry-run
             python -m tracking import ctr.tar.gz
    """
    if form is None and is_exported_version(other):
        return import_version(store, other, name, most, dry_run=dry_run, as_json=as_json)
    if name is not None or most is not None:
        raise InvalidValueError(
            f"--as and --max-size are for an exported version, and {quoted(other)} is none"
        )
    wanted = _Wanted(store, experiment, query, deleted, running, follow, dry_run, as_json)
    return _import_runs(wanted, other, _kind(form) if form else recognise(other))


def _import_runs(wanted: _Wanted, other: str, kind: SourceFormat | None) -> int:
    mlflow = open_mlflow(other) if kind in (None, SourceFormat.MLFLOW) else None
    if kind is None and mlflow is None:
        refuse_unknown(other)
    if kind is SourceFormat.MLFLOW and mlflow is None:
        raise TrackingError(
            f"{quoted(other)} is no MLflow: name its database (mlflow.db) or its folder (mlruns)"
        )
    for option, is_given, kinds in (
        ("--deleted", wanted.deleted, (SourceFormat.MLFLOW,)),
        ("--running", wanted.running, (SourceFormat.MLFLOW, SourceFormat.WANDB, SourceFormat.OPTUNA)),
        ("--follow", wanted.follow, (SourceFormat.TENSORBOARD,)),
    ):
        if is_given and (SourceFormat.MLFLOW if mlflow else kind) not in kinds:
            raise InvalidValueError(f"{option} is for {output.listed(kinds)}, and {quoted(other)} is none")
    if mlflow is not None:
        return _import_mlflow(wanted, other, mlflow)
    if kind in (None, SourceFormat.PODIUM):
        return _import_podium(wanted, other)
    source = open_source(other, kind, with_running=wanted.running, may_be_empty=wanted.follow)
    if wanted.follow and isinstance(source, GrowingSource):
        return _follow(wanted, source)
    return _import_other(wanted, other, source)


def _kind(text: str) -> SourceFormat:
    if text not in list(SourceFormat):
        raise InvalidValueError(f"--from {quoted(text)} is none of {', '.join(SourceFormat)}")
    return SourceFormat(text)


def _say_taken(wanted: _Wanted, other: str, outcome: Imported) -> int:
    _refuse_unknown(wanted, other, outcome)
    return _say_imported(outcome, dry_run=wanted.dry_run, has_models=False, as_json=wanted.as_json)


def _import_mlflow(wanted: _Wanted, other: str, mlflow: ForeignStore) -> int:
    outcome = import_from_mlflow(
        wanted.store,
        mlflow,
        experiment_name=wanted.experiment,
        query=wanted.query or "",
        with_deleted=wanted.deleted,
        with_running=wanted.running,
        dry_run=wanted.dry_run,
        on_progress=_progress(),
    )
    return _say_taken(wanted, other, outcome)


def _import_other(wanted: _Wanted, other: str, source: Source) -> int:
    outcome = import_source(
        wanted.store,
        source,
        experiment_name=wanted.experiment,
        query=wanted.query or "",
        dry_run=wanted.dry_run,
        on_progress=_progress(),
    )
    return _say_taken(wanted, other, outcome)


def _follow(wanted: _Wanted, source: GrowingSource) -> int:
    if wanted.dry_run or wanted.query:
        raise InvalidValueError("--follow goes with neither --dry-run nor --filter")
    said = 0

    def tell(outcome: Imported) -> None:
        if wanted.as_json:  # a line per look
            line = jsontext.encode(_as_json(outcome, dry_run=False))
            sys.stdout.write(f"{output.printable(line).decode()}\n")
        else:
            _say_imported(outcome, dry_run=False, has_models=False, as_json=False, is_first=said == 0)
        sys.stdout.flush()  # the next point may be far away

    def wait() -> bool:
        nonlocal said
        said += 1
        time.sleep(POLL_S)
        return True

    try:
        follow_source(wanted.store, source, wait=wait, tell=tell, experiment_name=wanted.experiment)
    except Terminated:
        return EXIT_CODE
    except KeyboardInterrupt:  # which ends the command
        pass
    return 0


def _import_podium(wanted: _Wanted, other: str) -> int:
    place, source = Store(wanted.store), Store(other)
    run_ids = select(source, experiment=wanted.experiment, query=wanted.query)
    outcome = import_runs(place, source, run_ids, dry_run=wanted.dry_run, on_progress=_progress())
    has_models = source.paths.models.is_dir()
    return _say_imported(outcome, dry_run=wanted.dry_run, has_models=has_models, as_json=wanted.as_json)


def _progress() -> Callable[[int, int], None] | None:
    return output.say_progress if sys.stderr.isatty() else None


def _refuse_unknown(wanted: _Wanted, other: str, outcome: Imported) -> None:
    found = outcome.copied or outcome.present or outcome.left_out
    if wanted.experiment is not None and wanted.query is None and not found:
        raise TrackingError(f"no runs of an experiment {wanted.experiment!r} in {shown(other)!r}")


def _runs_text(names: Iterable[str]) -> str:
    return runs_text([output.one_line(name) for name in names])


def _as_json(outcome: Imported, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "imported": outcome.copied,
        "present": outcome.present,
        "left_out": outcome.left_out,
        "points": outcome.points,
        "grown": outcome.grown,
        "lacking": outcome.lacking,
        "damaged": outcome.damaged,
        "notes": outcome.notes,
    }


def _say_imported(
    outcome: Imported, *, dry_run: bool, has_models: bool, as_json: bool, is_first: bool = True
) -> int:
    if as_json:
        output.say_json(_as_json(outcome, dry_run=dry_run))
    else:
        if is_first or outcome.copied:
            points = f" with {counted(outcome.points, 'point')}" if outcome.copied else ""
            output.say(f"{'Would import' if dry_run else 'Imported'} {_runs_text(outcome.copied)}{points}")
        if outcome.grown:
            added = f"{'Would add' if dry_run else 'Added'} {counted(sum(outcome.grown.values()), 'point')}"
            output.say(f"{added} to {_runs_text(outcome.grown)}")
        renumbered = [[old, new] for old, new in outcome.copied.items() if old != new]
        if renumbered and not dry_run:
            tables.say_rows(["there", "here"], renumbered)
        if outcome.present and is_first:
            output.say(f"Here already: {runs_text(list(outcome.present.values()))}")
        if has_models:
            output.say("Registered models are not imported.")
    for text, run_ids in outcome.notes.items():
        output.warn(f"{output.listed([output.one_line(name) for name in run_ids])}: {text}")
    for run_id, lost in outcome.damaged.items():
        output.warn(f"left out of {output.one_line(run_id)}: {output.listed(lost)}")
    for run_id, reason in outcome.left_out.items():
        output.warn(f"left out {output.one_line(run_id)}: {reason}")
    for run_id, reason in outcome.lacking.items():
        output.warn(f"{output.one_line(run_id)}: {reason}")
    return 1 if outcome.left_out or outcome.lacking or outcome.damaged else 0
