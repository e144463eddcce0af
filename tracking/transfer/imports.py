"""Import of runs from another store: each run is copied whole or not at all, and only once.

`imported_from` in the run.json of a copy says where it came from.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError, InvalidValueError, TrackingError
from tracking.files import append, folders, locks, regular
from tracking.files.atomic import is_temporary
from tracking.metrics import journal_files
from tracking.metrics.history import read_history
from tracking.metrics.journal import Journal
from tracking.metrics.sources import count_points
from tracking.paths import RunPaths
from tracking.process.program import command
from tracking.records import RunRecord, RunStatus
from tracking.search.search import Search
from tracking.store import amend
from tracking.store.scan import shown_status
from tracking.store.store import Store
from tracking.transfer.origin import origin_of
from tracking.transfer.placing import Present, place, staging

Entry = dict[str, Any]
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
    damaged: dict[str, list[str]] = field(
        default_factory=dict
    )  # of copied runs: what of them could not be read
    notes: dict[str, list[str]] = field(default_factory=dict)  # what is not copied, and of which runs
    grown: dict[str, int] = field(
        default_factory=dict
    )  # points that were added to runs that were here already


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
        present = Present(store)
        try:
            for done, run_id in enumerate(run_ids):
                if on_progress:
                    on_progress(done, len(run_ids))
                try:
                    _import(store, other, run_id, outcome, present, dry_run=dry_run)
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
    ours: Present,
    *,
    dry_run: bool,
) -> None:
    entry = other.require(run_id)
    status = shown_status(entry, other.paths)
    if status is RunStatus.RUNNING:
        remedy = f"if it has ended: {command(f'finish {run_id} --store {other.paths.named}')}"
        outcome.left_out[run_id] = f"it is running; {remedy}"
        return
    counted_there = _points(other.scan.record(entry))  # raises CorruptFileError for a damaged run
    origin = origin_of(entry, other)
    if origin in ours.known:
        outcome.present[run_id] = ours.known[origin]
        if run_id not in outcome.copied:
            _compare(store, outcome, run_id, counted_there)
    elif reason := ours.deleted_reason(origin):
        outcome.left_out[run_id] = reason
    else:
        count = count_points(read_history(other.paths.run(run_id)))
        new_id = run_id if dry_run else _copy(store, other, entry, status, count)
        outcome.points += count
        if count < counted_there:
            outcome.lacking[run_id] = (
                f"it has {count} of {counted_there} points that its summary.json counted"
            )
        outcome.copied[run_id] = ours.known[origin] = new_id


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
    source = other.paths.run(run_id)
    with staging(store, run_id) as staged:
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
        told = entry.get("imported_from")  # of a copy: where it was recorded, which stays its origin
        written = {
            **{**entry, "status": status, "finished_at": ended},
            "imported_from": told or {"store": str(other.paths.base.resolve()), "run_id": run_id},
        }
        written.pop("run_dir", None)
        return place(store, staged, written, run_id)


def _stays(run: RunPaths, path: Path) -> bool:
    """Return whether a file of a run has no use in another store."""
    return is_temporary(path) or path in (run.stop, run.deleted)


def _check_different(store: Store, other: Store) -> None:
    if not other.paths.base.is_dir():
        raise InvalidValueError(f"there is no store {str(other.paths.named)!r} to import from")
    if store.paths.base.exists() and store.paths.base.samefile(other.paths.base):
        raise InvalidValueError(f"{str(other.paths.named)!r} is the store itself; name another one")
    regular.refuse_link(other.paths.runs)
    if not other.paths.runs.is_dir():
        raise TrackingError(f"{str(other.paths.named)!r} is not a store: it has no folder 'runs'")
