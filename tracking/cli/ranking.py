"""Which run of several is the best, and by what."""

from collections.abc import Sequence
from typing import NamedTuple

from tracking import objective
from tracking.errors import TrackingError
from tracking.records import RunRecord
from tracking.values.names import natural_key


class Ranking(NamedTuple):
    """Runs with the best first, and what decided."""

    metric: str | None
    mode: str
    runs: list[RunRecord]

    @property
    def best(self) -> RunRecord | None:
        """The best one, if any has the metric."""
        return objective.best(self.runs, self.metric, self.mode) if self.metric else None


def rank(runs: Sequence[RunRecord], metric: str | None, mode: str | None) -> Ranking:
    """The runs by a metric, by default that of their sweep, else the best available one, in the direction that suits it.

    TrackingError names the metrics there are when none of the runs has the one that is asked for.
    """
    if metric is not None and runs and all(metric not in run.summary for run in runs):
        names = sorted({name for run in runs for name in run.summary}, key=natural_key)
        raise TrackingError(
            f"no run of {runs[0].experiment_name!r} has the metric {metric!r}; it has: {', '.join(names) or 'none'}"
        )
    swept_for, its_mode = _sweeps_objective(runs)
    chosen_metric = metric or swept_for or objective.best_available_metric(runs)
    suits = its_mode if chosen_metric == swept_for else None
    direction = mode or suits or objective.mode_of(chosen_metric or "")
    return Ranking(chosen_metric, direction, objective.ranked(runs, chosen_metric or "", direction))


def _sweeps_objective(runs: Sequence[RunRecord]) -> tuple[str | None, str | None]:
    """The metric and the mode that the sweeps of all runs were ranked by, where they agree and it was logged."""
    told = [(run.sweep or {}).get("objective") or {} for run in runs]
    found = {(each.get("metric"), each.get("mode")) for each in told}
    metric, mode = found.pop() if len(found) == 1 else (None, None)
    if mode not in {"max", "min"} or not any(metric in run.summary for run in runs):
        return None, None
    return metric, mode
