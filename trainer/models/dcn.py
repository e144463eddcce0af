"""Deep and cross network, version 2: products of features, one degree higher with each cross layer.

Source: Wang, Shivanna, Cheng, Jain, Lin, Hong, Chi, "DCN V2: Improved Deep & Cross Network and Practical Lessons for
Web-scale Learning to Rank Systems" (WWW 2021, arXiv:2008.13535), equation 1 and figure 1.
"""

from collections.abc import Sequence

import torch
from torch import nn

from trainer.models.base import TabularModel
from trainer.models.layers import linear, one_or_many, perceptron


class DCN(TabularModel):
    """Cross layers, and a perceptron after them (`stacked`) or beside them (`parallel`).

    A cross layer is `x0 * (W x + b) + x`. With a `rank`, W is the product of two narrow matrices.
    """

    def __init__(
        self,
        input_dim: int,
        *,
        cross_layers: int = 3,
        hidden_dims: Sequence[int] = (256, 128),
        dropout: float = 0.1,
        structure: str = "parallel",
        rank: int | None = None,
        output_dim: int = 1,
        cardinalities: Sequence[int] = (),
        embedding_dim: int = 8,
        numeric_embedding: str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            input_dim, cardinalities, embedding_dim, numeric=numeric_embedding, generator=generator
        )
        if structure not in ("stacked", "parallel"):
            raise ValueError(f"structure={structure!r}: allowed are stacked and parallel")
        self.is_parallel = structure == "parallel"
        width = sum(self.sizes)
        self.cross = nn.ModuleList(
            linear(width, width, generator)
            if rank is None
            else nn.Sequential(linear(width, rank, generator, bias=False), linear(rank, width, generator))
            for _ in range(cross_layers)
        )
        layers, deep = perceptron(width, hidden_dims, dropout, generator)
        self.deep = nn.Sequential(*layers)
        self.head = linear(width + deep if self.is_parallel else deep, output_dim, generator)

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return logits: [N] for one output, otherwise [N, output_dim]."""
        first = crossed = self.features(numeric, categorical)
        for layer in self.cross:
            crossed = first * layer(crossed) + crossed
        if self.is_parallel:
            return one_or_many(self.head(torch.cat([crossed, self.deep(first)], dim=1)))
        return one_or_many(self.head(self.deep(crossed)))
