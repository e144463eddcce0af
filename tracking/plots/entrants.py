"""The runs of a picture, ranked by the objective, and the reasons why others are left out."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tracking.errors import TrackingError
from tracking.objective import Objective
from tracking.plots.sheet import number
from tracking.records import RunRecord, RunStatus
from tracking.values.units import counted

FARTHEST = 1e250  # beyond, the span of an axis or the margin of a logarithmic one would overflow


@dataclass(frozen=True)
class Entrants:
    """The runs of a picture with their values, the best first, and a note that counts them and those left out."""

    runs: tuple[RunRecord, ...]
    values: tuple[float, ...]
    note: str


def entrants(runs: Sequence[RunRecord], objective: Objective) -> Entrants:
    """Return the runs that did not fail, count for their job and have a finite value; raise TrackingError if there is none."""
    left_out: Counter[str] = Counter()
    taken: list[tuple[RunRecord, float]] = []
    for run in runs:
        value = objective.value(run)
        if objective.label not in run.summary:
            left_out[f"without {objective.label}"] += 1
        elif run.is_superseded:
            left_out["superseded"] += 1
        elif run.rerun_of is not None:
            left_out["made to repeat a run"] += 1
        elif run.status is RunStatus.FAILED:
            left_out["failed"] += 1
        elif value is None or not math.isfinite(value):
            left_out["not finite"] += 1
        elif not has_place(value):
            left_out[f"beyond {number(FARTHEST)}"] += 1
        else:
            taken.append((run, value))
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))
    if not taken:
        raise TrackingError(
            f"no run to draw has a finite value of {objective.label!r} ({reasons or 'no runs'})"
        )
    taken.sort(key=lambda pair: objective.key(pair[1]))
    note = counted(len(taken), "run") + (f"; left out: {reasons}" if reasons else "")
    return Entrants(tuple(run for run, _ in taken), tuple(value for _, value in taken), note)


def has_place(value: float, *, log: bool = False) -> bool:
    """Return whether an axis, linear or logarithmic, can show a value."""
    return (0 if log else -FARTHEST) < value < FARTHEST


def axis_label(objective: Objective) -> str:
    """Return the name of an axis of values: val_auc (best)."""
    return f"{objective.label} ({objective.at})"
