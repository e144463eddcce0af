"""What a picture ranks runs by, and which runs can take part in it."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tracking.compare import mode_of
from tracking.errors import InvalidValueError, TrackingError, quoted
from tracking.plots.sheet import number
from tracking.records import RunRecord, RunStatus

FARTHEST = 1e250  # no axis reaches beyond: its span, or the margin of a logarithmic one, would overflow


class At(StrEnum):
    """Which value of a run counts: the best it reached, or its last."""

    BEST = "best"
    LAST = "last"


class Mode(StrEnum):
    """Which values are better: high ones or low ones."""

    MAX = "max"
    MIN = "min"


@dataclass(frozen=True)
class Objective:
    """A metric, the direction that is better, and which value of a run counts."""

    metric: str
    mode: Mode
    at: At = At.BEST

    @classmethod
    def of(cls, metric: str, mode: Mode | None = None, at: At = At.BEST) -> "Objective":
        """The objective with the mode that suits the metric's name unless one is given."""
        return cls(metric, mode or Mode(mode_of(metric)), at)

    @property
    def label(self) -> str:
        """How an axis is named: val_auc (best)."""
        return f"{self.metric} ({self.at})"

    def value(self, run: RunRecord) -> float | None:
        """The value of a run, None when it has none that is finite."""
        summary = run.summary.get(self.metric)
        if summary is None:
            return None
        best = summary.max if self.mode is Mode.MAX else summary.min
        value = best if self.at is At.BEST else summary.last
        return float(value) if value is not None and math.isfinite(value) else None

    def best(self, values: Iterable[float]) -> float:
        """The best of some finite values."""
        return max(values) if self.mode is Mode.MAX else min(values)

    def order(self, value: float | None) -> tuple[bool, float]:
        """Sort key: the best first, those without a value last."""
        if value is None:
            return True, 0.0
        return False, -value if self.mode is Mode.MAX else value


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
        if objective.metric not in run.summary:
            left_out[f"without {objective.metric}"] += 1
        elif run.status is RunStatus.FAILED:
            left_out["failed"] += 1
        elif value is None:
            left_out["not finite"] += 1
        elif not has_place(value):
            left_out[f"beyond {number(FARTHEST)}"] += 1
        else:
            taken.append((run, value))
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))
    if not taken:
        raise TrackingError(
            f"no run to draw has a finite value of {objective.metric!r} ({reasons or 'no runs'})"
        )
    taken.sort(key=lambda pair: objective.order(pair[1]))
    note = count_of(len(taken), "run") + (f"; left out: {reasons}" if reasons else "")
    return Entrants(tuple(run for run, _ in taken), tuple(value for _, value in taken), note)


def has_place(value: float, *, log: bool = False) -> bool:
    """Whether an axis, linear or logarithmic, has a place for a value."""
    return (0 if log else -FARTHEST) < value < FARTHEST


def check_best(best: int | None, noun: str) -> None:
    """Raise InvalidValueError when the number of best ones to colour is below 1."""
    if best is not None and best < 1:
        raise InvalidValueError(
            f"the number of best {noun}s to colour is {quoted(best)}; it must be 1 or more"
        )


def count_of(count: int, noun: str) -> str:
    """A count with its noun: 1 run, 2 runs."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
