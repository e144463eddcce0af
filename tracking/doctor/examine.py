"""The whole examination, room by room."""

from functools import partial

from tracking.doctor import leftovers
from tracking.doctor.findings import Examination, Fault, Outcome
from tracking.doctor.index import examine_index
from tracking.doctor.metadata import examine_metadata
from tracking.doctor.model_checks import examine_models
from tracking.doctor.run_checks import examine_runs
from tracking.store.store import Store


def examine(store: Store, *, repair: bool = True) -> Examination:
    """Look through a store and repair it; without `repair` nothing at all is changed.

    Damaged files are named and left as they are. A second examination finds only what a person has to decide.
    Reads every file of every run but the artifacts, and every file of the registered models.
    """
    seen = Examination(store, repair)
    if store.paths.base.is_dir():
        _examine_leftovers(seen)
        examine_metadata(seen)
        examine_runs(seen)
        examine_models(seen)
        if any(finding.outcome is Outcome.REPAIRED for finding in seen.findings):
            store.publisher.publish(force=True)  # what the runs say now
        examine_index(seen)
    return seen


def _examine_leftovers(seen: Examination) -> None:
    for path in sorted(leftovers.find_leftovers(seen.store.paths)):
        seen.repair(
            Fault.LEFTOVER,
            path,
            "a process that was killed left it",
            "remove it",
            partial(leftovers.remove_leftover, path),
        )
