"""Which runs of another store are meant; read from its files, because nothing may be written there."""

from collections.abc import Sequence
from functools import partial

from tracking.errors import CorruptFileError
from tracking.records import RunRecord
from tracking.search.query import Names, parse_query, value_of
from tracking.store.store import Store


def select(store: Store, *, experiment: str | None = None, query: str | None = None) -> list[str]:
    """The ids of the runs of an experiment that pass a filter.

    Those that cannot be read are among them, unless a filter asks what they are; nothing is written.
    """
    if experiment is None and query is None:
        return store.scan.run_ids()
    damaged: list[CorruptFileError] = []
    if query is None:
        return [entry["run_id"] for entry in store.scan.entries(experiment, damaged.append)]
    runs = list(store.scan.records(experiment, damaged.append))
    asked = parse_query(query).resolved(names_of(runs))
    return [run.run_id for run in runs if asked.matches(partial(value_of, run))]


def names_of(runs: Sequence[RunRecord]) -> Names:
    """The names of parameters, metrics and tags that these runs have."""
    return Names(
        params=frozenset(name for run in runs for name in run.params),
        metrics=frozenset(name for run in runs for name in run.summary),
        tags=frozenset(name for run in runs for name in run.tags),
    )
