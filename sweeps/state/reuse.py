"""Completed jobs of earlier sweeps that stand in for jobs which would compute the same again.

A job fits when its key (the hash of the config without keys that change no result), the code of its sweep and its data
are the same. Only runs record their data, so all jobs that are taken share one fingerprint: that of the newest, none for
a job that opened no run.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sweeps.jobs import Job, JobStatus, Outcome, PlannedJob
from sweeps.plan.plan import Plan
from sweeps.state.job_runs import FoundRun, JobRuns, value_of
from sweeps.state.ledger import read_sweep, replay
from tracking import ExperimentTracker, RunRecord, RunStatus, TrackingError
from tracking.objective import Objective


@dataclass(frozen=True)
class Done:
    """A completed job of an earlier sweep: its key, what it returned, its run if it opened one."""

    key: str
    value: float | Mapping[str, float] | None
    run: str | None
    fingerprint: str | None
    at: datetime


class Reusable:
    """The jobs of earlier sweeps that may stand in for jobs of a sweep, by job key."""

    def __init__(self, done: Mapping[str, Done], fingerprint: str | None) -> None:
        self._done = done
        self.fingerprint = fingerprint

    @classmethod
    def of_store(
        cls, tracker: ExperimentTracker, plan: Plan, jobs: Iterable[PlannedJob], objective: Objective
    ) -> "Reusable":
        """Find fitting jobs in a store; reads its index, and the plan and ledger of each sweep of the same code."""
        has_same_code = functools.cache(lambda sweep: _has_same_code(tracker, sweep, plan))
        other_code = functools.cache(lambda sweep: _runs_of_other_code(tracker, sweep))
        records = tracker.records()
        fitting = [
            *(
                done
                for sweep, done in _tracked(records, objective.metric)
                if has_same_code(sweep) and done.run not in other_code(sweep)
            ),
            *_returned(tracker, records, objective, has_same_code),
        ]
        # The newest fitting job decides which data; a job whose key is not known yet may take any on them.
        asked = {job.key for job in jobs}
        newest = max((done for done in fitting if done.key in asked), key=lambda done: done.at, default=None)
        data = newest.fingerprint if newest else None
        fitting.sort(key=lambda done: done.at)  # of equal jobs the newest is taken
        return cls({done.key: done for done in fitting if newest and done.fingerprint == data}, data)

    def outcome(self, job: Job) -> Outcome | None:
        """Return the outcome of a job that another one stands in for; None when none fits."""
        done = self._done.get(job.key)
        if done is None:
            return None
        runs = () if done.run is None else (done.run,)
        return Outcome(job.number, JobStatus.COMPLETED, 0.0, value=done.value, runs=runs, reused=True)

    def covers(self, jobs: Sequence[PlannedJob]) -> str:
        """Return a line that says how many jobs of a sweep are done already, and on which data."""
        keys = [job.key for job in jobs if job.key is not None]
        covered = sum(key in self._done for key in keys)
        data = f", on the data {self.fingerprint}" if self.fingerprint else ""
        which = f"{len(keys)} jobs" if len(keys) == len(jobs) else f"the {len(keys)} jobs that are built"
        return f"reuse: {covered} of {which} have a completed job of the same config{data}"


def _tracked(records: Iterable[RunRecord], metric: str | None) -> Iterator[tuple[str, Done]]:
    """Yield the jobs whose run holds the metric with their sweeps, also with those that died before they knew."""
    for record in records:
        job = record.sweep or {}
        if record.status is RunStatus.COMPLETED and metric in record.summary and job.get("key"):
            yield str(job["id"]), Done(job["key"], None, record.run_id, record.fingerprint, record.created_at)


def _returned(
    tracker: ExperimentTracker,
    records: Sequence[RunRecord],
    objective: Objective,
    has_same_code: Callable[[str], bool],
) -> Iterator[Done]:
    """Yield the jobs that returned the objective, as the ledgers of their sweeps say."""
    tracked = {record.run_id for record in records if objective.metric in record.summary}
    for ledger in (tracker.base_dir / "sweeps").glob("*/jobs.jsonl"):
        if not has_same_code(ledger.parent.name):
            continue
        with contextlib.suppress(TrackingError, OSError, TypeError, ValueError):  # a damaged one adds nothing
            plan, history = read_sweep(ledger.parent)
            runs = JobRuns(tracker.base_dir, plan.sweep)
            for job in history.jobs.values():
                done = job.outcome
                if done is None or not job.key or not _is_own(done) or not tracked.isdisjoint(done.runs):
                    continue
                if value_of(objective, done, FoundRun()) is None:  # before a run is read
                    continue
                run = runs.of_outcome(done, objective.metric)
                if value_of(objective, done, run) is not None:
                    name, data = (run.name, run.record.fingerprint) if run.record else (None, None)
                    yield Done(job.key, done.value, name, data, datetime.fromisoformat(plan.created_at))


def _is_own(outcome: Outcome) -> bool:
    """Return whether an outcome is that of a job that ran, with the code that its sweep began with."""
    return outcome.status is JobStatus.COMPLETED and not outcome.reused and not outcome.code


def _has_same_code(tracker: ExperimentTracker, sweep: str, plan: Plan) -> bool:
    with contextlib.suppress(TrackingError, OSError, KeyError, TypeError):
        return Plan.read(tracker.base_dir / "sweeps" / sweep / "plan.json").code == plan.code
    return False


def _runs_of_other_code(tracker: ExperimentTracker, sweep: str) -> frozenset[str]:
    """Return the runs of a sweep whose jobs ran other code than it began with."""
    outcomes = replay(tracker.base_dir / "sweeps" / sweep / "jobs.jsonl").outcomes.values()
    return frozenset(run for outcome in outcomes if outcome.code for run in outcome.runs)
