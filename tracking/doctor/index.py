"""The read index against the files it was read from."""

from tracking.doctor.findings import Examination, Fault
from tracking.records import RunRecord
from tracking.search.catalog import Catalog
from tracking.store.store import Store


def examine_index(seen: Examination) -> None:
    """Build the index anew where it says anything but what the files say.

    A dry run does not look: whoever opens an index changes files, and readers repair it in the same way.
    """
    place = seen.store.paths.index
    if not seen.repairs or not place.is_dir():
        return
    index = Catalog(seen.store).index
    index.check()
    indexed = index.ask(lambda view: view.records(view.numbers()), refresh=False)
    if _plain(indexed) != _plain(_read(seen.store)):
        what = "it does not say what the runs say"
        seen.repair(Fault.OLD_INDEX, place, what, "build it anew", index.rebuild)


def _read(store: Store) -> list[RunRecord]:
    return list(store.scan.records(None, lambda _: None))


def _plain(records: list[RunRecord]) -> list[str]:
    # as text: NaN is equal to itself there
    return [repr(record) for record in records]
