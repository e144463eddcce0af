"""StoreReader: one store as plain data for pages. It writes nothing below the store."""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tracking.browse.file_tree import FileTrees
from tracking.browse.following import FollowedRun
from tracking.browse.following_text import FollowedText
from tracking.browse.learning_curves import Curves
from tracking.browse.left_out import LeftOut
from tracking.browse.model_facts import model_of, models_of, version_of
from tracking.browse.run_facts import RunFacts
from tracking.browse.run_files import RunFile, files_in, open_run_file, read_part
from tracking.browse.run_table import Question, table_of
from tracking.browse.side_by_side import check_number, comparison_of
from tracking.browse.store_names import names_of
from tracking.registry import ModelRegistry
from tracking.search.catalog import Catalog
from tracking.search.index import SMALL, View
from tracking.store.store import Store
from tracking.values.names import composed, is_component

Answer = TypeVar("Answer")

# A server lives long: it keeps columns of the index, and few pages of its file, which the system has in memory anyway.
CACHE_BYTES = 2 << 20
MEMORY_BYTES = 12 << 20


class StoreReader:
    """What pages show of a store; safe to share between threads.

    All answers are plain data that JSON holds: non-finite numbers, and whole numbers beyond 2^53, are text, and times are
    ISO 8601. Every method raises TrackingError for what it cannot answer: QueryError for a filter, UnknownRunError and
    UnknownModelError for what is not there, MissingFileError for a file.
    """

    def __init__(self, store: Path) -> None:
        self._store = Store(store)
        self._catalog = Catalog(self._store, cache_bytes=CACHE_BYTES, memory_bytes=MEMORY_BYTES)
        self._registry = ModelRegistry(store)
        self._trees = FileTrees()
        self._curves = Curves(self._store)
        self._left_out = LeftOut(self._store)
        self._process = os.urandom(4).hex()
        self._made: dict[bytes, bytes] = {}  # used by one thread at a time, as the index is
        self._lock = threading.Lock()
        self._names: dict[str | None, tuple[str, dict[str, Any]]] = {}

    @property
    def path(self) -> Path:
        """The folder of the store."""
        return self._store.paths.base

    def version(self) -> str:
        """Return text that changes when the table of runs may show something else, also what a running run logs.

        A few milliseconds for 10,000 runs. It means nothing to another process.
        """
        return self._ask(self._version)

    def names(self, experiment: str | None = None) -> dict[str, Any]:
        """Return the names of parameters, metrics, tags and experiments, those that vary, and a table's first columns."""
        experiment = composed(experiment)

        def question(view: View) -> dict[str, Any]:
            version = self._version(view)
            with self._lock:
                kept = self._names.get(experiment)
            if kept and kept[0] == version:
                return kept[1]
            found = names_of(view, experiment)
            with self._lock:
                self._names = {**dict(list(self._names.items())[-15:]), experiment: (version, found)}
            return found

        return self._ask(question)

    def table(
        self,
        *,
        text: str = "",
        sort: Sequence[str] = (),
        experiment: str | None = None,
        columns: Sequence[str] | None = None,
        offset: int = 0,
        limit: int = 200,
        by_seeds: bool = False,
    ) -> dict[str, Any]:
        """Return a window of the table of runs that pass a filter, by columns; `limit` is up to 5000 rows.

        Without `columns` the suggested ones are shown. A column that no run has is empty. With `by_seeds` a row is the
        runs that differ in their seed alone, and a number of theirs {"mean", "std", "n"}.
        """
        chosen = None if columns is None else tuple(columns)
        asked = Question(text, tuple(sort), composed(experiment), chosen, offset, limit, by_seeds).checked()

        def question(view: View) -> dict[str, Any]:
            return {
                **table_of(view, asked, self._made),
                "version": self._version(view),
                "left_out": view.faulty(),
            }

        answer = self._ask(question)
        answer["left_out"] = self._left_out.reasons(answer["left_out"], answer["version"])
        return answer

    def compare(self, run_ids: Sequence[str]) -> dict[str, Any]:
        """Return runs side by side; ids of runs that are not there, or cannot be read, are `missing`."""
        wanted = list(dict.fromkeys(composed(run_id) for run_id in run_ids))
        check_number(wanted)
        names = [run_id for run_id in wanted if is_component(run_id)]
        return self._catalog.index.ask(
            lambda view: comparison_of(view, wanted, view.numbers_of(names)), surely=names[:SMALL]
        )

    def curves(
        self, run_ids: Sequence[str], metrics: Sequence[str], *, x: str = "step", most: int = 2000
    ) -> dict[str, Any]:
        """Return curves of at most about `most` points each, and for each run the cursor to follow it from.

        `x` is step, epoch or time. A run that cannot be read is `left_out`; raise UnknownRunError for an unknown one.
        """
        return self._curves.read(run_ids, metrics, x, most)

    def follow(self, run_id: str, cursor: str | None = None) -> FollowedRun:
        """Return a reader of what a run logs from a cursor on; close it after use."""
        return FollowedRun(self._store, run_id, cursor)

    def follow_text(self, run_id: str, offset: int | None = None) -> FollowedText:
        """Return a reader of what a run prints from a byte on; None is the last 64 KiB."""
        return FollowedText(self._store, run_id, offset)

    def run(self, run_id: str) -> dict[str, Any]:
        """Return all that there is to say of a run."""
        return RunFacts(self._store, self._registry, self._trees, run_id).plain()

    def output(self, run_id: str, *, start: int, most: int) -> dict[str, Any]:
        """Return a part of what a run printed, from byte `start` on, or from so many before the end if that is negative."""
        entry = self._store.require(run_id)
        return read_part(self._store.paths.run(entry["run_id"]).output, start, most)

    def file(self, run_id: str, path: str) -> RunFile:
        """Open a file of a run's folder, named relative to that, such as artifacts/curve.png; no link is followed."""
        entry = self._store.require(run_id)
        return open_run_file(self._store.paths.run(entry["run_id"]), path)

    def files(self, run_id: str, folder: str, *, offset: int, most: int) -> dict[str, Any]:
        """Return the files of one folder of a run, named relative to that, by name from the place `offset` on; up to 1000."""
        paths = self._store.paths.run(self._store.require(run_id)["run_id"])
        return {"files": files_in(paths, self._trees.of(paths), folder, offset, most)}

    def models(self) -> dict[str, Any]:
        """Return the registered models with their champions."""
        return models_of(self._registry)

    def model(self, name: str) -> dict[str, Any]:
        """Return one model with its versions and its history."""
        return model_of(self._registry, name, self._store.paths.named)

    def model_version(self, name: str, number: int, *, which: int | None = None) -> dict[str, Any]:
        """Return a whole verdict on a version of a model, all on it in short, and the code it came from.

        The verdict is the one that counts, or the kept one with the number `which`.
        """
        return version_of(self._registry, name, number, which=which)

    def close(self) -> None:
        """Close the index."""
        self._catalog.index.close()

    def _ask(self, question: Callable[[View], Answer]) -> Answer:
        return self._catalog.index.ask(question)

    def _version(self, view: View) -> str:
        return f"{self._process}.{view.stamp}"
