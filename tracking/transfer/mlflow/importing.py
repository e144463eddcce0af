"""Import from MLflow: runs of its database or its folder become runs of a store, each whole and once.

A run is known by its id in MLflow, or by the origin that our own export wrote into its tags. Whatever is damaged costs
itself and is named.
"""

import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError, InvalidValueError, TrackingError, quoted
from tracking.files import atomic, folders, regular
from tracking.paths import RunPaths
from tracking.records import RunStatus
from tracking.store.store import Store
from tracking.transfer.imports import Imported, Progress
from tracking.transfer.mlflow import translation
from tracking.transfer.mlflow.file_store import META, FileStore, is_file_store
from tracking.transfer.mlflow.foreign import ForeignRun, ForeignStore
from tracking.transfer.mlflow.received import Received, receive
from tracking.transfer.mlflow.sent_record import PLACE, SentRecord, put_back
from tracking.transfer.mlflow.sqlite_file import DatabaseFile
from tracking.transfer.mlflow.targets import shown
from tracking.transfer.placing import Present, place, staging
from tracking.transfer.sqlite_source import is_database
from tracking.transfer.taking import importing, is_kept_out, note_taken, passing, take_each, write_content
from tracking.values.jsontext import revive
from tracking.values.names import check_path

HINTS = ("mlruns", "mlflow.db")


def open_mlflow(source: str) -> ForeignStore | None:
    """Return a reader of the MLflow store at a path or a sqlite: address; None if there is none of MLflow's.

    Raise InvalidValueError for the address of a server, which is not read.
    """
    is_address = "://" in source and not source.lower().startswith(("sqlite:///", "file:"))
    if is_address:
        raise InvalidValueError(
            f"{quoted(shown(source))} is an address; give what the server keeps: its database (mlflow.db) or its folder (mlruns)"
        )
    path = check_path("source", source.removeprefix("sqlite:///"), example="mlflow.db")
    if path.is_dir():
        if (path / "runs").is_dir():
            return None
        if regular.is_file(path / META):
            root = path.parent.parent if regular.is_file(path.parent / META) else path.parent
            raise TrackingError(
                f"{str(path)!r} is a part of MLflow's folder; import {root}, with --experiment or --filter"
            )
        if is_file_store(path):
            return FileStore(path)
        within = [name for name in HINTS if (path / name).exists()]
        if within:
            raise TrackingError(
                f"{str(path)!r} is no store itself; import {' or '.join(str(path / each) for each in within)}"
            )
        return None
    if path.exists():
        if not path.is_file():
            raise TrackingError(f"{str(path)!r} is neither a file nor a folder; name {' or '.join(HINTS)}")
        if is_database(path):
            return DatabaseFile(path)
    return None


def import_from_mlflow(
    base_dir: str | os.PathLike[str],
    source: str | os.PathLike[str] | ForeignStore,
    *,
    experiment_name: str | None = None,
    query: str = "",
    with_deleted: bool = False,
    with_running: bool = False,
    dry_run: bool = False,
    on_progress: Progress | None = None,
) -> Imported:
    """Copy runs of MLflow into a store: from a database (mlflow.db) or a folder (mlruns), which stays as it is.

    Leave out runs that are here already, and those that were deleted here and are in the trash. `with_deleted` takes
    runs that were deleted in MLflow, and `with_running` those that it shows as running, which become killed: nobody can
    see from outside whether their process still lives. Registered models are not copied.
    """
    store = Store(base_dir)
    opened = open_mlflow(os.fspath(source)) if isinstance(source, str | os.PathLike) else source
    if opened is None:
        raise TrackingError(
            f"{quoted(source)} is no MLflow: name its database (mlflow.db) or its folder (mlruns)"
        )
    outcome = Imported()
    with closing(opened), importing(store, outcome, dry_run=dry_run):
        runs = [run for run in opened.runs() if experiment_name in (None, run.experiment)]
        outcome.left_out |= opened.damaged if experiment_name is None else {}
        runs = [run for run in runs if with_deleted or not run.is_deleted]
        if query.strip():
            runs = passing(runs, _name, lambda run: _received(opened, run), query)
        taken = [run for run in runs if with_running or run.status is not RunStatus.RUNNING]
        going_on = [run.run_id for run in runs if run.status is RunStatus.RUNNING and not with_running]
        outcome.left_out |= dict.fromkeys(going_on, "it is running; if it has ended, add --running")
        present = Present(store)

        def take(run: ForeignRun) -> None:
            _import(store, opened, run, outcome, present, dry_run=dry_run)

        take_each(taken, _name, take, outcome, on_progress)
    return outcome


def _name(run: ForeignRun) -> str:
    return run.run_id


def _received(source: ForeignStore, run: ForeignRun) -> Received:
    return receive(run, source.place, source.content(run), source.artifacts(run))


def _import(
    store: Store, source: ForeignStore, run: ForeignRun, outcome: Imported, ours: Present, *, dry_run: bool
) -> None:
    artifacts = source.artifacts(run)
    ready = receive(run, source.place, source.content(run), artifacts)
    if is_kept_out(run.run_id, ready, outcome, ours):
        return
    if artifacts is None and run.artifact_uri and "://" in run.artifact_uri:
        root = run.artifact_uri.partition(run.experiment_id)[0] or run.artifact_uri
        ready.notes.append(f"artifacts at {root} are not copied")
    new_id = run.run_id if dry_run else _place(store, ready, artifacts)
    note_taken(run.run_id, ready, new_id, outcome, ours)


def _place(store: Store, ready: Received, artifacts: Path | None) -> str:
    with staging(store, "run") as staged:
        if artifacts is None:
            folders.make_dir(staged.artifacts)
        else:
            folders.make_dir(staged.folder)
            folders.copy(artifacts, staged.artifacts, within=artifacts, leave_out=_is_no_file)
        params = ready.params
        if ready.is_ours:
            params = _with_types(params, staged)
            _put_back(staged)
        write_content(staged, params, ready.history)
        name = ready.origin.run_id
        return place(store, staged, ready.entry, name if name.startswith("run_") else None)


def _is_no_file(path: Path) -> bool:
    return path.is_symlink() or atomic.is_temporary(path)


def _put_back(staged: RunPaths) -> None:
    """Put the files that our export sent as artifacts where they came from, under the names that they had."""
    folder = staged.artifacts / translation.FILES
    if record := SentRecord.read(staged.artifacts / PLACE):
        (staged.artifacts / PLACE).unlink()
        put_back(staged.artifacts, record.names)
    for target in translation.own_files(staged):
        sent = folder / target.name
        if regular.is_file(sent):
            sent.replace(target)
    if regular.is_folder(folder) and not any(folder.iterdir()):
        folder.rmdir()


def _with_types(params: Mapping[str, Any], staged: RunPaths) -> dict[str, Any]:
    """Return parameters with the types that our export put beside them, where their text is the same."""
    sent = staged.artifacts / translation.FILES / staged.params.name
    if not regular.is_file(sent):
        return dict(params)
    try:
        typed = revive(atomic.read_object(sent))
    except (CorruptFileError, RecursionError):
        return dict(params)
    sent.unlink()
    return {
        name: typed[name] if name in typed and _is_same(typed[name], value) else value
        for name, value in params.items()
    }


def _is_same(typed: Any, received: Any) -> bool:
    """Return whether a value has the text that MLflow kept, which may be cut."""
    return translation.text_of(typed)[: translation.MAX_PARAM] == translation.text_of(received)
