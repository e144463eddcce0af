"""Import from a `Source`: its runs become runs of a store, and grow with those that are still written."""

import os
from collections.abc import Callable
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
    REFUSALS,
    importing,
    is_kept_out,
    note_taken,
    passing,
    take_each,
    write_content,
)
from tracking.values.names import check_artifact, fitted_label

Wait = Callable[[], bool]  # waits for a while; returns whether to look again
Tell = Callable[[Imported], object]


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
        items = _chosen(source, experiment_name, query, outcome)
        present = Present(store)

        def take(item: Item) -> None:
            _take(store, source, item, outcome, present, dry_run=dry_run)

        take_each(items, _name, take, outcome, on_progress)
    return outcome


def follow_source(
    base_dir: str | os.PathLike[str],
    source: GrowingSource,
    *,
    wait: Wait,
    tell: Tell,
    experiment_name: str | None = None,
) -> None:
    """Import the runs of a source, and what is written there from now on, until `wait` returns False or raises.

    A run that grows is running here meanwhile, and so shows up in watch, tail and the dashboard. `tell` is called with
    what the first look found, and then with each further look that found something. Other imports may run in between.
    """
    store = Store(base_dir)
    followed: dict[str, GrowingRun] = {}
    ends: dict[str, str] = {}
    guard.enter()
    try:
        with closing(source):
            is_first = True
            while True:
                outcome = Imported()
                with importing(store, outcome, dry_run=False):
                    _look(store, source, experiment_name, outcome, followed, ends)
                if is_first or outcome.copied or outcome.grown or outcome.damaged:
                    tell(outcome)
                is_first = False
                if not wait():
                    return
    finally:
        try:
            for name, run in followed.items():
                run.end(ends[name])
            if followed:
                store.publisher.publish(force=True)
        finally:
            guard.leave()


def _look(
    store: Store,
    source: GrowingSource,
    experiment_name: str | None,
    outcome: Imported,
    followed: dict[str, GrowingRun],
    ends: dict[str, str],
) -> None:
    present: Present | None = None
    for item in _chosen(source, experiment_name, "", outcome):
        run = followed.get(item.name)
        try:
            with guard.deferring():  # Ctrl-C and SIGTERM wait until the reader and the run agree
                if run is None:
                    present = present or Present(store)
                    ready = _take(store, source, item, outcome, present, dry_run=False)
                    here = outcome.copied.get(item.name) or outcome.present.get(item.name)
                    if here is None:
                        continue
                    followed[item.name] = GrowingRun(store, here)
                else:
                    ready = _add_news(source, item, run, outcome)
            if ready is not None:
                ends[item.name] = max(ends.get(item.name, ""), ready.entry["finished_at"])
        except REFUSALS as error:
            outcome.left_out[item.name] = str(error)


def _add_news(source: GrowingSource, item: Item, run: GrowingRun, outcome: Imported) -> Ready | None:
    """Add what was written since the last look; return that, None if there is nothing."""
    news = source.news(item)
    if not (news.points or news.params or news.damaged):
        return None
    if run.is_open:
        ready = ready_run(news, source.place)
        return _grow(item, run, ready, ready.history, outcome)
    # another import may have added points meanwhile
    ready = ready_run(source.read(item), source.place)
    return _grow(item, run, ready, run.lacking(ready), outcome)


def _take(
    store: Store, source: Source, item: Item, outcome: Imported, ours: Present, *, dry_run: bool
) -> Ready | None:
    """Import a run, or add to it what it lacks here; return what the source has of it, None if it was not read."""
    here = ours.find(item.origin, source.place)
    if here is not None and not isinstance(source, GrowingSource):
        outcome.present[item.name] = here
        return None
    found = source.read(item)
    ready = ready_run(found, source.place)
    if is_kept_out(item.name, ready, outcome, ours, source.place):
        if here is not None:
            run = GrowingRun(store, here)
            _grow(item, run, ready, run.lacking(ready), outcome, dry_run=dry_run)
            run.end(ready.entry["finished_at"])
        return ready
    new_id = item.name if dry_run else _place(store, found, ready)
    note_taken(item.name, ready, new_id, outcome, ours)
    return ready


def _grow(
    item: Item, run: GrowingRun, ready: Ready, new: History, outcome: Imported, *, dry_run: bool = False
) -> Ready | None:
    """Add points and parameters to a run that is here, unless another process does so; return None if it does."""
    if ready.damaged:
        outcome.damaged[item.name] = ready.damaged
    count = count_points(new)
    if count and (reason := run.held_by):
        outcome.left_out[item.name] = reason
        return None
    if not dry_run:
        run.append(new)
        run.add_params(ready.params)
    if count:
        outcome.grown[item.name] = count
    return ready


def _chosen(source: Source, experiment_name: str | None, query: str, outcome: Imported) -> list[Item]:
    chosen = None if experiment_name is None else fitted_label(experiment_name)
    items = [item for item in source.items() if chosen in (None, fitted_label(item.experiment))]
    if experiment_name is None:
        outcome.left_out |= source.damaged
    if query.strip():
        items = passing(items, _name, lambda item: ready_run(source.read(item), source.place), query)
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
        return place(store, staged, ready.entry, None)


def _keep_file(artifacts: Path, name: str, content: Path | bytes) -> None:
    target = artifacts / check_artifact(name)
    folders.make_dir(target.parent)
    if isinstance(content, bytes):
        atomic.write_bytes(target, content)
    else:
        regular.refuse_odd(content)
        atomic.copy_file(content, target)
