"""DeepFM: a factorisation machine and a perceptron over the same embeddings.

Source: Guo, Tang, Ye, Li, He, "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction" (IJCAI 2017,
arXiv:1703.04247). The paper has one output and categories alone; here a numeric feature's vector is a linear function
of its value, and each output weighs the products of the vectors, with weights that start at one.
"""

from collections.abc import Sequence

import torch
from torch import nn

from trainer.models.base import TabularModel
from trainer.models.layers import Embeddings, linear, one_or_many, perceptron


class DeepFM(TabularModel):
    """The sum of three parts: a linear model, all products of two embeddings, and a perceptron over them."""

    def __init__(
        self,
        input_dim: int,
        *,
        hidden_dims: Sequence[int] = (256, 128),
        dropout: float = 0.1,
        output_dim: int = 1,
        cardinalities: Sequence[int] = (),
        embedding_dim: int = 8,
        numeric_embedding: str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            input_dim,
            cardinalities,
            embedding_dim,
            numeric=numeric_embedding,
            as_fields=True,
            generator=generator,
        )
        self.linear = linear(input_dim, output_dim, generator)
        self.weights = Embeddings(cardinalities, output_dim, generator=generator)
        self.pairs = nn.Parameter(torch.ones(embedding_dim, output_dim))
        layers, width = perceptron(sum(self.sizes), hidden_dims, dropout, generator)
        self.deep = nn.Sequential(*layers, linear(width, output_dim, generator, bias=False))

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return logits: [N] for one output, otherwise [N, output_dim]."""
        fields = self.fields(numeric, categorical)
        # The sum over all pairs in linear time: the square of the sum, without the squares.
        pairs = (fields.sum(dim=1).square() - fields.square().sum(dim=1)) / 2
        alone = self.linear(numeric) + self.weights(categorical).sum(dim=1)
        return one_or_many(alone + pairs @ self.pairs + self.deep(fields.flatten(1)))
