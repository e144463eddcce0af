"""What the jobs of a search came to: their values at a judgement and at their end, read from their runs."""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeps.jobs import JobStatus, Outcome, Reason
from sweeps.search.decisions import Arrival, End, EndKind
from sweeps.settings.search_settings import Constraint
from sweeps.state.job_runs import FoundRun, JobRuns, unlogged, values_of, violations_of
from sweeps.state.resume import FINAL
from tracking import TrackingError
from tracking.objective import At, Objective
from tracking.watched import logged_values

# The job's own doing. Any other signal comes from the machine or its users, and says nothing of the parameters.
FAULT = re.compile(r"killed by (SIGSEGV|SIGABRT|SIGFPE|SIGILL|SIGBUS)\b")

log = logging.getLogger(__name__)

Values = tuple[float | None, ...]


class ObjectiveValues:
    """Reads the values of a sweep's objectives, and how far its constraints are broken."""

    def __init__(
        self, runs: JobRuns, objectives: Sequence[Objective], constraints: Sequence[Constraint] = ()
    ) -> None:
        self._runs = runs
        self._objectives = objectives
        self._constraints = constraints
        self._metrics = [each.metric for each in objectives if each.metric]

    def reached(self, job: int, level: int, folders: Sequence[Path]) -> Arrival:
        """Return what the first `level` values of each metric come to, in the runs of a job, the oldest first.

        Of a constraint's metric that is no objective the last of them counts.
        """
        bounded = [each.metric for each in self._constraints]
        known = logged(folders, list(dict.fromkeys((*self._metrics, *bounded))))
        values = self._after(level, known)
        last = {name: known[name][:level][-1] for name in bounded if known[name]}
        last |= {
            each.metric: value
            for each, value in zip(self._objectives, values, strict=True)
            if each.metric in last and value is not None
        }
        violations = {str(each): each.violation(last.get(each.metric)) for each in self._constraints}
        return Arrival(job, level, values, _found(violations))

    def end(self, outcome: Outcome) -> End | None:
        """Return what a search is to hear of the end of a job; None for one that was stopped, which goes on later."""
        if outcome.reason is Reason.STOPPED:
            return None
        metric = self._objectives[0].metric
        run = self._runs.of_outcome(outcome, metric)
        values = tuple(map(_finite, values_of(self._objectives, outcome, run)))
        folders = [self._runs.folder(run) for run in outcome.runs]
        epochs = len(logged(folders, [metric])[metric]) if metric else 0
        kind = self._kind(outcome, values)
        return End(kind, values, epochs, self._violations(kind, outcome, run))

    def history(self, outcome: Outcome) -> tuple[Values, ...]:
        """Return the values of a job after each of its epochs; the end alone where the first objective was not logged.

        Empty for a job that has no number, and for one that lacks an objective and so says nothing of it.
        """
        if outcome.status in {JobStatus.COMPLETED, JobStatus.PRUNED} and self.lacks(outcome):
            return ()
        known = logged([self._runs.folder(run) for run in outcome.runs], self._metrics)
        epochs = len(known.get(self._objectives[0].metric or "", ()))
        if epochs:
            return tuple(self._after(level, known) for level in range(1, epochs + 1))
        end = self.end(outcome)
        return () if end is None or None in end.values else (end.values,)

    def lacks(self, outcome: Outcome) -> bool:
        """Return whether a job has neither logged nor returned an objective; what it logged need not be a number."""
        run = self._runs.of_outcome(outcome, self._objectives[0].metric)
        is_unnamed = any(each.metric is None for each in self._objectives)
        return (is_unnamed and outcome.value is None) or unlogged(self._objectives, outcome, run) is not None

    def _after(self, level: int, known: Mapping[str, Sequence[float]]) -> Values:
        return tuple(counting(each, known.get(each.metric or "", ())[:level]) for each in self._objectives)

    def _kind(self, outcome: Outcome, values: Values) -> EndKind:
        if outcome.status is JobStatus.PRUNED:
            return EndKind.PAUSED
        if outcome.status is JobStatus.COMPLETED:
            return EndKind.FAILED if None in values else EndKind.COMPLETED
        return EndKind.FAILED if outcome.reason in FINAL or _has_crashed(outcome) else EndKind.LOST

    def _violations(self, kind: EndKind, outcome: Outcome, run: FoundRun) -> Mapping[str, float]:
        """Return by how much a job breaks each constraint; one that is paused may not have logged the metric yet."""
        if kind not in {EndKind.COMPLETED, EndKind.PAUSED}:
            return {}
        found = violations_of(self._constraints, self._objectives, outcome, run)
        return found if kind is EndKind.COMPLETED else _found(found)


def _has_crashed(outcome: Outcome) -> bool:
    """Return whether a job ended by a fault of its own code; in a process of several it may have been another one's."""
    is_by_signal = outcome.reason is Reason.SIGNAL and not outcome.cut_off
    return is_by_signal and FAULT.match(outcome.error or "") is not None


def logged(folders: Sequence[Path], metrics: Sequence[str]) -> dict[str, list[float]]:
    """Return the values of each metric in the runs of one job, the oldest first; of a run, those before the next one's first step.

    So what an attempt has logged is void where the next attempt begins anew, also while that has not come as far. A run that
    cannot be read has no values.
    """
    values: dict[str, list[float]] = {name: [] for name in metrics}
    first: dict[str, float] = {}  # the first step of the later runs
    for folder in reversed(folders):
        try:
            found = logged_values(folder, metrics)
        except (TrackingError, OSError) as error:
            log.warning("%s cannot be read: %s", folder, error)
            continue
        for name, points in found.items():
            before = [value for step, value in points if name not in first or _place(step) < first[name]]
            values[name][:0] = before
            if points:
                first[name] = min(first.get(name, math.inf), _place(points[0][0]))
    return values


def _place(step: Any) -> float:
    """Return where a step comes in a history; values without a number for one come last."""
    return step if isinstance(step, int | float) and not math.isnan(step) else math.inf


def counting(objective: Objective, values: Sequence[float]) -> float | None:
    """Return the value that counts of those that a job has logged; None when it is no finite number."""
    if objective.at is At.LAST:
        return _finite(values[-1] if values else None)
    finite = [value for value in values if math.isfinite(value)]
    return (max if objective.higher_is_better else min)(finite, default=None)


def _found(violations: Mapping[str, float]) -> dict[str, float]:
    """Return the violations without those of a metric that a job has no number of so far."""
    return {name: number for name, number in violations.items() if math.isfinite(number)}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
