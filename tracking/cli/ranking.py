"""Which run of several is the best, and by what."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from tracking.errors import TrackingError
from tracking.objective import At, Direction, Objective, best_available_metric
from tracking.records import RunRecord, RunStatus
from tracking.repeats import Spread
from tracking.values.names import composed, natural_key

# A run that its sweep stopped early was judged by what it had come to, and may be the best.
COUNTED = (RunStatus.COMPLETED, RunStatus.PRUNED)


class Ranking(NamedTuple):
    """Runs with the best first, and what decided; the objective has no metric when no run has a finite value."""

    objective: Objective
    runs: list[RunRecord]
    is_by_seeds: bool = (
        False  # by the mean over the runs that differ in their seed alone, as their sweep is ranked
    )

    @property
    def best(self) -> RunRecord | None:
        """The best run; None when no run has a finite value of the metric."""
        first = self.runs[0] if self.runs else None
        if first is None or not first.has_rank:
            return None
        return first if self.objective.better(self.objective.value(first), None) else None

    def decided_by(self, experiment: str) -> dict[str, str | None]:
        """Return what was ranked and by what, for JSON."""
        objective = self.objective
        return {
            "experiment": experiment,
            "metric": objective.metric,
            "mode": objective.mode,
            "at": objective.at,
        }

    def outcome(self, experiment: str) -> dict[str, Any]:
        """Return what decided, and the best run with its value, for JSON."""
        found = self.best
        value = self.objective.value(found) if found else None
        return {**self.decided_by(experiment), "best": found and found.run_id, "value": value}


def rank(runs: Sequence[RunRecord], metric: str | None, mode: str | None, at: str | None = None) -> Ranking:
    """Rank runs by a metric, by default that of their sweep, else the best available one, in the direction that suits it.

    Runs that a later attempt at their job supersedes, and those that repeat another run, come last, and are never the best.
    By the objective of their sweep runs are ranked as its leaderboard ranks them: by the same value, the best or the
    last, what did not complete behind what did, and equal ones by job; in a sweep over seeds by the mean over those
    that differ in the seed alone, and the best of them first. Other metrics are ranked by the last value
    unless `at` says otherwise, and equal runs keep their order. Raise TrackingError, with the metrics there are, when
    no run has the metric.
    """
    metric = composed(metric)
    if metric is not None and runs and all(metric not in run.summary for run in runs):
        names = sorted({name for run in runs for name in run.summary}, key=natural_key)
        raise TrackingError(
            f"no run of {runs[0].experiment_name!r} has the metric {metric!r}; it has: {', '.join(names) or 'none'}"
        )
    swept = _sweeps_objective(runs)
    is_swept = swept is not None and metric in (None, swept.metric) and mode in (None, swept.mode)
    if swept is not None and is_swept:
        objective = Objective.of(swept.metric, swept.mode, at or swept.at)
    else:
        chosen = metric or (swept.metric if swept else best_available_metric(runs))
        if swept and chosen == swept.metric:
            mode = mode or swept.mode
        objective = Objective.of(chosen, mode, at or At.LAST)

    means = _means(runs, objective) if swept is not None and is_swept and objective.at is swept.at else {}

    def key(run: RunRecord) -> tuple[Any, ...]:
        is_missing, place = objective.key(objective.value(run))
        is_behind = is_swept and run.status not in COUNTED
        is_missing = not run.has_rank or is_missing
        own = not run.has_rank, is_missing, is_behind, place, _job(run) if is_swept else 0
        if not run.has_rank or is_behind or not means:
            return ((True, 0.0), math.inf, *own) if means else own
        mean, first = means.get(_candidate(run), (objective.value(run), _job(run)))
        return objective.key(mean), first, *own

    return Ranking(objective, sorted(runs, key=key), is_by_seeds=bool(means))


def _means(runs: Sequence[RunRecord], objective: Objective) -> dict[Any, tuple[float | None, int]]:
    """Return the mean and the first job of each candidate of a sweep over seeds, by the candidate.

    The mean is None if a job failed or has no finite value: a candidate counts with all of its seeds.
    """
    latest: dict[Any, dict[int, RunRecord]] = {}
    for run in sorted(runs, key=lambda run: (_attempt(run), natural_key(run.run_id))):
        if (candidate := _candidate(run)) is not None:
            latest.setdefault(candidate, {})[_job(run)] = run
    means: dict[Any, tuple[float | None, int]] = {}
    for candidate, jobs in latest.items():
        values = [objective.value(run) for run in jobs.values() if run.status in COUNTED]
        finite = [value for value in values if value is not None and math.isfinite(value)]
        means[candidate] = (Spread.of(finite).mean if len(finite) == len(jobs) else None, min(jobs))
    return means


def _candidate(run: RunRecord) -> tuple[str, str] | None:
    """Return what runs of one sweep share that differ in their seed alone; None for a run of no sweep over seeds."""
    sweep = run.sweep or {}
    objective = sweep.get("objective")
    name = objective.get("candidate") if isinstance(objective, dict) else None
    return (str(sweep.get("id")), name) if isinstance(name, str) else None


def _attempt(run: RunRecord) -> int:
    attempt = (run.sweep or {}).get("attempt")
    return attempt if isinstance(attempt, int) else 0


def _job(run: RunRecord) -> int:
    job = (run.sweep or {}).get("job")
    return job if isinstance(job, int) else 0


def _sweeps_objective(runs: Sequence[RunRecord]) -> Objective | None:
    """Return the objective that the sweeps of runs were ranked by, where they agree and it was logged.

    Runs of no sweep have no say.
    """
    told = [run.sweep.get("objective") for run in runs if run.sweep]
    named = [each if isinstance(each, dict) and isinstance(each.get("metric"), str) else {} for each in told]
    # version 0.1.0 does not say which value counts; by default it was the best
    found = {(each.get("metric"), str(each.get("mode")), str(each.get("at", At.BEST))) for each in named}
    metric, mode, at = found.pop() if len(found) == 1 else (None, "", "")
    if mode not in tuple(Direction) or at not in tuple(At) or not any(metric in run.summary for run in runs):
        return None
    return Objective.of(metric, mode, at)
