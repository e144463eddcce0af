"""The tracked runs of a sweep's jobs: how the sweep names them, where they lie, whether they are the job's, what counts.

A run in the sweep's own store is named by its id, so that a store can be moved. A run in another store is named by its
folder. Only a run whose run.json names the sweep and the job counts for the job: an id may have come to another run.
"""

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from sweeps.jobs import Event, EventKind, JobStatus, Outcome
from sweeps.settings.search_settings import Constraint
from tracking import ExperimentTracker, Run, RunRecord, RunStatus, TrackingError
from tracking.objective import Objective
from tracking.values.names import SUPERSEDED_BY
from tracking.values.returned import OBJECTIVE

log = logging.getLogger(__name__)

# How a run is finished that its job left open; of any other job, as failed.
FINAL = {JobStatus.KILLED: RunStatus.KILLED, JobStatus.PRUNED: RunStatus.PRUNED}


class FoundRun(NamedTuple):
    """A run of a job with its record, or why that cannot be used; all None for a job without a run."""

    name: str | None = None
    record: RunRecord | None = None
    fault: str | None = None


class JobRuns:
    """Finds and checks the runs of the jobs of one sweep; the sweep's own store is `tracker`."""

    def __init__(self, store: Path, sweep: str) -> None:
        self._store = store.absolute()
        self._sweep = sweep
        self.tracker = ExperimentTracker(self._store)
        self._tracker_of = cache(ExperimentTracker)

    def name(self, run: str) -> str:
        """Return the name of a run, from its folder or from its name."""
        folder = Path(run)
        if not folder.is_absolute():
            return run
        is_own = os.path.realpath(folder.parent) == os.path.realpath(self._store / "runs")
        # A ledger holds text, and the name of a folder may be any bytes.
        return folder.name if is_own else run.encode(errors="backslashreplace").decode()

    def named(self, event: Event) -> Event:
        """Return an event of an executor with the runs in it by their names."""
        data = dict(event.data)
        if event.kind is EventKind.RUN:
            data["run"] = self.name(data["run"])
        elif event.kind is EventKind.RETRY:
            data["runs"] = [self.name(run) for run in data["runs"]]
        return replace(event, data=data)

    def folder(self, name: str) -> Path:
        """Return the folder of a run, which may be gone."""
        return self._store / "runs" / name  # an absolute path replaces what stands before it

    def tracker_of(self, name: str) -> ExperimentTracker:
        """Return the tracker of the store that a run lies in."""
        return self._tracker_of(Path(name).parents[1]) if Path(name).is_absolute() else self.tracker

    def find(self, name: str, job: int) -> FoundRun:
        """Return a run with its record if it is a run of this job, else with the reason why it is not."""
        found = self.read(name)
        owner = (found.record and found.record.sweep) or {}
        if found.record is None or (owner.get("id"), owner.get("job")) == (self._sweep, job):
            return found
        whose = f"job {owner.get('job')} of sweep {owner.get('id')}" if owner else "no sweep"
        return FoundRun(name, None, f"{name} is not its run; it belongs to {whose}")

    def read(self, name: str) -> FoundRun:
        """Return a run with its record, whatever job it is of, or the reason why it cannot be read."""
        folder = self.folder(name)
        try:
            is_run = folder.parent.name == "runs"
            record = self.tracker_of(name).record(folder.name) if is_run else None
        except (TrackingError, OSError) as error:
            return FoundRun(name, None, f"its run cannot be read: {error}")
        if record is None:
            return FoundRun(name, None, f"its run {name} is gone")
        return FoundRun(name, record)

    def close(self, job: int, runs: Iterable[str], status: JobStatus, error: str | None) -> None:
        """Finish the runs that a job left open; a run that does not name the job is left alone.

        A run of a completed job ends with its process, and is finished here only if that has died.
        """
        for run in runs:
            record = self.find(run, job).record
            if record is None or (record.finished_at and record.status is not RunStatus.ENDED):
                continue
            if status is JobStatus.COMPLETED and record.status is not RunStatus.KILLED:
                continue
            final = FINAL.get(status, RunStatus.FAILED)
            reason = error or "the job ended without finishing its run"
            self._change(run, job, partial(Run.finish, status=final, error=reason))

    def cut_off(self, job: int, runs: Iterable[str], attempt: int, error: str) -> None:
        """Let the runs of an attempt say that the end of a shared process or of a node cut it off.

        They are killed, whatever ended the process. Runs that had completed or failed before, and those of other
        attempts, are left alone.
        """
        for run in runs:
            record = self.find(run, job).record
            if record is None or _attempt(record) != attempt:
                continue
            if record.finished_at and record.status not in (RunStatus.KILLED, RunStatus.ENDED):
                continue
            self._change(run, job, partial(Run.finish, status=RunStatus.KILLED, error=error))

    def supersede(self, outcome: Outcome, metric: str | None) -> None:
        """Tag the runs of a job's earlier attempts with the run that counts for it, so that no ranking counts them."""
        if outcome.attempt == 1 or outcome.reused:
            return
        last = self.of_outcome(outcome, metric)
        if last.name is None or last.record is None or _attempt(last.record) != outcome.attempt:
            return  # the last attempt has no run
        for run in outcome.runs:
            record = self.find(run, outcome.job).record
            if record is None or _attempt(record) >= outcome.attempt:
                continue
            is_near = self.tracker_of(run) is self.tracker_of(last.name)
            by = {SUPERSEDED_BY: last.record.run_id if is_near else last.name}
            if record.tags.get(SUPERSEDED_BY) != by[SUPERSEDED_BY]:
                self._change(run, outcome.job, partial(Run.set_tags, tags=by))

    def _change(self, name: str, job: int, change: Callable[[Run], None]) -> None:
        """Change a run; one that cannot be changed stops nothing."""
        try:
            change(self.tracker_of(name).open_run(Path(name).name))
        except TrackingError as fault:
            log.warning("could not change %s of job %d: %s", name, job, fault)

    def of_outcome(self, outcome: Outcome, metric: str | None) -> FoundRun:
        """Return the run that counts for a job: of its last attempt, the last one that logged `metric`.

        If none did, or the very last one cannot be used, that is the last one.
        """
        last = FoundRun()
        for name in reversed(outcome.runs):
            found = self.read(name) if outcome.reused else self.find(name, outcome.job)
            if last.name is None:
                last = found
            if found.record is None or _attempt(found.record) != outcome.attempt:
                break
            if metric is None or metric in found.record.summary:
                return found
        return last


