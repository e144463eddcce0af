"""Which metric decides between runs, in which direction, and which run is best by it."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tracking.records import RunRecord
from tracking.values.checks import check_choice

LOWER_IS_BETTER = frozenset({"nll", "err", "mae", "mape", "mse", "rmse", "perplexity"})
_FAMILIES = (("auc",), ("accuracy", "acc"), ("loss",))
_SPLITS = {"test": 0, "val": 1, "valid": 1, "validation": 1, "train": 3}


def mode_of(metric: str) -> str:
    """'min' for metrics whose last word is rmse, mae and the like or ends in loss or error, else 'max'."""
    last = _words(metric)[-1]
    return "min" if last in LOWER_IS_BETTER or last.endswith(("loss", "error")) else "max"


def best_available_metric(runs: Iterable[RunRecord]) -> str | None:
    """The metric to sort by: test_auc, then val_auc, any other AUC, accuracy, loss, else the first by name.

    Within a kind, test comes before validation, then others, then train. Only metrics with a finite last value in
    some run count; None without any.
    """
    names = {name for run in runs for name, summary in run.summary.items() if math.isfinite(summary.last)}
    return min(names, key=_preference, default=None)


def last_value(run: RunRecord, metric: str) -> float | None:
    """The last value of a metric if it is finite."""
    summary = run.summary.get(metric)
    return summary.last if summary and math.isfinite(summary.last) else None


def ranked(runs: Sequence[RunRecord], metric: str, mode: str) -> list[RunRecord]:
    """The runs with the best first; those without a finite value last, equals in their given order."""
    check_choice("mode", mode, "max", "min")
    sign = -1 if mode == "max" else 1

    def key(run: RunRecord) -> tuple[bool, float]:
        value = last_value(run, metric)
        return (value is None, sign * (value or 0))

    return sorted(runs, key=key)


def best(runs: Sequence[RunRecord], metric: str, mode: str) -> RunRecord | None:
    """The first of the ranked runs, or None when no run has a finite last value of the metric."""
    first = next(iter(ranked(runs, metric, mode)), None)
    return first if first and last_value(first, metric) is not None else None


def _words(metric: str) -> list[str]:
    return re.split(r"[\W_]+", metric.lower().strip("_")) or [metric]


def _preference(metric: str) -> tuple[int, int, str]:
    words = _words(metric)
    family = next((rank for rank, ends in enumerate(_FAMILIES) if words[-1].endswith(ends)), len(_FAMILIES))
    return family, _SPLITS.get(words[0], 2), metric


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
