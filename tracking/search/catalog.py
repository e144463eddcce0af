"""Catalog: queries over many runs of one store. Uses the index; gives the same answers as reading every file.

A run that cannot be read is in no answer. Each one is passed to `on_error` as a CorruptFileError, which by default
logs it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from tracking.objective import Objective
from tracking.records import RunRecord
from tracking.search.comparison import Comparison
from tracking.search.index import CACHE_BYTES, SMALL, Index, Row, View
from tracking.store.published import Entry
from tracking.store.scan import OnError, once, warn_left_out
from tracking.store.store import Store
from tracking.values.names import check_component, composed, order_of

if TYPE_CHECKING:  # the query language is only loaded by those who search
    from tracking.search.query import Field, Names

Answer = TypeVar("Answer")
OrderBy = str | Sequence[str] | None


class Catalog:
    """Queries over the runs of a store, of one experiment or of all; safe to share between threads."""

    def __init__(self, store: Store, *, cache_bytes: int = CACHE_BYTES, memory_bytes: int = 0) -> None:
        self.store = store
        self.index = Index(store.scan, cache_bytes=cache_bytes, memory_bytes=memory_bytes)

    def entries(self, experiment_name: str | None = None, on_error: OnError = warn_left_out) -> list[Entry]:
        """Return what run.json or metadata.json says of each run, in the order of ids."""
        experiment_name = composed(experiment_name)
        entries, faulty = self._ask(lambda view: view.entries(view.numbers(experiment_name)))
        if faulty:
            # reading the files says what is wrong; a run whose parameters or metrics are damaged still has its entry
            entries += self.store.scan.entries(experiment_name, once(on_error), faulty)
            entries.sort(key=lambda entry: order_of(entry["run_id"]))
        return entries

    def run_ids_of(self, experiment_name: str, on_error: OnError = warn_left_out) -> list[str]:
        """Return the ids of the runs of an experiment; only a run whose run.json is damaged is left out."""
        return [entry["run_id"] for entry in self.entries(experiment_name, on_error)]

    def records(
        self, experiment_name: str | None = None, on_error: OnError = warn_left_out
    ) -> list[RunRecord]:
        """Return the record of each run, in the order of ids."""
        experiment_name = composed(experiment_name)
        answer = self._ask(lambda view: view.records(view.numbers(experiment_name)))
        return self._reported(answer, experiment_name, on_error)

    def rows(self, experiment_name: str | None = None, on_error: OnError = warn_left_out) -> list[Row]:
        """Return the id, experiment, status and times of each run; the fastest of these queries."""
        experiment_name = composed(experiment_name)
        answer = self._ask(lambda view: view.rows(view.numbers(experiment_name)))
        return self._reported(answer, experiment_name, on_error)

    def without_rank(self) -> dict[str, str]:
        """Return the runs that have no rank by their ids, each with a word for why: superseded, or rerun."""
        return self.index.ask(lambda view: view.without_rank())

    def best(
        self, objective: Objective, experiment_name: str | None, on_error: OnError = warn_left_out
    ) -> str | None:
        """Return the id of the run with the best value of an objective.

        Runs without a finite value, and those that a later attempt at their job supersedes, do not take part; of equal runs
        the first is the best.
        """
        experiment_name = composed(experiment_name)
        answer = self._ask(lambda view: view.best(objective, experiment_name))
        return self._reported(answer, experiment_name, on_error)

    def search(
        self,
        text: str,
        on_error: OnError = warn_left_out,
        *,
        experiment_name: str | None = None,
        order_by: OrderBy = None,
        limit: int | None = None,
        notes: list[str] | None = None,
    ) -> list[RunRecord]:
        """Return the records of the runs that pass a filter, oldest first or in the order of `order_by`.

        `notes` gets a sentence for each comparison that no run can pass, as that of a number with a text. Raise QueryError for a filter that is malformed or names what no run has.
        """
        from tracking.search.search import Search

        experiment_name = composed(experiment_name)
        search = Search.parse(text, experiment_name=experiment_name, order_by=order_by, limit=limit)
        answer = self._ask(lambda view: view.records(search.select(view, notes)))
        return self._reported(answer, experiment_name, on_error)

    def columns(
        self,
        fields: "Iterable[Field]",
        on_error: OnError = warn_left_out,
        *,
        text: str = "",
        experiment_name: str | None = None,
        order_by: OrderBy = None,
        limit: int | None = None,
        notes: list[str] | None = None,
    ) -> "tuple[list[str], dict[Field, list[Any]]]":
        """Return the ids of the runs that `search` finds, and the values of the fields in them; read nothing else.

        `notes` are those of `search`.
        """
        from tracking.search.search import Search, resolved

        experiment_name = composed(experiment_name)
        search = Search.parse(text, experiment_name=experiment_name, order_by=order_by, limit=limit)
        wanted = list(fields)

        def question(view: View) -> "tuple[list[str], dict[Field, list[Any]]]":
            numbers = search.select(view, notes)
            found = view.columns(resolved(wanted, view), numbers)
            return view.run_ids(numbers), dict(zip(wanted, found, strict=True))

        return self._reported(self._ask(question), experiment_name, on_error)

    def names(self, experiment_name: str | None = None) -> "Names":
        """Return the names of parameters, metrics and tags that some run has."""
        experiment_name = composed(experiment_name)
        return self.index.ask(lambda view: view.names(experiment_name))

    def compare(self, run_ids: Iterable[str]) -> tuple[Comparison, list[str]]:
        """Return the comparison of the named runs, and the ids that the store does not know, which are not in it.

        Raise CorruptFileError for a run that cannot be read.
        """
        wanted = [
            composed(run_id)
            if isinstance(run_id, str)
            else check_component("run id", run_id, example="run_001")
            for run_id in run_ids
        ]

        def question(view: View) -> tuple[Comparison, list[str]]:
            numbers = view.numbers_of(wanted)
            missing = [run_id for run_id in wanted if run_id not in numbers]
            return view.comparison([numbers[run_id] for run_id in wanted if run_id in numbers]), missing

        found, missing = self.index.ask(question, surely=wanted[:SMALL])
        unknown = [run_id for run_id in missing if self.store.scan.entry(run_id) is None]
        if len(unknown) < len(missing):
            # a known run that the index lacks is damaged or a moment old: reading its files decides
            found = Comparison.of_runs([self._read(run_id) for run_id in wanted if run_id not in unknown])
        return found, list(dict.fromkeys(unknown))

    def _read(self, run_id: str) -> tuple[Entry, RunRecord]:
        entry = self.store.require(run_id)
        return self.store.public(entry), self.store.scan.record(entry)

    def _ask(self, question: Callable[[View], Answer]) -> tuple[Answer, list[str]]:
        return self.index.ask(lambda view: (question(view), view.faulty()))

    def _reported(
        self, answer: tuple[Answer, list[str]], experiment_name: str | None, on_error: OnError
    ) -> Answer:
        found, faulty = answer
        for _ in self.store.scan.records(experiment_name, once(on_error), faulty):
            pass  # one that reads now was repaired a moment ago; the next answer includes it
        return found