def _attempt(record: RunRecord) -> int:
    """Return which attempt at its job has opened a run; 0 where the record holds no number."""
    attempt = (record.sweep or {}).get("attempt", 1)
    return attempt if isinstance(attempt, int) else 0


def value_of(objective: Objective, outcome: Outcome, run: FoundRun) -> float | None:
    """Return a job's objective: from its run if the metric was logged there, else from its return value."""
    if objective.metric is None:
        return outcome.value if isinstance(outcome.value, float) else None
    if run.fault is not None:  # it may have held the objective
        return None
    logged = {} if run.record is None else run.record.summary
    if run.record is not None and objective.metric in logged:
        return objective.value(run.record)
    if isinstance(outcome.value, Mapping):
        return outcome.value.get(objective.metric)
    # A returned number is what objective.metric names, unless the job logged metrics of other names.
    return outcome.value if logged.keys() <= {OBJECTIVE} else None


def values_of(objectives: Sequence[Objective], outcome: Outcome, run: FoundRun) -> tuple[float | None, ...]:
    """Return a job's value of each objective; a single returned number is the first one's."""
    first, *others = objectives
    named = replace(outcome, value=outcome.named or None)
    return (value_of(first, outcome, run), *(value_of(each, named, run) for each in others))


def unlogged(
    objectives: Sequence[Objective], outcome: Outcome, run: FoundRun
) -> tuple[list[str], list[str]] | None:
    """Return which metrics of the objectives a job lacks, and which ones it logged or returned; None if it lacks none."""
    if run.fault is not None:
        return None
    logged = set() if run.record is None else run.record.summary.keys()
    values = zip(objectives, values_of(objectives, outcome, run), strict=True)
    missing = [
        each.metric
        for each, value in values
        if each.metric is not None and value is None and each.metric not in logged | outcome.named.keys()
    ]
    return (missing, sorted(logged | outcome.named.keys())) if missing else None


def violations_of(
    constraints: Iterable[Constraint], objectives: Sequence[Objective], outcome: Outcome, run: FoundRun
) -> dict[str, float]:
    """Return by how much a job breaks each constraint, by the text of the constraint; 0 or less if it keeps it.

    Of an objective its value counts, of another metric the last that was logged, else the one that the task returned by this
    name. Without any the violation is infinity.
    """
    logged = {} if run.record is None else run.record.summary
    values: dict[str | None, float | None] = dict(outcome.named.items())
    values |= {name: float(each.last) for name, each in logged.items()}
    values |= zip((each.metric for each in objectives), values_of(objectives, outcome, run), strict=True)
    return {str(each): each.violation(values.get(each.metric)) for each in constraints}
