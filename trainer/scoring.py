"""Scores of a model on a split: loss, accuracy, AUC and the probabilities behind them.

Batches always have the same size, so that a saved model gives the logged numbers again to the last digit.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from trainer.data.encode import Array
from trainer.data.tensors import Split
from trainer.models.network import Network, adapt

EVALUATION_ROWS = 4096  # rows per batch; sums over other batches may differ in the last digit


@dataclass(frozen=True)
class Scores:
    """Mean log loss, accuracy at one half and area under the ROC curve, with the predictions and the target."""

    loss: float
    accuracy: float
    auc: float
    probabilities: Array = field(repr=False)
    target: Array = field(repr=False)

    def named(self) -> dict[str, float]:
        """Return the test metrics under the names a run logs them by."""
        return {"test_loss": self.loss, "test_accuracy": self.accuracy, "test_auc": self.auc}


def evaluate(model: nn.Module | Network, split: Split, *, cardinalities: tuple[int, ...] = ()) -> Scores:
    """Score a model on a split on the same device; the training mode is kept.

    Only a plain module that takes one-hot coded categories needs `cardinalities`. A model whose output is
    not finite gets a loss that is not finite either, and NaN for the AUC.
    """
    network = model if isinstance(model, Network) else adapt(model, cardinalities)
    # The mean over many rows loses digits in single precision.
    logits = infer(network, split.numeric, split.categorical).double()
    loss = binary_cross_entropy_with_logits(logits, split.target.double()).item()
    probabilities = torch.sigmoid(logits).cpu().numpy()
    target = split.target.cpu().numpy()
    accuracy = ((logits > 0) == (split.target > 0.5)).double().mean().item()
    return Scores(loss, accuracy, auc(target, probabilities), probabilities, target)


def infer(network: Network, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
    """Return the logits of all rows, in evaluation mode and without gradients."""
    was_training = network.module.training
    network.module.eval()
    try:
        with torch.inference_mode():
            starts = range(0, max(len(numeric), 1), EVALUATION_ROWS)
            batches = [slice(start, start + EVALUATION_ROWS) for start in starts]
            return torch.cat([network(numeric[rows], categorical[rows]) for rows in batches])
    finally:
        network.module.train(was_training)


def auc(target: Array, score: Array) -> float:
    """Return the area under the ROC curve; NaN when only one class occurs or a score is NaN."""
    from sklearn.metrics import roc_auc_score

    if target.min() == target.max() or np.isnan(score).any():
        return float("nan")
    return float(roc_auc_score(target, score))
