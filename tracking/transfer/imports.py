"""Import of runs from another store: each run is copied whole or not at all, and only once.

A run is assembled in a folder that no reader looks at, and takes its place by one rename. It keeps its id where that
is free, else it gets the next number. `imported_from` in its run.json says where it came from.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError, InvalidValueError, TrackingError
from tracking.files import append, atomic, folders, locks, regular
from tracking.files.atomic import is_temporary
from tracking.metrics import journal_files
from tracking.metrics.history import read_history
from tracking.metrics.journal import Journal
from tracking.metrics.sources import count_points
from tracking.paths import RunPaths
from tracking.process.program import command
from tracking.records import FORMAT, RunRecord, RunStatus
from tracking.search.search import Search
from tracking.store import amend
from tracking.store.numbering import first_free_number, last_deleted
from tracking.store.scan import shown_status
from tracking.store.store import Store, write_entry
from tracking.store.trash import trashed_entries

Entry = dict[str, Any]
Identity = tuple[str, ...]
Progress = Callable[[int, int], object]


@dataclass
class Imported:
    """The result of an import: the new id of each copied run with the points of all, and why others were not copied."""

    copied: dict[str, str] = field(default_factory=dict)
    present: dict[str, str] = field(
        default_factory=dict
    )  # the id that a run has here already, by its id there
    left_out: dict[str, str] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)  # runs that are here with fewer points than known
    points: int = 0  # of the copied runs, the same here as there


def select(store: Store, *, experiment: str | None = None, query: str | None = None) -> list[str]:
    """Return the ids of the runs of an experiment that pass a filter; read files only, and write none.

    Without a filter, runs that cannot be read are among them.
    """
    if query is not None:
        search = Search.parse(query, experiment_name=experiment)
        return [run.run_id for run in search.select_records(store.scan.records(None, lambda _: None))]
    if experiment is not None:
        return [entry["run_id"] for entry in store.scan.entries(experiment, lambda _: None)]
    return store.scan.run_ids()


def import_runs(
    store: Store,
    other: Store,
    run_ids: Sequence[str],
    *,
    dry_run: bool = False,
    on_progress: Progress | None = None,
) -> Imported:
    """Copy runs of another store, with all their files, into this one; change nothing in the other one.

    Leave out runs that are running, that cannot be read, that are here already (imported before, or the very same run),
    and that were deleted here and are in the trash. The points of a copy are counted. An import that is interrupted has copied some runs, and may be repeated. Models are not copied.
    """
    _check_different(store, other)
    regular.refuse_link(store.paths.inner, store.paths.incoming)
    outcome = Imported()
    with nullcontext() if dry_run else locks.lock(store.paths.import_lock):
        entries = list(store.scan.entries(None, lambda _: None))
        known = {
            _identity(entry, store): entry["run_id"] for entry in reversed(entries)
        }  # the first of equals
        deleted = {_identity(entry, store): entry["run_id"] for entry in trashed_entries(store)}
        try:
            for done, run_id in enumerate(run_ids):
                if on_progress:
                    on_progress(done, len(run_ids))
                try:
                    _import(store, other, run_id, outcome, (known, deleted), dry_run=dry_run)
                except CorruptFileError as error:
                    outcome.left_out[run_id] = str(error)
            if on_progress:
                on_progress(len(run_ids), len(run_ids))
        finally:
            if outcome.copied and not dry_run:
                store.publisher.publish(force=True)
    return outcome


def _import(
    store: Store,
    other: Store,
    run_id: str,
    outcome: Imported,
    ours: tuple[dict[Identity, str], dict[Identity, str]],
    *,
    dry_run: bool,
) -> None:
    known, deleted = ours
    entry = other.require(run_id)
    status = shown_status(entry, other.paths)
    if status is RunStatus.RUNNING:
        remedy = f"if it has ended: {command(f'finish {run_id} --store {other.paths.named}')}"
        outcome.left_out[run_id] = f"it is running; {remedy}"
        return
    counted_there = _points(other.scan.record(entry))  # raises CorruptFileError for a damaged run
    identity = _identity(entry, other)
    if identity in known:
        outcome.present[run_id] = known[identity]
        if run_id not in outcome.copied:
            _compare(store, outcome, run_id, counted_there)
    elif identity in deleted:
        here = deleted[identity]
        remedy = command(f"restore {here} --store {store.paths.named}")
        outcome.left_out[run_id] = (
            f"it was deleted here and is in the trash as {here}; to bring it back: {remedy}"
        )
    else:
        count = count_points(read_history(other.paths.run(run_id)))
        new_id = run_id if dry_run else _copy(store, other, entry, status, count)
        outcome.points += count
        if count < counted_there:
            outcome.lacking[run_id] = (
                f"it has {count} of {counted_there} points that its summary.json counted"
            )
        outcome.copied[run_id] = known[identity] = new_id


def _compare(store: Store, outcome: Imported, run_id: str, there: int) -> None:
    """Name a run that has more points there, which are not taken over."""
    here = outcome.present[run_id]
    with suppress(CorruptFileError):  # the one here is named by lists and the doctor
        points = _points(store.scan.record(store.require(here)))
        if points < there:
            outcome.lacking[run_id] = (
                f"it has {there} points there and {points} here, as {here}; later points are not taken over: to have "
                f"them, remove it here ({command(f'delete {here}')}, then gc) and import it again"
            )


def _points(record: RunRecord) -> int:
    return sum(stats.count for stats in record.summary.values())


def _copy(store: Store, other: Store, entry: Entry, status: RunStatus, count: int) -> str:
    """Copy a run of `count` points; raise CorruptFileError, and copy nothing, if they do not all arrive."""
    run_id = str(entry["run_id"])
    staged = RunPaths(atomic.temporary_path(store.paths.incoming / run_id))
    source = other.paths.run(run_id)
    try:
        folders.copy(source.folder, staged.folder, within=other.paths.base, leave_out=partial(_stays, source))
        ended = entry.get("finished_at") or amend.last_sign_of_life(source, entry)
        for name in journal_files.list_journals(staged):
            append.end_lines(staged.folder / name)
        Journal(staged).finish(proves=True)
        copied = count_points(read_history(staged))
        if copied < count:
            raise CorruptFileError(
                f"{source.folder} has {count} points, and {copied} arrived; import it again"
            )
        claimed = _claim(store, run_id)
        try:
            written = {
                **{"format": FORMAT, **entry, "run_id": claimed.name, "status": status, "finished_at": ended},
                "imported_from": {"store": str(other.paths.base.resolve()), "run_id": run_id},
            }
            written.pop("run_dir", None)
            write_entry(staged, written, durable=True)
            with atomic.writing(claimed):
                staged.folder.replace(claimed)  # which is empty, and claimed by this process
        except BaseException:
            with suppress(OSError):
                claimed.rmdir()
            raise
        atomic.sync_dir(claimed.parent)
    finally:
        if regular.is_folder(staged.folder):
            folders.remove_tree(staged.folder)
    return claimed.name


def _stays(run: RunPaths, path: Path) -> bool:
    """Return whether a file of a run has no use in another store."""
    return is_temporary(path) or path in (run.stop, run.deleted)


def _claim(store: Store, run_id: str) -> Path:
    """Make the empty folder of a run, under its own id if no run has or had that id, else under the next number."""
    digits = run_id.removeprefix("run_")
    was_given = digits.isdecimal() and int(digits) <= last_deleted(store.paths)
    if not was_given and not os.path.lexists(store.paths.trashed(run_id).folder):
        with atomic.writing(store.paths.runs):
            store.paths.runs.mkdir(parents=True, exist_ok=True)
            regular.refuse_link(store.paths.runs)
            with suppress(FileExistsError):
                folder = store.paths.run(run_id).folder
                folder.mkdir()
                return folder
    return folders.claim_dir(store.paths.runs, "run_{:03d}".format, first=first_free_number(store.paths))[1]


def _identity(entry: Entry, store: Store) -> Identity:
    """Return what is the same for a run and all its copies, and differs between any two runs.

    A run that other code wrote has no id of its own, and is identified by the store it was written in.
    """
    origin = entry.get("imported_from")
    origin = origin if isinstance(origin, dict) else {}
    run_id = str(origin.get("run_id", entry["run_id"]))
    if entry.get("uid"):
        return run_id, str(entry["uid"])
    if entry.get("host"):
        return run_id, *(str(entry.get(key)) for key in ("created_at", "host", "pid", "process_started"))
    return run_id, str(entry.get("created_at")), str(origin.get("store") or store.paths.base.resolve())


def _check_different(store: Store, other: Store) -> None:
    if not other.paths.base.is_dir():
        raise InvalidValueError(f"there is no store {str(other.paths.named)!r} to import from")
    if store.paths.base.exists() and store.paths.base.samefile(other.paths.base):
        raise InvalidValueError(f"{str(other.paths.named)!r} is the store itself; name another one")
    regular.refuse_link(other.paths.runs)
    if not other.paths.runs.is_dir():
        raise TrackingError(f"{str(other.paths.named)!r} is not a store: it has no folder 'runs'")
