"""The metrics that a version keeps of its run: those of one step, that of the objective's value.

A model that was saved at its best epoch is told by the metrics of that epoch, not by those of the last one.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from tracking.objective import At, Objective
from tracking.records import MetricSummary, RunRecord

BEST_EPOCH = "best_epoch"  # a metric by which a run says which of several equally good steps it saved


def counted(
    run: RunRecord, objective: Mapping[str, Any], full: Callable[[], Mapping[str, Any]]
) -> tuple[dict[str, Any], Any]:
    """Return the metrics of a run at the step of an objective's value, and that step.

    A metric that was not logged at that step has its last value. The step is None, and all values are the last ones, if
    the objective is a last value, or its best one was logged without a step. `full` returns the run with its points; it is asked
    only when it is needed.
    """
    summary = run.summary.get(objective["metric"])
    if summary is None or _at(summary, objective) is At.LAST:
        return dict(run.last_values), None
    is_max = Objective.of(objective["metric"], objective["mode"]).higher_is_better
    best, step = (summary.max, summary.max_step) if is_max else (summary.min, summary.min_step)
    if step is None:
        return dict(run.last_values), None
    points = full().get("metrics", {})
    equal = [each["step"] for each in points.get(objective["metric"], ()) if each["value"] == best]
    told = run.summary.get(BEST_EPOCH)
    if told is not None and told.last in equal:
        step = told.last
    found = {
        name: [each["value"] for each in each_points if each["step"] == step]
        for name, each_points in points.items()
    }
    return {name: (found.get(name) or [last])[-1] for name, last in run.last_values.items()}, step


def _at(summary: MetricSummary, objective: Mapping[str, Any]) -> At:
    """Return which value of the run an objective is; of one that does not say it, by its value."""
    if objective.get("at"):
        return Objective.of(objective["metric"], objective["mode"], objective["at"]).at
    value = objective.get("value")
    is_last = not isinstance(value, int | float) or math.isclose(value, summary.last, rel_tol=1e-9)
    return At.LAST if is_last else At.BEST
