"""Scores of a model on a split: the loss, the predictions and the metrics computed from them.

Batches always have the same size, so that a saved model gives the logged numbers again to the last digit.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import nn

from trainer.data.encode import Array
from trainer.data.reading import cache
from trainer.data.target import TaskKind
from trainer.data.tensors import Dataset, Split
from trainer.models.network import Network, adapt
from trainer.tasks import gains
from trainer.tasks.metrics import METRICS, auc, macro_auc, measure
from trainer.tasks.outputs import Task, task_of
from trainer.tasks.own_metrics import OwnMetric

_MULTIPLE = 32  # of which the rows of a batch are made one
EVALUATION_ROWS = 4096  # rows per batch; sums over other batches may differ in the last digit


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


def evaluate(
    model: nn.Module | Network,
    split: Split,
    *,
    data: Dataset | None = None,
    cardinalities: tuple[int, ...] = (),
    task: Task | None = None,
) -> Scores:
    """Score a model on a split on the same device; the training mode is kept.

    The `data` set of the split says the task and the cardinalities. Without it, only a plain module that takes one-hot
    coded categories needs `cardinalities`, and without a `task` two classes are assumed. A model whose output is not finite gets a loss that is not finite either, and NaN for the AUC.
    """
    if data is not None:
        cardinalities, task = data.shape.cardinalities, task or task_of(data.labels)
    task = task or task_of()
    network = model if isinstance(model, Network) else adapt(model, cardinalities, task.labels.outputs)
    return scored(infer(network, split.numeric, split.categorical, mapped=split.mapped), split, task)


def scored(logits: torch.Tensor, split: Split, task: Task) -> Scores:
    """Score the logits of a split's rows."""
    logits = task.combined(logits.double())  # the mean over many rows loses digits in single precision
    goal = split.target.double() if split.target.is_floating_point() else split.target
    weight = None if split.weight is None else split.weight.double() / split.weight.double().mean()
    loss = task.loss(logits, goal, weight).item()
    predictions = task.predictions(logits).cpu().numpy()
    target = (
        task.in_unit(goal).cpu().numpy() if task.kind is TaskKind.REGRESSION else split.target.cpu().numpy()
    )
    counts = None if weight is None else weight.cpu().numpy()
    if task.kind is TaskKind.REGRESSION:
        return Scores(loss, float("nan"), float("nan"), predictions, target, task.kind, counts)
    right = task.correct(logits, split.target).double()
    accuracy = (right if weight is None else right * weight).mean().item()
    area = macro_auc if task.kind is TaskKind.MULTICLASS else auc
    return Scores(loss, accuracy, area(target, predictions, counts), predictions, target, task.kind, counts)


def infer(
    network: Network, numeric: torch.Tensor, categorical: torch.Tensor, *, mapped: bool = False
) -> torch.Tensor:
    """Return the logits of all rows, `mapped` ones of a file, in evaluation mode and without gradients."""
    was_training = network.module.training
    network.module.eval()
    try:
        with torch.inference_mode():
            starts = range(0, max(len(numeric), 1), EVALUATION_ROWS)
            batches = [slice(start, start + EVALUATION_ROWS) for start in starts]
            found = []
            for rows in batches:
                features = numeric[rows], categorical[rows]
                if mapped:
                    cache.touch(sum(each.nbytes for each in features))
                found.append(_of_batch(network, features[0], features[1].long()))
            return torch.cat(found)
    finally:
        network.module.train(was_training)


def _of_batch(network: Network, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
    """Return the logits of a batch, which do not depend on how many rows it has.

    Matrices of other numbers of rows are multiplied by other routines, whose sums may differ in the last digit.
    """
    count = len(numeric)
    spare = -count % _MULTIPLE if count else 0
    if spare:
        numeric = torch.cat([numeric, numeric[-1:].expand(spare, -1)])
        categorical = torch.cat([categorical, categorical[-1:].expand(spare, -1)])
    return network(numeric, categorical)[:count]
