"""Completed runs of earlier sweeps that stand in for jobs which would compute the same again.

A run fits when its job key (the hash of the config without keys that change no result), the code of its sweep and its
data are the same. Only runs record their data, so all runs that are taken share one fingerprint: that of the newest.
"""

import contextlib
import functools
from collections.abc import Iterable, Mapping, Sequence

from sweeps.jobs import Job, JobStatus, Outcome, PlannedJob
from sweeps.plan.plan import Plan
from sweeps.state.ledger import replay
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
        same_code = functools.cache(lambda sweep: _has_same_code(tracker, sweep, plan))
        other_code = functools.cache(lambda sweep: _runs_of_other_code(tracker, sweep))
        fitting: list[tuple[str, RunRecord]] = []
        for record in tracker.records():
            job = record.sweep or {}
            is_whole = record.status is RunStatus.COMPLETED and metric in record.summary
            if not (is_whole and job.get("key") and same_code(str(job["id"]))):
                continue
            if record.run_id not in other_code(str(job["id"])):
                fitting.append((job["key"], record))
        # The newest fitting run decides which data; a job whose key is not known yet may take any run on them.
        asked = {job.key for job in jobs}
        newest = max(
            (record for key, record in fitting if key in asked),
            key=lambda record: record.created_at,
            default=None,
        )
        data = newest.fingerprint if newest else None
        runs = {key: record for key, record in fitting if newest and record.fingerprint == data}
        return cls(runs, data)

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


def _has_same_code(tracker: ExperimentTracker, sweep: str, plan: Plan) -> bool:
    with contextlib.suppress(TrackingError, OSError, KeyError, TypeError):
        return Plan.read(tracker.base_dir / "sweeps" / sweep / "plan.json").code == plan.code
    return False


def _runs_of_other_code(tracker: ExperimentTracker, sweep: str) -> frozenset[str]:
    """Return the runs of a sweep whose jobs ran other code than it began with."""
    outcomes = replay(tracker.base_dir / "sweeps" / sweep / "jobs.jsonl").outcomes.values()
    return frozenset(run for outcome in outcomes if outcome.code for run in outcome.runs)
