"""Which run of several is the best, and by what."""

from collections.abc import Sequence
from typing import NamedTuple

from tracking.errors import TrackingError
from tracking.objective import At, Direction, Objective, best_available_metric
from tracking.records import RunRecord
from tracking.values.names import natural_key


class Ranking(NamedTuple):
    """Runs with the best first, and what decided; the objective has no metric when no run has a finite value."""

    objective: Objective
    runs: list[RunRecord]

    @property
    def best(self) -> RunRecord | None:
        """The best run; None when no run has a finite value of the metric."""
        first = self.runs[0] if self.runs else None
        has_value = first is not None and self.objective.better(self.objective.value(first), None)
        return first if has_value else None

    def decided_by(self, experiment: str) -> dict[str, str | None]:
        """Return what was ranked and by what, for JSON."""
        return {"experiment": experiment, "metric": self.objective.metric, "mode": self.objective.mode}


def rank(runs: Sequence[RunRecord], metric: str | None, mode: str | None, at: str = At.LAST) -> Ranking:
    """Rank runs by a metric, by default that of their sweep, else the best available one, in the direction that suits it.

    Equal runs keep their order. Raise TrackingError, with the metrics there are, when no run has the metric.
    """
    if metric is not None and runs and all(metric not in run.summary for run in runs):
        names = sorted({name for run in runs for name in run.summary}, key=natural_key)
        raise TrackingError(
            f"no run of {runs[0].experiment_name!r} has the metric {metric!r}; it has: {', '.join(names) or 'none'}"
        )
    swept_for, its_mode = _sweeps_objective(runs)
    chosen = metric or swept_for or best_available_metric(runs)
    objective = Objective.of(chosen, mode or (its_mode if chosen == swept_for else None), at)
    return Ranking(objective, sorted(runs, key=lambda run: objective.key(objective.value(run))))


def _sweeps_objective(runs: Sequence[RunRecord]) -> tuple[str | None, str | None]:
    """Return the metric and the mode that the sweeps of all runs were ranked by, where they agree and it was logged."""
    named = [(run.sweep or {}).get("objective") or {} for run in runs]
    found = {(each.get("metric"), each.get("mode")) for each in named}
    metric, mode = found.pop() if len(found) == 1 else (None, None)
    if mode not in tuple(Direction) or not any(metric in run.summary for run in runs):
        return None, None
    return metric, mode
