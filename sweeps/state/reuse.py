"""Completed runs of earlier sweeps that stand in for jobs which would compute the same again.

A run fits when its job key (the hash of the config without keys that change no result), the code of its sweep and its
data are the same. Only runs record their data, so all runs that are taken share one fingerprint: that of the newest.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence

from sweeps.jobs import Job, JobStatus, Outcome, PlannedJob
from sweeps.plan.plan import Plan
from tracking import ExperimentTracker, RunRecord, RunStatus, TrackingError


class Reusable:
    """The runs that may stand in for jobs of a sweep, by job key."""

    def __init__(self, runs: Mapping[str, RunRecord], fingerprint: str | None) -> None:
        self._runs = runs
        self.fingerprint = fingerprint

    @classmethod
    def of_store(
        cls, tracker: ExperimentTracker, plan: Plan, jobs: Iterable[PlannedJob], metric: str
    ) -> "Reusable":
        """Find fitting runs in a store; reads its index, and the plan of each sweep that a run belongs to."""
        same_code: dict[str, bool] = {}
        found: dict[str, list[RunRecord]] = {}
        for record in tracker.records():
            job = record.sweep or {}
            if record.status is not RunStatus.COMPLETED or metric not in record.summary or not job.get("key"):
                continue
            sweep = str(job["id"])
            if sweep not in same_code:
                same_code[sweep] = _has_same_code(tracker, sweep, plan)
            if same_code[sweep]:
                found.setdefault(job["key"], []).append(record)
        asked = {job.key for job in jobs if job.key is not None}
        fitting = [record for key in asked & found.keys() for record in found[key]]
        if not fitting:
            return cls({}, None)
        fingerprint = _fingerprint(max(fitting, key=lambda record: record.created_at))
        runs = {
            key: record
            for key, records in found.items()
            for record in records
            if _fingerprint(record) == fingerprint
        }
        return cls(runs, fingerprint)

    def __len__(self) -> int:
        return len(self._runs)

    def outcome(self, job: Job) -> Outcome | None:
        """Return the outcome of a job that a run stands in for; None when no run fits."""
        record = self._runs.get(job.key)
        if record is None:
            return None
        return Outcome(job.number, JobStatus.COMPLETED, 0.0, runs=(record.run_id,), reused=True)

    def covers(self, jobs: Sequence[PlannedJob]) -> str:
        """Return a line that says how many jobs of a sweep a run stands in for, and on which data."""
        keys = [job.key for job in jobs if job.key is not None]
        covered = sum(key in self._runs for key in keys)
        data = f", on the data {self.fingerprint}" if self.fingerprint else ""
        which = f"{len(keys)} jobs" if len(keys) == len(jobs) else f"the {len(keys)} jobs that are built"
        return f"reuse: {covered} of {which} have a completed run of the same config{data}"


def _fingerprint(record: RunRecord) -> str | None:
    found = record.data.get("fingerprint")
    return None if found is None else str(found)


def _has_same_code(tracker: ExperimentTracker, sweep: str, plan: Plan) -> bool:
    with contextlib.suppress(TrackingError, OSError, KeyError, TypeError):
        return Plan.read(tracker.base_dir / "sweeps" / sweep / "plan.json").code == plan.code
    return False
