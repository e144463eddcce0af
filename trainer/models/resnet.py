"""ResNet for tables: blocks of two linear layers, each added to its input.

Source: Gorishniy, Rubachev, Khrulkov, Babenko, "Revisiting Deep Learning Models for Tabular Data" (NeurIPS 2021,
arXiv:2106.11959), section 3.2. Batch normalisation stands before the layers of a block.
"""

from collections.abc import Sequence

import torch
from torch import nn

from trainer.models.base import TabularModel
from trainer.models.dropout import Dropout
from trainer.models.layers import linear, one_or_many


class ResNet(TabularModel):
    """A linear layer of `width` outputs, `blocks` residual blocks, and a normalised linear output."""

    def __init__(
        self,
        input_dim: int,
        *,
        width: int = 192,
        blocks: int = 2,
        hidden_factor: float = 2.0,
        dropout: float = 0.15,
        residual_dropout: float = 0.0,
        output_dim: int = 1,
        cardinalities: Sequence[int] = (),
        embedding_dim: int = 8,
        numeric_embedding: str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            input_dim, cardinalities, embedding_dim, numeric=numeric_embedding, generator=generator
        )
        hidden = max(1, int(width * hidden_factor))
        self.first = linear(sum(self.sizes), width, generator)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm1d(width),
                linear(width, hidden, generator),
                nn.ReLU(),
                Dropout(dropout),
                linear(hidden, width, generator),
                Dropout(residual_dropout),
            )
            for _ in range(blocks)
        )
        self.head = nn.Sequential(nn.BatchNorm1d(width), nn.ReLU(), linear(width, output_dim, generator))

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return logits: [N] for one output, otherwise [N, output_dim]."""
        x = self.first(self.features(numeric, categorical))
        for block in self.blocks:
            x = x + block(x)
        return one_or_many(self.head(x))
