"""What a task makes of logits: the loss, the predictions, and which rows are right.

Logits are [N] for one output and [N, K] for K. Those of an ensemble have a dimension of members after the rows: its loss is
the mean over the members, and `combined` gives the logits of its prediction, the mean of the members' probabilities.
"""

from typing import ClassVar

import torch
from torch.nn import functional

from trainer.data.target import Target, TaskKind


class Task:
    """Two classes: one logit, whose sigmoid is the probability of the positive class."""

    dimensions: ClassVar[int] = 1  # of the logits of a model that is no ensemble
    per_epoch: ClassVar[tuple[str, ...]] = ("loss", "acc", "auc")  # the validation metrics that are logged

    def __init__(self, labels: Target) -> None:
        self.labels = labels
        self.kind = labels.task

    def loss(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the mean loss over rows and members; see `weighted`."""
        logits, target = self.per_member(logits, target)
        if weight is None:
            return self._loss(logits, target)
        return weighted(self._loss(logits, target, reduction="none"), weight)

    def per_member(self, logits: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits of an ensemble with each member's row as a row of its own, and the targets of those rows."""
        if logits.ndim == self.dimensions:
            return logits, target
        return logits.flatten(0, 1), target.repeat_interleave(logits.shape[1])

    def combined(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the logits of an ensemble's prediction; other logits as they are."""
        return self._combined(logits) if logits.ndim > self.dimensions else logits

    def predictions(self, logits: torch.Tensor) -> torch.Tensor:
        """Return what the combined logits say, in the unit of the user: [N] or [N, K] probabilities, or [N] values."""
        return torch.sigmoid(logits)

    def correct(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return which rows combined logits predict right; not for a regression."""
        return (logits > 0) == (target > 0.5)

    def in_unit(self, target: torch.Tensor) -> torch.Tensor:
        """Return a target in the unit of the user."""
        return target

    def logged(self, objective: str) -> tuple[str, ...]:
        """Return the validation metrics of an epoch: those of the task, and that of the objective."""
        name = objective.removeprefix("val_")
        is_more = objective != name and name not in self.per_epoch
        return (*self.per_epoch, name) if is_more else self.per_epoch

    def _loss(self, logits: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
        return functional.binary_cross_entropy_with_logits(
            logits, target.to(logits.dtype), reduction=reduction
        )

    def _combined(self, logits: torch.Tensor) -> torch.Tensor:
        # In logarithms, so that no probability is rounded to 0 or 1.
        positive = torch.logsumexp(functional.logsigmoid(logits), dim=1)
        return positive - torch.logsumexp(functional.logsigmoid(-logits), dim=1)


class Multiclass(Task):
    """Several classes: a logit for each, whose softmax is the probabilities."""

    dimensions = 2

    def predictions(self, logits: torch.Tensor) -> torch.Tensor:
        """Return probabilities [N, K]."""
        return torch.softmax(logits, dim=1)

    def correct(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return whether the likeliest class is the right one."""
        return logits.argmax(dim=1) == target

    def _loss(self, logits: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
        return functional.cross_entropy(logits, target, reduction=reduction)

    def _combined(self, logits: torch.Tensor) -> torch.Tensor:
        return torch.logsumexp(functional.log_softmax(logits, dim=2), dim=1)


class Regression(Task):
    """A number: one output, in standard deviations of the training rows from their mean."""

    per_epoch = ("loss", "rmse", "mae", "r2")

    def predictions(self, logits: torch.Tensor) -> torch.Tensor:
        """Return values [N]."""
        return self.in_unit(logits)

    def in_unit(self, target: torch.Tensor) -> torch.Tensor:
        """Return standardised values in the unit of the target."""
        return target * self.labels.scale + self.labels.mean

    def _loss(self, logits: torch.Tensor, target: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
        return functional.mse_loss(logits, target.to(logits.dtype), reduction=reduction)

    def _combined(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.mean(dim=1)


def weighted(losses: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the mean of losses, each times the weight of its row; an ensemble has a loss per row and member.

    The mean weight of all rows is 1, so that the batches of an epoch have the weighted mean of all rows on average.
    """
    return (losses.reshape(len(weight), -1).mean(dim=1) * weight).mean()


def task_of(labels: Target | None = None) -> Task:
    """Return the task of a target; without one, two classes."""
    kinds = {
        TaskKind.BINARY: Task,
        TaskKind.MULTICLASS: Multiclass,
        TaskKind.REGRESSION: Regression,
    }
    labels = labels or Target("target", classes=("0", "1"))
    return kinds[labels.task](labels)
