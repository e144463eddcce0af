"""The scores of a model on a split: the loss, the predictions and the metrics computed from them. Loads no torch."""

import math
from dataclasses import dataclass, field

from trainer.data.encode import Array
from trainer.data.target import TaskKind
from trainer.tasks import gains
from trainer.tasks.metrics import METRICS, measure
from trainer.tasks.own_metrics import OwnMetric


@dataclass(frozen=True)
class Scores:
    """Mean loss, accuracy at one half and area under the ROC curve, with the predictions and the target.

    `probabilities` are [N] of the positive class or [N, K] of K classes. A regression has the predicted values in
    their place, both in the target's own unit, and NaN for accuracy and AUC. Several classes have the mean of their AUCs.
    """

    loss: float
    accuracy: float
    auc: float
    probabilities: Array = field(repr=False)
    target: Array = field(repr=False)
    task: TaskKind = TaskKind.BINARY
    weight: Array | None = field(default=None, repr=False)  # what each row counts for

    def metric(self, name: str) -> float:
        """Return a metric by its name; other ones than loss, acc, accuracy and auc are computed when asked for."""
        known = {"loss": self.loss, "acc": self.accuracy, "accuracy": self.accuracy, "auc": self.auc}
        return known[name] if name in known else self._measured(name)

    def own(self, metric: OwnMetric) -> float:
        """Return a metric of the user."""
        return metric(self.task, self.target, self.probabilities, self.weight)

    def _measured(self, name: str) -> float:
        return measure(self.task, name, self.target, self.probabilities, self.weight)

    def gain_over(self, other: "Scores", *, in_ranks: bool = False) -> float:
        """Return from 0 to 1 how sure these predictions are better than others for the same rows; see `gains`.

        Better is a smaller loss, or `in_ranks` of two classes a larger AUC.
        """
        if not math.isfinite(self.loss):
            return 1.0  # so that the fault is seen
        predictions = self.probabilities, other.probabilities, self.weight
        if in_ranks:
            return gains.in_ranks(self.target, *predictions)
        return gains.in_loss(self.task, self.target, *predictions)

    def named(self) -> dict[str, float]:
        """Return all test metrics under the names a run logs them by."""
        first = ("loss",) if self.task is TaskKind.REGRESSION else ("loss", "accuracy", "auc")
        return {f"test_{name}": self.metric(name) for name in (*first, *METRICS[self.task])}
