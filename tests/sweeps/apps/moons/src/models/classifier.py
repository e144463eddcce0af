from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class Classifier(nn.Module):
    """A net with its loss and its optimizer, which is given without the parameters."""

    def __init__(self, net: nn.Module, optimizer: Callable[..., torch.optim.Optimizer]) -> None:
        super().__init__()
        self.net = net
        self.criterion = nn.CrossEntropyLoss()
        self._optimizer = optimizer

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.net(inputs)

    def loss(self, batch: Any) -> torch.Tensor:
        inputs, labels = batch
        return self.criterion(self(inputs), labels)

    def configure_optimizer(self) -> torch.optim.Optimizer:
        return self._optimizer(self.parameters())
