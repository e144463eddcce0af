"""Follow a source: its runs are imported, and grow here while they are still written there."""

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing, suppress
from functools import cache, partial

from tracking.errors import UnknownRunError
from tracking.process.signals import guard
from tracking.store.store import Store
from tracking.transfer.found_runs import FoundRun, GrowingSource, Item, ready_run
from tracking.transfer.growing import GrowingRun
from tracking.transfer.imports import Imported
from tracking.transfer.outside import chosen, grow, take
from tracking.transfer.placing import Present
from tracking.transfer.taking import REFUSALS, importing

Wait = Callable[[], bool]  # waits for a while; returns whether to look again
Tell = Callable[[Imported], object]


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
    what the first look found, and then with each further look that found something; whatever is lost or left out is told
    once. Other imports may run in between. Ctrl-C and SIGTERM raise at any moment; a later import adds what is lacking.
    """
    with ExitStack() as stack:
        guard.enter()
        stack.callback(guard.leave)
        stack.enter_context(closing(source))
        following = stack.enter_context(closing(_Following(Store(base_dir), source, experiment_name)))
        tell(following.look())
        while wait():
            outcome = following.look()
            if outcome.copied or outcome.grown or outcome.damaged or outcome.left_out:
                tell(outcome)


class _Following:
    """The runs of a source that are followed, and what was told of them."""

    def __init__(self, store: Store, source: GrowingSource, experiment_name: str | None) -> None:
        self._store = store
        self._source = source
        self._experiment_name = experiment_name
        self._runs: dict[Item, GrowingRun | None] = {}  # None for one that was left out
        self._told: set[tuple[str, str]] = set()

    def look(self) -> Imported:
        """Import what is new, and return what was not told before."""
        outcome = Imported()
        with importing(self._store, outcome, dry_run=False):
            items = chosen(self._source, self._experiment_name, outcome)
            present = cache(partial(Present, self._store))  # most looks need none
            for gone in self._runs.keys() - set(items):
                self._end(gone)
            for item in items:
                try:
                    self._look_at(item, present, outcome)
                except REFUSALS as error:
                    outcome.left_out[item.name] = str(error)
                    self._end(item)
                    self._runs[item] = None
                except UnknownRunError:  # deleted here: the next look finds it in the trash, or takes it anew
                    self._end(item)
        self._drop_told(outcome)
        return outcome

    def _look_at(self, item: Item, present: Callable[[], Present], outcome: Imported) -> None:
        news = self._source.news(item) if item in self._runs else None
        if news is not None and news.is_empty:
            return
        run = self._runs.setdefault(item, None)
        if news is None or run is None:
            take(self._store, self._source, item, outcome, present(), dry_run=False)
            here = outcome.copied.get(item.name) or outcome.present.get(item.name)
            self._runs[item] = GrowingRun(self._store, here) if here else None
        else:
            self._add(item, run, news, outcome)

    def _add(self, item: Item, run: GrowingRun, news: FoundRun, outcome: Imported) -> None:
        self._store.require(run.run_id)
        if not (news.is_whole or run.is_open):  # another import may have added points meanwhile
            news = self._source.read(item)
        ready = ready_run(news, self._source.place)
        grow(item, run, ready, run.lacking(ready) if news.is_whole else ready.history, outcome)
        for note in ready.notes:
            outcome.notes.setdefault(note, []).append(item.name)

    def _end(self, item: Item) -> None:
        if run := self._runs.pop(item):
            with suppress(*REFUSALS):  # run.json is damaged here, which lists and the doctor say
                run.end()

    def _drop_told(self, outcome: Imported) -> None:
        outcome.left_out = {name: text for name, text in outcome.left_out.items() if self._is_new(name, text)}
        outcome.damaged = _filled(
            (name, [text for text in texts if self._is_new(name, text)])
            for name, texts in outcome.damaged.items()
        )
        outcome.notes = _filled(
            (text, [name for name in names if self._is_new(name, text)])
            for text, names in outcome.notes.items()
        )

    def _is_new(self, name: str, text: str) -> bool:
        known = len(self._told)
        self._told.add((name, text))
        return len(self._told) > known

    def close(self) -> None:
        """End the runs that have grown, each whatever becomes of the others."""
        with guard.deferring(), ExitStack() as stack:
            if any(self._runs.values()):
                stack.callback(partial(self._store.publisher.publish, force=True))
            for item in [*self._runs]:
                stack.callback(self._end, item)


def _filled(lists: Iterable[tuple[str, list[str]]]) -> dict[str, list[str]]:
    return {key: found for key, found in lists if found}
