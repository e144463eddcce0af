"""What our models have in common: the batch they take, how its columns become vectors, and `predict`.

Each takes `forward(numeric, categorical)`, float features [N, F] and category codes [N, C], and returns logits: [N] for
one output, [N, K] for K. An ensemble names its size `members` and returns [N, members] or [N, members, K].
"""

from collections.abc import Sequence

import torch
from torch import nn

from trainer.models.layers import Embeddings
from trainer.models.numeric_embeddings import numeric_embedding


class TabularModel(nn.Module):
    """A model of tables, before its layers: an embedding for each category, and for each number where asked for."""

    members: int | None = None  # the size of an ensemble

    def __init__(
        self,
        input_dim: int,
        cardinalities: Sequence[int],
        embedding_dim: int,
        *,
        numeric: str | None,
        as_fields: bool = False,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        self.embeddings = Embeddings(cardinalities, embedding_dim, generator=generator)
        is_embedded = numeric is not None or as_fields
        self.numeric: nn.Module = nn.Identity()
        if is_embedded:
            self.numeric = numeric_embedding(numeric, input_dim, embedding_dim, generator=generator)
        sizes = [embedding_dim if is_embedded else 1] * input_dim
        self.sizes = (*sizes, *[embedding_dim] * len(cardinalities))  # numbers per column in `features`

    def features(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return all columns side by side, [N, sum(sizes)]: the numeric ones, then the categories."""
        return torch.cat([self.numeric(numeric).flatten(1), self.embeddings(categorical).flatten(1)], dim=1)

    def fields(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return a vector for each column, [N, F + C, embedding_dim], of a model made `as_fields`."""
        return torch.cat([self.numeric(numeric), self.embeddings(categorical)], dim=1)

    def predict(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return a classifier's probabilities, [N] or [N, K], without dropout; the training mode is kept."""
        was_training = self.training
        self.eval()
        try:
            with torch.inference_mode():
                logits = self(numeric, categorical)
        finally:
            self.train(was_training)
        is_binary = logits.ndim == (1 if self.members is None else 2)
        chances = torch.sigmoid(logits) if is_binary else torch.softmax(logits, dim=-1)
        return chances if self.members is None else chances.mean(dim=1)
