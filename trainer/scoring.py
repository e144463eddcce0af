"""Scores a model on a split.

Batches always have the same size, so that a saved model gives the logged numbers again to the last digit.
"""

import torch
from torch import nn

from tracking.statistics.formulas import auc, macro_auc
from trainer.data.reading import cache
from trainer.data.target import TaskKind
from trainer.data.tensors import Dataset, Split
from trainer.models.network import Network, adapt
from trainer.tasks.outputs import Task, task_of
from trainer.tasks.scores import Scores as Scores

_MULTIPLE = 32  # of which the rows of a batch are made one
EVALUATION_ROWS = 4096  # rows per batch; sums over other batches may differ in the last digit


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
