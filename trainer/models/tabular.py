"""Our models for tables: a multi-layer perceptron and a logistic regression.

Both take the same batch, `forward(numeric, categorical)`: float features [N, F] and category codes
[N, C]. They return logits [N]; `predict` returns probabilities. Weights and dropout draw from a generator
when one is given.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import nn

from trainer.models.dropout import Dropout


class _Classifier(nn.Module):
    def predict(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return probabilities, without dropout and without gradients; the training mode is kept."""
        was_training = self.training
        self.eval()
        try:
            with torch.inference_mode():
                return torch.sigmoid(self(numeric, categorical))
        finally:
            self.train(was_training)


class TabularClassifier(_Classifier):
    """A multi-layer perceptron: numeric features and embeddings of the categories, then ReLU layers.

    `cardinalities` holds the number of codes of each categorical column; every code has a vector of
    `embedding_dim` numbers. An empty `hidden_dims` gives a single linear layer. The other parameters of a
    run, such as `learning_rate`, are accepted and ignored.
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
        generator: torch.Generator | None = None,
        **recipe: Any,
    ) -> None:
        super().__init__()
        # A run's parameters hold its whole recipe, and `TabularClassifier(**params)` takes them as they are.
        if recipe and "learning_rate" not in recipe:
            raise TypeError(f"TabularClassifier has no argument {', '.join(map(repr, recipe))}")
        self.embeddings = Embeddings(cardinalities, embedding_dim, generator=generator)
        width = input_dim + len(cardinalities) * embedding_dim
        layers: list[nn.Module] = []
        for hidden in hidden_dims:
            layers += [_linear(width, hidden, generator), nn.ReLU(), Dropout(dropout)]
            width = hidden
        self.layers = nn.Sequential(*layers, _linear(width, output_dim, generator))

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return logits: [N] for one output, otherwise [N, output_dim]."""
        features = torch.cat([numeric, self.embeddings(categorical).flatten(1)], dim=1)
        logits: torch.Tensor = self.layers(features)
        return logits.squeeze(-1) if logits.shape[-1] == 1 else logits


class LogisticRegression(_Classifier):
    """A logistic regression: a weight per numeric feature, a weight per category, and a bias."""

    def __init__(
        self,
        input_dim: int,
        *,
        cardinalities: Sequence[int] = (),
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.linear = _linear(input_dim, 1, generator)
        self.weights = Embeddings(cardinalities, 1, generator=generator)

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return logits [N]."""
        logits: torch.Tensor = self.linear(numeric).squeeze(-1) + self.weights(categorical).sum(dim=(1, 2))
        return logits


class Embeddings(nn.Module):
    """One table of vectors for all categorical columns, which maps codes [N, C] to [N, C, dim].

    One lookup for all columns takes a tenth of the time of one lookup per column. The codes of each column
    start at their own offset.
    """

    offsets: torch.Tensor

    def __init__(
        self, cardinalities: Sequence[int], dim: int, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        starts = list(accumulate(cardinalities, initial=0))
        # Not in the state dict, because the constructor computes them.
        self.register_buffer("offsets", torch.tensor(starts[:-1], dtype=torch.int64), persistent=False)
        weight = torch.empty(starts[-1], dim).normal_(0, 0.1, generator=generator)
        weight[starts[:-1]] = 0  # code 0 is a category not seen in training
        self.table = nn.Embedding(starts[-1], dim, _weight=weight)

    def forward(self, categorical: torch.Tensor) -> torch.Tensor:
        """Return the vectors of every column."""
        vectors: torch.Tensor = self.table(categorical + self.offsets)
        return vectors


class _Linear(nn.Linear):
    """A linear layer without random weights of its own; `_linear` sets them."""

    def reset_parameters(self) -> None:
        pass


def _linear(inputs: int, outputs: int, generator: torch.Generator | None) -> nn.Linear:
    """Return a linear layer with torch's kind of initial weights, drawn from the generator."""
    layer = _Linear(inputs, outputs)
    bound = 1 / math.sqrt(inputs) if inputs else 0.0
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer
