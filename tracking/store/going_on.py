"""A run that its sweep has stopped early, opened again by the next attempt at its job; see also `ending`."""

from collections.abc import Mapping
from typing import Any

from tracking.files import atomic, locks
from tracking.metrics.summary_file import Stats
from tracking.paths import RunPaths
from tracking.process import identity
from tracking.process.job_gate import Gate
from tracking.records import RunStatus
from tracking.store.store import Store
from tracking.values.checks import step_value
from tracking.values.jsontext import Number
from tracking.values.names import check_label, is_component


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

    @classmethod
    def of(cls, store: Store, run_id: str, gate: Gate | None) -> "Known":
        """Return what a run had logged; the gate of its job counts from there."""
        stats = store.scan.summary(run_id)
        if gate is not None:
            gate.begin(store.paths.run(run_id).folder, {name: each.count for name, each in stats.items()})
        return cls(stats)

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
