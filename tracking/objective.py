"""What runs are ranked by: a metric, the direction that is better, and which value of a run counts.

Only this module decides a direction; everything else compares through an `Objective`.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tracking.records import RunRecord
from tracking.values.checks import check_choice
from tracking.values.names import composed

LOWER_IS_BETTER = frozenset(
    {"nll", "err", "mae", "mape", "smape", "wape", "medae", "mse", "rmse", "nrmse", "msle", "rmsle", "perplexity", "ppl",
     "brier", "deviance", "divergence", "regret", "wer", "cer", "eer", "fid", "ece", "crps", "pinball", "latency", "runtime",
     # names of losses that LightGBM, XGBoost and Keras use without the word
     "std", "stdv", "l1", "l2", "huber", "mphe", "quantile", "poisson", "tweedie", "hinge", "crossentropy", "logcosh"}
)  # fmt: skip
_LOWER_PAIRS = frozenset({"cross_entropy", "kullback_leibler", "log_cosh", "fit_time", "score_time"})
_LOWER_BEGINNINGS = ({"rank", "std"}, {"test", "train"})  # of the results of a search of scikit-learn
_LOWER_ENDINGS = ("loss", "error", "nloglik")
_HIGHER_ENDINGS = ("auc", "auroc", "accuracy", "acc", "likelihood", "loglik")
# Words that say on what or how a metric was measured: the word before them decides.
_QUALIFIERS = frozenset(
    {"train", "training", "val", "valid", "validation", "test", "dev", "eval", "epoch", "step", "mean", "avg", "average",
     "median", "total", "min", "max", "best", "last", "final", "rate", "score", "top",
     "dataloader", "idx"}
)  # fmt: skip
_FAMILIES = (("auc",), ("accuracy", "acc"), ("loss",))
_SPLITS = {"test": 0, "val": 1, "valid": 1, "validation": 1, "train": 3}
_BEFORE_THE_TEST = _SPLITS | {"test": 3, "train": 4}


class Direction(StrEnum):
    """Which values are better: high ones or low ones."""

    MAX = "max"
    MIN = "min"

    @property
    def higher_is_better(self) -> bool:
        """Whether high values are better."""
        return self is Direction.MAX


SMALLER = Direction.MIN  # of sizes and times


class At(StrEnum):
    """Which value of a run counts: the best it reached, or its last."""

    BEST = "best"
    LAST = "last"


@dataclass(frozen=True)
class Objective:
    """A metric, the direction that is better, and which value of a run counts.

    A `metric` of None stands for the value that a task returns, which no run holds.
    """

    metric: str | None
    mode: Direction
    at: At = At.BEST

    @classmethod
    def of(cls, metric: str | None, mode: str | None = None, at: str = At.BEST) -> "Objective":
        """Return the objective of a metric; without a mode its name decides, and an unknown name is maximised.

        Raise InvalidValueError for an unknown mode or `at`.
        """
        if mode is None:
            mode = _direction_of(metric or "") or Direction.MAX
        check_choice("mode", mode, "max", "min")
        check_choice("at", at, "last", "best")
        return cls(composed(metric), Direction(mode), At(at))

    @property
    def label(self) -> str:
        """The metric's name, or "objective"."""
        return self.metric or "objective"

    @property
    def named(self) -> dict[str, str]:
        """The metric and the mode as plain data."""
        return {"metric": self.label, "mode": str(self.mode)}

    @property
    def ranked_by(self) -> dict[str, str]:
        """The metric, the mode and which value counts, as plain data."""
        return {**self.named, "at": str(self.at)}

    @property
    def higher_is_better(self) -> bool:
        """Whether the mode is max."""
        return self.mode.higher_is_better

    @property
    def contradiction(self) -> str | None:
        """A sentence that says how the mode contradicts the metric's name; None when it does not."""
        usual = _direction_of(self.metric or "")
        if usual in {None, self.mode}:
            return None
        better = "lower" if self.higher_is_better else "higher"
        return f"mode={self.mode} contradicts the name of the metric: {self.metric} is better when it is {better}"

    def value(self, run: RunRecord) -> float | None:
        """Return the value of a run that counts; None when it logged none, or none that is finite for the best.

        The last value may be NaN or infinite.
        """
        summary = run.summary.get(self.metric or "")
        if summary is None:
            return None
        if self.at is At.LAST:
            return float(summary.last)
        extreme = summary.max if self.higher_is_better else summary.min  # of the finite values
        return None if extreme is None else float(extreme)

    def key(self, value: float | None) -> tuple[bool, float]:
        """Return the sort key of a value: the best first, None and what is not finite last."""
        if value is None or not math.isfinite(value):
            return True, 0.0
        return False, -value if self.higher_is_better else value  # keys sort ascending

    def better(self, one: float | None, other: float | None) -> bool:
        """Return whether one value is strictly better than another; any finite one is better than none."""
        return self.key(one) < self.key(other)

    def gain(self, one: float, other: float) -> float:
        """Return by how much one value is better than another, negative when it is worse."""
        return one - other if self.higher_is_better else other - one


