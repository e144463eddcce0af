"""What a picture ranks runs by, and which runs can take part in it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tracking.errors import InvalidValueError, TrackingError, quoted
from tracking.objective import Objective
from tracking.plots.sheet import number
from tracking.records import RunRecord, RunStatus

FARTHEST = 1e250  # no axis reaches beyond: its span, or the margin of a logarithmic one, would overflow


@dataclass(frozen=True)
class Entrants:
    """The runs of a picture with their values, the best first, and a line about those left out."""

    runs: tuple[RunRecord, ...]
    values: tuple[float, ...]
    note: str


def entrants(runs: Sequence[RunRecord], objective: Objective) -> Entrants:
    """The runs that neither failed nor lack a finite value; TrackingError when none is left."""
    left_out: Counter[str] = Counter()
    taken: list[tuple[RunRecord, float]] = []
    for run in runs:
        value = objective.value(run)
        if objective.label not in run.summary:
            left_out[f"without {objective.label}"] += 1
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
    note = count_of(len(taken), "run") + (f"; left out: {reasons}" if reasons else "")
    return Entrants(tuple(run for run, _ in taken), tuple(value for _, value in taken), note)


def has_place(value: float, *, log: bool = False) -> bool:
    """Whether an axis, linear or logarithmic, has a place for a value."""
    return (0 if log else -FARTHEST) < value < FARTHEST


def axis_label(objective: Objective) -> str:
    """Return the name of an axis of values: val_auc (best)."""
    return f"{objective.label} ({objective.at})"


def check_best(best: int | None, noun: str) -> None:
    """Raise InvalidValueError when the number of best ones to colour is below 1."""
    if best is not None and best < 1:
        raise InvalidValueError(
            f"the number of best {noun}s to colour is {quoted(best)}; it must be 1 or more"
        )


def count_of(count: int, noun: str) -> str:
    """A count with its noun: 1 run, 2 runs."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
