"""The trash: delete runs, restore them, and purge them for good.

Deleting and restoring are one rename each, so a crash leaves the run in one place or the other. A running run and a
run that a registered model version came from cannot be deleted. The number of a deleted run is never used again.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tracking.errors import (
    CorruptFileError,
    NewerFormatError,
    RunInUseError,
    StoreUnwritableError,
    UnknownRunError,
    UnreadableFileError,
)
from tracking.files import atomic, folders, locks, regular
from tracking.metrics import journal_files
from tracking.paths import RunPaths
from tracking.process import identity
from tracking.process.identity import login
from tracking.process.program import command
from tracking.records import FORMAT, RunStatus
from tracking.store.numbering import remember_deleted
from tracking.store.store import Store
from tracking.values import timestamps
from tracking.values.names import check_component, natural_key

Needed = Mapping[str, Sequence[object]]  # by run id, the model versions that came from it


@dataclass(frozen=True)
class TrashedRun:
    """A deleted run; `experiment_name` and `deleted_by` are empty where its files do not say."""

    run_id: str
    experiment_name: str
    deleted_at: datetime
    deleted_by: str
    size_bytes: int
    path: Path


@dataclass(frozen=True)
class Purge:
    """The runs that a purge removed, or would remove, and why it kept others."""

    runs: tuple[TrashedRun, ...]
    kept: dict[str, str]

    @property
    def freed_bytes(self) -> int:
        """The size of the removed runs."""
        return sum(run.size_bytes for run in self.runs)


def check_deletable(store: Store, run_id: str, needed: Needed, *, force: bool = False) -> None:
    """Raise the error that `delete` would raise, and change nothing."""
    run_id = check_component("run id", run_id, example="run_001")
    if not regular.is_folder(store.paths.run(run_id).folder):
        _raise_unknown(store, run_id)
    try:
        entry = store.require(run_id)
        if not force:
            _check_ended(store, run_id, entry)
        if not force and _is_written_here(store.paths.run(run_id), entry):
            raise RunInUseError(
                f"run {run_id!r} is being logged to by a living process; finish it there first; or delete it all the same, with --force"
            )
    except (NewerFormatError, UnreadableFileError):
        raise
    except CorruptFileError:
        pass  # a run with a damaged run.json may be deleted
    if run_id in needed:
        raise RunInUseError(f"run {run_id!r} cannot be deleted: {needed[run_id][0]} came from it")
    if os.path.lexists(store.paths.trashed(run_id).folder):
        raise RunInUseError(f"the trash already holds a run {run_id!r}; restore or purge that one first")


def delete(store: Store, run_id: str, needed: Needed, *, force: bool = False) -> None:
    """Move a run into the trash; raise RunInUseError for a run in `needed`, and without `force` for one that is running.

    The caller publishes, once for many runs.
    """
    with locks.lock(store.paths.trash_lock):
        check_deletable(store, run_id, needed, force=force)
        run_id = check_component("run id", run_id)
        paths = store.paths.run(run_id)
        if not regular.exists(paths.run):
            store.change(run_id)  # writes a run.json, so that its entry in metadata.json moves along
        remember_deleted(store.paths, run_id)
        # written before the move, so that every run in the trash has it
        note = {
            "format": FORMAT,
            "deleted_at": timestamps.now(),
            "deleted_by": login(),
            "host": identity.host_name(),
        }
        atomic.write_json(paths.deleted, note, durable=False)
        folders.move(paths.folder, store.paths.trashed(run_id).folder)


def remember(store: Store, run_ids: Sequence[str]) -> None:
    """Reserve the numbers of runs that are about to be deleted, in one write."""
    if run_ids:
        with locks.lock(store.paths.trash_lock):
            remember_deleted(store.paths, max(run_ids, key=natural_key))


def restore(store: Store, run_id: str) -> None:
    """Move a run out of the trash; raise UnknownRunError when it is not there."""
    run_id = check_component("run id", run_id, example="run_001")
    with locks.lock(store.paths.trash_lock):
        paths = store.paths.run(run_id)
        trashed = store.paths.trashed(run_id).folder
        regular.refuse_link(store.paths.trash, trashed)
        if not regular.is_folder(trashed):
            known = folders.named_folders(store.paths.trash)
            some = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
            held = f"it holds {some}" if known else "it is empty"
            raise UnknownRunError(f"no run {run_id!r} in the trash of {str(store.paths.named)!r}: {held}")
        if os.path.lexists(paths.folder):
            raise RunInUseError(
                f"run {run_id!r} exists and would be replaced; delete or rename {paths.folder}"
            )
        folders.move(trashed, paths.folder)
        with contextlib.suppress(OSError):
            paths.deleted.unlink()  # not read outside the trash


def trashed_entries(store: Store) -> Iterator[dict[str, Any]]:
    """Yield what run.json says of each deleted run, under the id it has in the trash."""
    for run_id in folders.named_folders(store.paths.trash):
        if entry := _readable(store.paths.trashed(run_id).run):
            yield {**entry, "run_id": run_id}


def trashed_runs(store: Store) -> list[TrashedRun]:
    """Return the deleted runs, the oldest deletion first; costs a stat of each of their files.

    Raise UnreadableFileError for a trash that is a link.
    """
    found = [_trashed(store.paths.trashed(run_id)) for run_id in folders.named_folders(store.paths.trash)]
    return sorted(found, key=lambda run: run.deleted_at)


def purge(
    store: Store,
    needed: Needed,
    *,
    older_than: timedelta | None = None,
    keep_bytes: int | None = None,
    dry_run: bool = False,
) -> Purge:
    """Remove deleted runs for good.

    Without limits remove all. `older_than` removes those deleted longer ago, `keep_bytes` then the oldest until the
    rest fits. Kept are runs in `needed`, what `delete` did not put there, and what the system does not let go. A purge
    that is killed leaves each run removed or whole.
    """
    purged, kept = [], {}
    if not dry_run:
        names = folders.named_folders(store.paths.trash)
        remember(store, [name for name in names if name.startswith("run_")])  # by hand or not
    for run in _chosen(trashed_runs(store), older_than, keep_bytes):
        if reason := _why_kept(run, needed):
            kept[run.run_id] = reason
            continue
        try:
            if not dry_run:
                _remove(store, run)
        except (StoreUnwritableError, CorruptFileError) as error:
            kept[run.run_id] = str(error)
        else:
            purged.append(run)
    return Purge(tuple(purged), kept)


def _why_kept(run: TrashedRun, needed: Needed) -> str:
    if run.run_id in needed:
        return f"{needed[run.run_id][0]} came from it"
    if not regular.is_folder(run.path):
        return f"{run.path} is a link, which is not followed; remove it yourself"
    if not regular.is_file(RunPaths(run.path).deleted):
        return f"{run.path} has no {RunPaths(run.path).deleted.name}, so it was not deleted here; move it out of the trash"
    return ""


def _remove(store: Store, run: TrashedRun) -> None:
    doomed = atomic.temporary_path(run.path)
    with locks.lock(store.paths.trash_lock):
        if not regular.is_folder(run.path):
            return  # restored in the meantime
        folders.move(run.path, doomed)
    folders.remove_tree(doomed)  # slow, so outside the lock


def _chosen(
    runs: list[TrashedRun], older_than: timedelta | None, keep_bytes: int | None
) -> Iterator[TrashedRun]:
    if older_than is None and keep_bytes is None:
        yield from runs
        return
    limit = datetime.now().astimezone() - older_than if older_than is not None else None
    rest = sum(run.size_bytes for run in runs)
    for run in runs:
        if (limit is not None and run.deleted_at <= limit) or (keep_bytes is not None and rest > keep_bytes):
            rest -= run.size_bytes
            yield run


def _trashed(paths: RunPaths) -> TrashedRun:
    note, run = _readable(paths.deleted), _readable(paths.run)
    try:
        deleted_at = timestamps.parse(note["deleted_at"])
    except (KeyError, TypeError, ValueError):
        deleted_at = datetime.fromtimestamp(paths.folder.lstat().st_ctime).astimezone()  # moved there by hand
    return TrashedRun(
        run_id=paths.folder.name,
        experiment_name=str(run.get("experiment_name") or ""),
        deleted_at=deleted_at,
        deleted_by=str(note.get("deleted_by") or ""),
        size_bytes=folders.size(paths.folder) if regular.is_folder(paths.folder) else 0,
        path=paths.folder,
    )


def _readable(path: Path) -> dict[str, Any]:
    try:
        regular.refuse_link(path.parent)
        return atomic.read_object(path)
    except (FileNotFoundError, CorruptFileError):
        return {}


def _check_ended(store: Store, run_id: str, entry: dict[str, Any]) -> None:
    """Raise RunInUseError for a running run unless its process is known to be gone."""
    opener = identity.opener(entry)
    life = identity.life(opener, store.paths.processes)
    if entry["status"] != RunStatus.RUNNING or life is identity.Life.GONE:
        return
    pid, host = opener.get("pid"), opener.get("host")
    who = f" (process {pid} on {host})" if pid and host else ""
    if life is identity.Life.ALIVE:
        advice = f"ask it to stop: {command(f'stop {run_id}')}"
    else:
        advice = f"its process cannot be seen from here; if it has ended: {command(f'finish {run_id}')}"
    raise RunInUseError(f"run {run_id!r} is running{who}; {advice}; or delete it all the same, with --force")


def _is_written_here(paths: RunPaths, entry: dict[str, Any]) -> bool:
    """Return whether a process that is known to be alive still logs to a finished run."""
    names = journal_files.list_journals(paths)
    return any(journal_files.is_being_written(paths, name, entry) for name in names)


def _raise_unknown(store: Store, run_id: str) -> None:
    if regular.is_folder(store.paths.trashed(run_id).folder):
        raise UnknownRunError(f"run {run_id!r} is in the trash already")
    store.require(run_id)
    raise UnknownRunError(f"no run {run_id!r} in the store {str(store.paths.named)!r}")