def plain_objectives(objectives: Sequence[Objective]) -> dict[str, Any]:
    """Return objectives as plain data: the first as metric, mode and at, further ones as a list of ``others``."""
    first, *others = objectives
    named = [each.ranked_by for each in others]
    return {**first.ranked_by, "metric": first.metric, **({"others": named} if named else {})}


def objectives_of(raw: Mapping[str, Any]) -> tuple[Objective, ...]:
    """Return the objectives of `plain_objectives`; raise KeyError, TypeError or InvalidValueError for anything else."""
    several = [raw, *raw.get("others", ())]
    return tuple(Objective.of(each["metric"], each["mode"], each["at"]) for each in several)


def best_available_metric(runs: Iterable[RunRecord]) -> str | None:
    """Return the metric to sort by: test_auc, then val_auc, any other AUC, accuracy, loss, else the first by name.

    Within a kind, test comes before validation, then others, then train. Only metrics with a finite last value in
    some run count; None without any.
    """
    names = {name for run in runs for name, summary in run.summary.items() if math.isfinite(summary.last)}
    return min(names, key=_preference, default=None)


def by_interest(names: Iterable[str]) -> list[str]:
    """Return names of metrics as `best_available_metric` prefers them, but validation first and the test last but training.

    For what selects before the test is looked at.
    """
    return sorted(names, key=lambda name: _preference(name, _BEFORE_THE_TEST))


def is_of_test(metric: str) -> bool:
    """Return whether a metric's name says that it was measured on the test set."""
    return _words(metric)[0] == "test"


def usual_direction(metric: str) -> Direction | None:
    """Return the direction that is better by a metric's name; None for a name that does not tell."""
    return _direction_of(metric)


def _direction_of(metric: str) -> Direction | None:
    """Return the direction that the last telling word of a metric's name implies; None for an unknown one.

    A name that begins a word of its own with ``neg``, as scikit-learn's do, implies the other direction.
    """
    raw = _words(metric)
    words = [word if word in LOWER_IS_BETTER else word.rstrip("0123456789") or word for word in raw]
    telling = [word for word in words if word not in _QUALIFIERS and not word.isdigit()] or words
    last, pairs = telling[-1], {"_".join(each[-2:]) for each in (telling, raw)}
    is_negated = not {"neg", "negative"}.isdisjoint(words[:-1])
    if len(raw) > 2 and all(word in begin for word, begin in zip(raw, _LOWER_BEGINNINGS, strict=False)):
        return Direction.MIN
    if last in LOWER_IS_BETTER or last.endswith(_LOWER_ENDINGS) or pairs & _LOWER_PAIRS:
        return Direction.MAX if is_negated else Direction.MIN
    if last.endswith(_HIGHER_ENDINGS):
        return Direction.MIN if is_negated else Direction.MAX
    return None


def _words(metric: str) -> list[str]:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", metric)
    return re.split(r"[\W_]+", parted.lower().strip("_")) or [metric]


def _preference(metric: str, splits: Mapping[str, int] = _SPLITS) -> tuple[int, int, str]:
    words = _words(metric)
    family = next((rank for rank, ends in enumerate(_FAMILIES) if words[-1].endswith(ends)), len(_FAMILIES))
    return family, splits.get(words[0], 2), metric
