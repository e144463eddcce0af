"""A model of one's own: any nn.Module that returns a logit per row, of several classes one per class."""

import torch
from torch import nn


class Wide(nn.Module):
    """One wide layer. `input_dim` is given by podium, the other arguments are keys of the config."""

    def __init__(self, input_dim: int, output_dim: int = 1, width: int = 32) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(input_dim, width), nn.ReLU(), nn.Dropout(0.1), nn.Linear(width, output_dim)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits for numeric features and one-hot coded categories side by side."""
        return self.net(x)
