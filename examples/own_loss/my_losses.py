"""A loss of one's own: a function, or a class such as an nn.Module, of logits and targets."""

import torch
from torch import nn
from torch.nn import functional


class Focal(nn.Module):
    """The focal loss (https://arxiv.org/abs/1708.02002): rows that are predicted well count less."""

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return a loss per row, whose mean is minimised; targets are 0 and 1."""
        plain = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return (1 - torch.exp(-plain)) ** self.gamma * plain
