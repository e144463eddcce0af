"""Runs that their sweep stops early: asked to stop, ended as pruned, and opened again when their job goes on.

The request is the file `stop` of the run's folder, as that of a user is; what it holds tells the two apart. So it
reaches a run in any process, and outlives that.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

from tracking.errors import TrackingError
from tracking.files import atomic, locks, regular
from tracking.metrics.summary_file import Stats
from tracking.paths import RunPaths
from tracking.process import identity
from tracking.records import RunStatus
from tracking.store.ownership import Claim
from tracking.store.store import Store
from tracking.values.checks import step_value
from tracking.values.jsontext import Number
from tracking.values.names import check_label, is_component

PRUNED = b"pruned\n"  # the content of the request of a sweep; that of a user is empty


def ask(paths: RunPaths) -> None:
    """Ask a run, for its sweep, to stop early; a request that is there already stays as it is."""
    atomic.create_bytes(paths.stop, PRUNED)


def is_asked(paths: RunPaths) -> bool:
    """Return whether the run was asked to stop by its sweep."""
    try:
        with regular.open_file(paths.stop) as file:
            return file.read(len(PRUNED) + 1) == PRUNED
    except (OSError, TrackingError):
        return False


def prune(claim: Claim) -> None:
    """Note that a run of this process was told to stop; other processes that take part in it hear of it."""
    if not claim.is_pruned:
        claim.is_pruned = True
        with contextlib.suppress(TrackingError, OSError):  # a full disk: this process knows
            ask(claim.paths)


def settled(claim: Claim, status: RunStatus) -> RunStatus:
    """Return the status that a run ends with: `pruned` where it ends because its sweep said so, and not by a fault.

    That is so if the process has heard of the request, or was terminated; one that never asked has completed its work.
    """
    has_heard = claim.was_stopped and status in (RunStatus.COMPLETED, RunStatus.ENDED)
    if (has_heard or status is RunStatus.KILLED) and (claim.is_pruned or is_asked(claim.paths)):
        return RunStatus.PRUNED
    return status


def reopened(store: Store, experiment_name: str, sweep: Mapping[str, Any]) -> RunPaths | None:
    """Open the run again that the last attempt at a job left pruned; None if the job begins a new run.

    The run goes on if it is of this store and experiment, and the only one of that attempt. `sweep` is what run.json
    keeps of the job.
    """
    *earlier, last = [str(each) for each in sweep.get("previous") or ()] or [""]
    known = store.scan.entry(last) if is_component(last) else None
    if known is None or known["experiment_name"] != check_label("experiment name", experiment_name):
        return None
    was = known.get("sweep") or {}
    others = [store.scan.entry(each) for each in earlier if is_component(each)]
    attempts = [(each.get("sweep") or {}).get("attempt") for each in others if each is not None]
    same = all(was.get(key) == sweep.get(key) for key in ("id", "job", "key"))
    if not same or was.get("attempt") in attempts:
        return None
    paths = store.paths.run(last)
    identity.announce(store.paths.processes)
    with locks.lock_folder(paths.folder):
        if store.require(last)["status"] != RunStatus.PRUNED:  # another process was faster
            return None
        with atomic.writing(paths.stop):
            paths.stop.unlink(missing_ok=True)
        changes = {
            **identity.owner(), "rank": identity.rank(), "continued_by": None, "status": RunStatus.RUNNING,
            "finished_at": None, "error": None, "sweep": {**sweep, "previous": earlier},
        }  # fmt: skip
        store.amend(last, lambda _: changes)
    return paths


class Known:
    """What a run had logged before it went on: of a log call, only what is new is kept.

    A program that goes on from a checkpoint may log again what it did before, and one that begins again does.
    """

    def __init__(self, stats: Stats) -> None:
        self._last: dict[str, Number] = {
            name: each.last_step for name, each in stats.items() if each.last_step is not None
        }

    def new(self, metrics: Mapping[str, Any], step: Any) -> Mapping[str, Any]:
        """Return the metrics of a log call without those whose step the run has passed; all of a call without a step."""
        number = step_value(step)
        if number is None:
            return metrics
        return {name: value for name, value in metrics.items() if not self._has_passed(name, number)}

    def _has_passed(self, name: str, step: Number) -> bool:
        last = self._last.get(name)
        if last is not None and step > last:
            del self._last[name]
        return last is not None and step <= last
