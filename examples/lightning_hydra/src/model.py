"""A perceptron, and the Lightning module that trains it."""

from collections.abc import Callable, Iterable

import lightning
import torch
from torch import nn
from torchmetrics.classification import BinaryAccuracy

Batch = tuple[torch.Tensor, torch.Tensor]


class Perceptron(nn.Sequential):
    """Two layers that give one logit."""

    def __init__(self, width: int) -> None:
        super().__init__(
            nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)
        )


class Classifier(lightning.LightningModule):
    """Trains a net for two classes with the optimizer that is given, logging `STAGE/loss` and `STAGE/acc`."""

    def __init__(
        self, net: nn.Module, optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    ) -> None:
        super().__init__()
        self.net, self.optimizer = net, optimizer
        self.accuracies = nn.ModuleDict({stage: BinaryAccuracy() for stage in ("train_", "val_", "test_")})

    def step(self, stage: str, batch: Batch) -> torch.Tensor:
        """Return the loss of a batch, and log it."""
        x, target = batch
        logits = self.net(x).squeeze(1)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, target)
        accuracy = self.accuracies[f"{stage}_"]
        accuracy(logits, target)
        self.log_dict({f"{stage}/loss": loss, f"{stage}/acc": accuracy}, on_step=False, on_epoch=True)
        return loss

    def training_step(self, batch: Batch, _index: int) -> torch.Tensor:
        """Return the loss of a batch of the training."""
        return self.step("train", batch)

    def validation_step(self, batch: Batch, _index: int) -> None:
        """Log the loss of a batch of the validation."""
        self.step("val", batch)

    def test_step(self, batch: Batch, _index: int) -> None:  # noqa: PT019 - no test of ours
        """Log the loss of a batch of the test."""
        self.step("test", batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return self.optimizer(self.parameters())
