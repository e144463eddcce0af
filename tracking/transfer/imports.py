"""Runs of another store copied into this one: each whole or not at all, and only once.

A run is put together in a folder that no reader looks at and takes its place by one rename. It keeps its id where
that is free, else it gets the next number. `imported_from` in its run.json says where it came from.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError, InvalidValueError, TrackingError
from tracking.files import atomic, folders, locks
from tracking.files.atomic import is_temporary
from tracking.metrics.journal import Journal
from tracking.paths import RunPaths
from tracking.records import FORMAT, RunStatus
from tracking.store import amend
from tracking.store.numbering import first_free_number, last_deleted
from tracking.store.scan import shown_status
from tracking.store.store import Store

Entry = dict[str, Any]
Identity = tuple[Any, ...]
Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Imported:
    """What an import did: the new id of each run that was copied, and why others were not."""

    copied: dict[str, str] = field(default_factory=dict)
    present: dict[str, str] = field(default_factory=dict)  # by its id there, the id it has here
    left_out: dict[str, str] = field(default_factory=dict)


def import_runs(
    store: Store,
    other: Store,
    run_ids: Sequence[str],
    *,
    dry_run: bool = False,
    on_progress: Progress | None = None,
) -> Imported:
    """Copy runs of another store, with all their files, into this one; nothing in the other one is changed.

    Left out are runs that go on, that cannot be read, and those that are here already: imported before, or the very
    same run. Interrupted, it has copied some runs and not the others, and may be called again. Models stay.
    """
    _check_different(store, other)
    outcome = Imported()
    if dry_run:
        _import(store, other, run_ids, outcome, on_progress, lambda entry, _: str(entry["run_id"]))
        return outcome
    with locks.lock(store.paths.import_lock):
        try:
            _import(store, other, run_ids, outcome, on_progress, partial(_bring, store, other))
        finally:
            if outcome.copied:
                store.publisher.publish(force=True)
    return outcome


def _import(
    store: Store,
    other: Store,
    run_ids: Sequence[str],
    outcome: Imported,
    on_progress: Progress | None,
    bring: Callable[[Entry, RunStatus], str],
) -> None:
    known = _known(store)
    for done, run_id in enumerate(run_ids):
        if on_progress:
            on_progress(done, len(run_ids))
        try:
            entry = other.require(run_id)
            status = shown_status(entry)
            if status is RunStatus.RUNNING:
                outcome.left_out[run_id] = f"it is running; {_way_out(run_id, other)}"
                continue
            other.scan.record(entry)  # raises for what is damaged
            identity = _identity(entry, other)
            if identity in known:
                outcome.present[run_id] = known[identity]
            else:
                outcome.copied[run_id] = known[identity] = bring(entry, status)
        except CorruptFileError as error:
            outcome.left_out[run_id] = str(error)
    if on_progress:
        on_progress(len(run_ids), len(run_ids))


def _bring(store: Store, other: Store, entry: Entry, status: RunStatus) -> str:
    run_id = str(entry["run_id"])
    staged = RunPaths(atomic.temporary_path(store.paths.incoming / run_id))
    source = other.paths.run(run_id)
    try:
        folders.copy(source.folder, staged.folder, leave_out=partial(_stays, source))
        ended = entry.get("finished_at") or amend.last_sign_of_life(source, entry)
        Journal(staged).finish()
        claimed = _claim(store, run_id)
        try:
            told = {
                **{"format": FORMAT, **entry, "run_id": claimed.name, "status": status, "finished_at": ended},
                "imported_from": {"store": str(other.paths.base.resolve()), "run_id": run_id},
            }
            told.pop("run_dir", None)
            atomic.write_json(staged.run, told)
            with atomic.writing(claimed):
                staged.folder.replace(claimed)  # an empty folder, and nobody else's
        except BaseException:
            with suppress(OSError):
                claimed.rmdir()
            raise
        atomic.sync_dir(claimed.parent)
    finally:
        if staged.folder.exists():
            folders.remove_tree(staged.folder)
    return claimed.name


def _stays(run: RunPaths, path: Path) -> bool:
    """Whether a file of a run is of no use in another store."""
    return is_temporary(path) or path in (run.stop, run.deleted)


def _claim(store: Store, run_id: str) -> Path:
    """The empty folder of the run: under its own id where no run has or had that, else under the next number."""
    digits = run_id.removeprefix("run_")
    was_given = digits.isdecimal() and int(digits) <= last_deleted(store.paths)
    if not was_given and not store.paths.trashed(run_id).folder.exists():
        with atomic.writing(store.paths.runs):
            store.paths.runs.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                folder = store.paths.run(run_id).folder
                folder.mkdir()
                return folder
    return folders.claim_dir(store.paths.runs, "run_{:03d}".format, first=first_free_number(store.paths))[1]


def _known(store: Store) -> dict[Identity, str]:
    found: dict[Identity, str] = {}
    for entry in store.scan.entries(None, lambda _: None):
        found.setdefault(_identity(entry, store), entry["run_id"])
    return found


def _identity(entry: Entry, store: Store) -> Identity:
    """What is the same for a run and all its copies, and for no two runs.

    A run of other code has nothing of its own to tell it from others, and is known by where it lay.
    """
    origin = entry.get("imported_from") or {}
    run_id = origin.get("run_id", entry["run_id"])
    if entry.get("uid"):
        return run_id, entry["uid"]
    if entry.get("host"):
        return run_id, entry["created_at"], entry["host"], entry.get("pid"), entry.get("process_started")
    return run_id, entry.get("created_at"), origin.get("store") or str(store.paths.base.resolve())


def _check_different(store: Store, other: Store) -> None:
    if not other.paths.base.is_dir():
        raise InvalidValueError(f"there is no store {str(other.paths.named)!r} to import from")
    if store.paths.base.exists() and store.paths.base.samefile(other.paths.base):
        raise InvalidValueError(f"{str(other.paths.named)!r} is the store itself; name another one")
    if not other.paths.runs.is_dir():
        raise TrackingError(f"{str(other.paths.named)!r} is no store: it has no folder 'runs'")


def _way_out(run_id: str, other: Store) -> str:
    return f"if it is over: python -m tracking finish {run_id} --store {other.paths.named}"
