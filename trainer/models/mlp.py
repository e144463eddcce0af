"""A multi-layer perceptron over numeric features and embeddings of categories."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from trainer.models.base import TabularModel
from trainer.models.layers import linear, one_or_many, perceptron
from trainer.models.linear_start import LinearStart


class TabularClassifier(TabularModel):
    """A multi-layer perceptron: numeric features and embeddings of the categories, then ReLU layers.

    `cardinalities` holds the number of codes of each categorical column; every code has a vector of
    `embedding_dim` numbers. An empty `hidden_dims` gives a single linear layer. With a `linear_start` the layers add to a
    linear model, which is fitted before they train. The other parameters of a run, such as `learning_rate`, are accepted and ignored.
    """

    def __init__(
        self,
        input_dim: int,
        hidden_dims: Sequence[int] = (256, 128, 64),
        dropout: float = 0.3,
        output_dim: int = 1,
        *,
        cardinalities: Sequence[int] = (),
        embedding_dim: int = 8,
        numeric_embedding: str | None = None,
        linear_start: bool = False,
        generator: torch.Generator | None = None,
        **recipe: Any,
    ) -> None:
        super().__init__(
            input_dim, cardinalities, embedding_dim, numeric=numeric_embedding, generator=generator
        )
        # A run's parameters hold its whole recipe, and `TabularClassifier(**params)` takes them as they are.
        if recipe and "learning_rate" not in recipe:
            raise TypeError(f"TabularClassifier has no argument {', '.join(map(repr, recipe))}")
        layers, width = perceptron(sum(self.sizes), hidden_dims, dropout, generator)
        head = linear(width, output_dim, generator)
        self.layers = nn.Sequential(*layers, head)
        self.start: LinearStart | None = None
        if linear_start:
            self.start = LinearStart(input_dim, cardinalities, output_dim)
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return logits: [N] for one output, otherwise [N, output_dim]."""
        logits = self.layers(self.features(numeric, categorical))
        return one_or_many(logits if self.start is None else self.start(numeric, categorical, logits))
