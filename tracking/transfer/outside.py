"""Import from a `Source`: its runs become runs of a store, and those that are here already get what they lack."""

import os
from contextlib import closing
from pathlib import Path

from tracking.errors import CorruptFileError, InvalidNameError, StoreUnwritableError, quoted
from tracking.files import atomic, folders, regular
from tracking.metrics.sources import History, count_points
from tracking.process.signals import guard
from tracking.store.store import Store
from tracking.transfer.found_runs import FoundRun, GrowingSource, Item, Ready, Source, ready_run
from tracking.transfer.growing import GrowingRun
from tracking.transfer.imports import Imported, Progress
from tracking.transfer.placing import Present, place, staging
from tracking.transfer.taking import (
    importing,
    is_kept_out,
    note_taken,
    passing,
    take_each,
    write_content,
)
from tracking.values.names import check_artifact, fitted_label


def import_source(
    base_dir: str | os.PathLike[str],
    source: Source,
    *,
    experiment_name: str | None = None,
    query: str = "",
    dry_run: bool = False,
    on_progress: Progress | None = None,
) -> Imported:
    """Copy the runs of a source into a store, and close the source.

    Leave out runs that are here already, and those that were deleted here and are in the trash. What a source has
    appended to a run since is added to it, each point once. An import that is interrupted has copied some runs, and may
    be repeated.
    """
    store, outcome = Store(base_dir), Imported()
    with closing(source), importing(store, outcome, dry_run=dry_run):
        items = chosen(source, experiment_name, outcome)
        if query.strip():
            items = passing(items, _name, lambda item: ready_run(source.read(item), source.place), query)
        present = Present(store)

        def take_one(item: Item) -> None:
            take(store, source, item, outcome, present, dry_run=dry_run)

        take_each(items, _name, take_one, outcome, on_progress)
    return outcome


def take(
    store: Store, source: Source, item: Item, outcome: Imported, ours: Present, *, dry_run: bool
) -> None:
    """Import a run, or add to the one that is here what it lacks; `outcome` says which."""
    here = ours.find(item.origin, source.place)
    if here is not None and not isinstance(source, GrowingSource):
        outcome.present[item.name] = here
        return
    found = source.read(item)
    ready = ready_run(found, source.place)
    if is_kept_out(item.name, ready, outcome, ours, source.place):
        if here is not None:
            run = GrowingRun(store, here)
            grow(item, run, ready, run.lacking(ready), outcome, dry_run=dry_run)
            run.end()
    else:
        new_id = item.name if dry_run else _place(store, found, ready)
        note_taken(item.name, ready, new_id, outcome, ours)


def grow(
    item: Item, run: GrowingRun, ready: Ready, new: History, outcome: Imported, *, dry_run: bool = False
) -> None:
    """Add points and parameters to a run that is here, unless another process does so."""
    if ready.damaged:
        outcome.damaged[item.name] = ready.damaged
    count = count_points(new)
    if count and (reason := run.held_by):
        outcome.left_out[item.name] = reason
        return
    if not dry_run:
        run.append(new, ready.entry["finished_at"])
        run.add_params(ready.params)
    if count:
        outcome.grown[item.name] = count


def chosen(source: Source, experiment_name: str | None, outcome: Imported) -> list[Item]:
    """Return the runs of an experiment, or all; `outcome` names what of the source cannot be read."""
    label = None if experiment_name is None else fitted_label(experiment_name)
    items = [item for item in source.items() if label in (None, fitted_label(item.experiment))]
    if experiment_name is None:
        outcome.left_out |= source.damaged
    return items


def _name(item: Item) -> str:
    return item.name


def _place(store: Store, found: FoundRun, ready: Ready) -> str:
    from tracking.provenance.config_text import config_text, write_config  # those who export never need it

    with staging(store, "run") as staged:
        folders.make_dir(staged.artifacts)
        for name, content in found.files.items():
            try:
                _keep_file(staged.artifacts, name, content)
            except StoreUnwritableError:
                raise
            except (CorruptFileError, InvalidNameError, OSError) as error:
                ready.damaged.append(f"the file {quoted(name)} ({error})")
        write_config(staged, config_text(found.config) if found.config else None, found.overrides)
        write_content(staged, ready.params, ready.history)
        with guard.deferring():  # a run is in its place, or was never there
            return place(store, staged, ready.entry, None)


def _keep_file(artifacts: Path, name: str, content: Path | bytes) -> None:
    target = artifacts / check_artifact(name)
    folders.make_dir(target.parent)
    if isinstance(content, bytes):
        atomic.write_bytes(target, content)
    else:
        regular.refuse_odd(content)
        atomic.copy_file(content, target)
