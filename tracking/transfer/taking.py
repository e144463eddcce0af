"""Runs of another program become runs of a store, each whole and once; whatever is damaged costs itself and is named.

What is common to all sources: which runs pass a filter, which are here already, and how one is put together and placed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

from tracking.errors import CorruptFileError, InvalidNameError, InvalidValueError
from tracking.files import atomic, locks, regular
from tracking.metrics.metrics_json import text_of
from tracking.metrics.sources import History, count_points
from tracking.metrics.summary import count_history
from tracking.metrics.summary_file import View, size_of, write_view
from tracking.paths import RunPaths
from tracking.search.search import Search
from tracking.store.store import Store
from tracking.transfer.found_runs import Ready
from tracking.transfer.imports import Imported, Progress
from tracking.transfer.placing import Present
from tracking.values.jsontext import kept

Given = TypeVar("Given")  # a run as its source names it

REFUSALS = (CorruptFileError, InvalidNameError, InvalidValueError)  # of one run; the others are imported


@contextmanager
def importing(store: Store, outcome: Imported, *, dry_run: bool) -> Iterator[None]:
    """Keep other imports waiting, and publish what was imported, however the block ends."""
    regular.refuse_link(store.paths.inner, store.paths.incoming)
    with nullcontext() if dry_run else locks.lock(store.paths.import_lock):
        try:
            yield
        finally:
            if (outcome.copied or outcome.grown) and not dry_run:
                store.publisher.publish(force=True)


def take_each(
    runs: Sequence[Given],
    name_of: Callable[[Given], str],
    take: Callable[[Given], None],
    outcome: Imported,
    on_progress: Progress | None,
) -> None:
    """Call `take` for each run; name those that cannot be read in `outcome`."""
    for done, run in enumerate(runs):
        if on_progress:
            on_progress(done, len(runs))
        try:
            take(run)
        except REFUSALS as error:
            outcome.left_out[name_of(run)] = str(error)
    if on_progress:
        on_progress(len(runs), len(runs))


def passing(
    runs: Sequence[Given], name_of: Callable[[Given], str], read: Callable[[Given], Ready], query: str
) -> list[Given]:
    """Return the runs that pass a filter; those that cannot be read are among them, to be named later."""
    records, unreadable = [], set()
    search = Search.parse(query)
    for run in runs:
        try:
            records.append(read(run).record(name_of(run)))
        except REFUSALS:
            unreadable.add(name_of(run))
    passed = {record.run_id for record in search.select_records(records)} | unreadable
    return [run for run in runs if name_of(run) in passed]


def is_kept_out(name: str, ready: Ready, outcome: Imported, ours: Present, place: str | None = None) -> bool:
    """Return whether a run is here already or was deleted here, which `outcome` then says; it was found below `place`."""
    if here := ours.find(ready.origin, place):
        outcome.present[name] = here
        return True
    if reason := ours.deleted_reason(ready.origin, place):
        outcome.left_out[name] = reason
        return True
    return False


def note_taken(name: str, ready: Ready, new_id: str, outcome: Imported, ours: Present) -> None:
    """Count a run that was imported under a new id, and what of it was lost."""
    if ready.damaged:
        outcome.damaged.setdefault(name, []).extend(ready.damaged)
    for note in ready.notes:
        outcome.notes.setdefault(note, []).append(name)
    outcome.points += count_points(ready.history)
    outcome.copied[name] = ours.known[ready.origin] = new_id


def write_content(staged: RunPaths, params: dict[str, Any], history: History) -> None:
    """Write the parameters and points of a run that is put together."""
    if params:
        atomic.write_json(staged.params, kept(params))
    if history:
        atomic.write_pieces(staged.metrics, text_of(history).pieces(), durable=True)
        view = View(count_history(history), None, metrics_bytes=size_of(staged.metrics))
        write_view(staged.summary, view)
