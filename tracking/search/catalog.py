"""The catalog of a store: questions about many runs, answered by the index as the scan of all files would.

Runs that cannot be read are in no answer; each is reported, with what is wrong with it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from tracking.records import RunRecord
from tracking.search.comparison import Comparison
from tracking.search.index import SMALL, Index, Row, View
from tracking.store.published import Entry
from tracking.store.scan import OnError, Scan, once, order_of

if TYPE_CHECKING:  # the query language is only loaded by those who search
    from tracking.search.query import Field, Names
    from tracking.search.search import Search

Answer = TypeVar("Answer")


class Catalog:
    """What can be asked about the runs of one store, of one experiment or of all; safe to share between threads."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self.index = Index(scan)

    def entries(self, experiment_name: str | None, on_error: OnError) -> list[Entry]:
        """What run.json or metadata.json says of each run, in the order of ids."""
        entries, faulty = self._ask(lambda view: view.entries(view.numbers(experiment_name)))
        if faulty:
            # the files tell what is wrong; one that was repaired a moment ago is a run again
            entries += self._scan.entries(experiment_name, once(on_error), faulty)
            entries.sort(key=lambda entry: order_of(entry["run_id"]))
        return entries

    def records(self, experiment_name: str | None, on_error: OnError) -> list[RunRecord]:
        """The record of each run, in the order of ids."""
        records, faulty = self._ask(lambda view: view.records(view.numbers(experiment_name)))
        if faulty:
            records += self._scan.records(experiment_name, once(on_error), faulty)
            records.sort(key=lambda record: order_of(record.run_id))
        return records

    def rows(self, experiment_name: str | None, on_error: OnError) -> list[Row]:
        """The id, experiment, status and times of each run: the least there is to know, and the fastest to get."""
        return self._reported(
            self._ask(lambda view: view.rows(view.numbers(experiment_name))), experiment_name, on_error
        )

    def best(
        self, metric: str, experiment_name: str | None, mode: str, at: str, on_error: OnError
    ) -> str | None:
        """The id of the run with the best last value of a metric, or with `at` "best" the best value it reached.

        Values that are not finite do not take part; of equal runs the first is the best.
        """
        answer = self._ask(lambda view: view.best(metric, experiment_name, mode, at))
        return self._reported(answer, experiment_name, on_error)

    def search(self, search: "Search", on_error: OnError) -> list[RunRecord]:
        """The records of the runs that are searched for. QueryError tells of a name that no run has."""
        answer = self._ask(lambda view: view.records(search.select(view)))
        return self._reported(answer, search.experiment_name, on_error)

    def columns(
        self, fields: "Iterable[Field]", search: "Search", on_error: OnError
    ) -> "tuple[list[str], dict[Field, list[Any]]]":
        """The ids of the runs that are searched for, and the values of the fields in them; nothing else is read."""
        from tracking.search.search import resolved

        wanted = list(fields)

        def question(view: View) -> "tuple[list[str], dict[Field, list[Any]]]":
            numbers = search.select(view)
            found = view.columns(resolved(wanted, view), numbers)
            return view.run_ids(numbers), dict(zip(wanted, found, strict=True))

        return self._reported(self._ask(question), search.experiment_name, on_error)

    def names(self, experiment_name: str | None = None) -> "Names":
        """The parameters, metrics and tags that some run has."""
        return self.index.ask(lambda view: view.names(experiment_name))

    def compare(
        self, run_ids: Sequence[str], read: Callable[[str], tuple[Mapping[str, Any], RunRecord]]
    ) -> Comparison:
        """The named runs beside each other; `read` reads one, or raises what is to be said of it."""

        def question(view: View) -> Comparison | None:
            numbers = view.numbers_of(run_ids)
            is_complete = all(run_id in numbers for run_id in run_ids)
            return view.comparison([numbers[run_id] for run_id in run_ids]) if is_complete else None

        found = None
        if all(isinstance(run_id, str) for run_id in run_ids):
            found = self.index.ask(question, surely=run_ids[:SMALL])
        # one that the index has not is unknown, damaged, or was made this moment: its files tell
        return found or Comparison.of_runs([read(run_id) for run_id in run_ids])

    def _ask(self, question: Callable[[View], Answer]) -> tuple[Answer, list[str]]:
        return self.index.ask(lambda view: (question(view), view.faulty()))

    def _reported(
        self, answer: tuple[Answer, list[str]], experiment_name: str | None, on_error: OnError
    ) -> Answer:
        found, faulty = answer
        for _ in self._scan.records(experiment_name, once(on_error), faulty):
            pass  # it was repaired a moment ago, and the next answer has it
        return found
