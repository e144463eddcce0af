"""Takes a completed run of an earlier sweep in the place of a job that would only compute it again.

A run is taken when its job key (the config without what changes no result) and the code of its sweep are those of
this one, and its data too. What the data were is known only from runs, so all that are taken share one fingerprint:
that of the newest.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence

from sweeps.jobs import Job, JobStatus, Outcome, PlannedJob
from sweeps.plan.plan import Plan
from tracking import ExperimentTracker, RunRecord, RunStatus, TrackingError


class Reusable:
    """The runs that jobs of a sweep may take, by job key."""

    def __init__(self, runs: Mapping[str, RunRecord], fingerprint: str | None) -> None:
        self._runs = runs
        self.fingerprint = fingerprint

    @classmethod
    def of_store(
        cls, tracker: ExperimentTracker, plan: Plan, jobs: Iterable[PlannedJob], metric: str
    ) -> "Reusable":
        """Find them among all runs of the store; reads its index, and the plan of each sweep they are from."""
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
        """The outcome of a job that a run stands in for; None when there is none."""
        record = self._runs.get(job.key)
        if record is None:
            return None
        return Outcome(job.number, JobStatus.COMPLETED, 0.0, runs=(record.run_id,), reused=True)

    def covers(self, jobs: Sequence[PlannedJob]) -> str:
        """Say how many jobs of a plan take a run, and of which data."""
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
