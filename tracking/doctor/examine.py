"""The whole examination of a store: every check in its order."""

from functools import partial

from tracking.doctor import leftovers
from tracking.doctor.findings import Examination, Fault, Outcome
from tracking.doctor.metadata import examine_metadata
from tracking.doctor.model_checks import examine_models
from tracking.doctor.run_checks import examine_runs
from tracking.files import regular
from tracking.rerun import scratch
from tracking.search.catalog import Catalog
from tracking.store.store import Store


def examine(store: Store, *, repair: bool = True) -> Examination:
    """Examine a store and repair it; without `repair` change nothing at all.

    Damaged files are reported and left as they are. A second examination finds only what a person has to decide.
    Reads every file of every run but the artifacts, and every file of the registered models.
    """
    seen = Examination(store, repair)
    paths = store.paths
    if paths.base.is_dir():
        _examine_leftovers(seen)
        for folder in (paths.runs, paths.trash, paths.models, paths.inner):
            with seen.naming_damage(folder):
                regular.refuse_link(folder)
        if paths.runs.is_symlink():
            return seen  # there is no run that may be read
        examine_metadata(seen)
        examine_runs(seen)
        examine_models(seen)
        is_changed = any(finding.outcome is Outcome.REPAIRED for finding in seen.findings)
        if is_changed and regular.is_folder(paths.runs):  # a store of models alone has no runs to list
            store.publisher.publish(force=True)
        _examine_index(seen)
    return seen


def _examine_leftovers(seen: Examination) -> None:
    for path in sorted(leftovers.find_leftovers(seen.store.paths)):
        what = "a process that was killed left it"
        seen.repair(Fault.LEFTOVER, path, what, "remove it", partial(leftovers.remove_leftover, path))
    for path in scratch.abandoned():
        what = "a process that made a run again was killed and left it"
        seen.repair(Fault.LEFTOVER, path, what, "remove it", partial(scratch.remove, path))


def _examine_index(seen: Examination) -> None:
    """Rebuild the read index where it differs from the files.

    A dry run does not look: opening an index changes files, and readers repair it in the same way.
    """
    index = Catalog(seen.store).index
    if not seen.repairs or not index.path.exists():
        return
    index.check()
    indexed = index.ask(lambda view: view.records(view.numbers()), refresh=False)
    # compared as text, in which NaN is equal to itself
    # as text, in which NaN equals NaN
    if [repr(vars(run)) for run in indexed] != [
        repr(vars(run)) for run in seen.store.scan.records(None, lambda _: None)
    ]:
        seen.repair(Fault.OLD_INDEX, index.path, "it differs from the runs", "rebuild it", index.rebuild)
