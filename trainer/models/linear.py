"""A linear model: logistic regression for classes, linear regression for numbers; the loss decides which."""

from collections.abc import Sequence

import torch
from torch import nn

from trainer.models.base import TabularModel
from trainer.models.layers import Embeddings, linear, one_or_many
from trainer.models.numeric_embeddings import numeric_embedding as embedding


class LogisticRegression(TabularModel):
    """A weight per numeric feature, a weight per category, and a bias, for each output.

    With a numeric embedding each numeric feature adds a curve of its own in place of a line.
    """

    def __init__(
        self,
        input_dim: int,
        *,
        output_dim: int = 1,
        cardinalities: Sequence[int] = (),
        numeric_embedding: str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        nn.Module.__init__(self)  # its categories have a weight each, no vector
        self.linear = linear(input_dim, output_dim, generator)
        self.weights = Embeddings(cardinalities, output_dim, generator=generator)
        self.curves: nn.Module | None = None
        if numeric_embedding is not None:
            self.curves = embedding(numeric_embedding, input_dim, output_dim, generator=generator)

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return logits: [N] for one output, otherwise [N, output_dim]."""
        logits: torch.Tensor = self.linear(numeric) + self.weights(categorical).sum(dim=1)
        if self.curves is not None:
            logits = logits + self.curves(numeric).sum(dim=1)
        return one_or_many(logits)
