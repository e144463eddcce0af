"""Layers that our models share; each draws its initial weights from a generator when one is given."""

import math
from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import nn

from trainer.models.dropout import Dropout


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


class EachLinear(nn.Module):
    """A linear layer of its own for each of `count` places: [N, count, inputs] to [N, count, outputs]."""

    def __init__(
        self, count: int, inputs: int, outputs: int, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(uniform((count, inputs, outputs), inputs, generator))
        self.bias = nn.Parameter(uniform((count, outputs), inputs, generator))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what each place's layer makes of its own input."""
        return torch.einsum("nci,cio->nco", x, self.weight) + self.bias


class _Linear(nn.Linear):
    """A linear layer without random weights of its own; `linear` sets them."""

    def reset_parameters(self) -> None:
        pass


def linear(inputs: int, outputs: int, generator: torch.Generator | None, *, bias: bool = True) -> nn.Linear:
    """Return a linear layer with torch's kind of initial weights, drawn from the generator."""
    layer = _Linear(inputs, outputs, bias=bias)
    bound = 1 / math.sqrt(inputs) if inputs else 0.0
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        if bias:
            layer.bias.uniform_(-bound, bound, generator=generator)
    return layer


def uniform(shape: tuple[int, ...], inputs: int, generator: torch.Generator | None) -> torch.Tensor:
    """Draw weights as torch draws those of a linear layer of so many inputs."""
    bound = 1 / math.sqrt(inputs) if inputs else 0.0
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)


def perceptron(
    width: int, hidden_dims: Sequence[int], dropout: float, generator: torch.Generator | None
) -> tuple[list[nn.Module], int]:
    """Return hidden layers, each linear, ReLU and dropout, and the width of what comes out."""
    layers: list[nn.Module] = []
    for hidden in hidden_dims:
        layers += [linear(width, hidden, generator), nn.ReLU(), Dropout(dropout)]
        width = hidden
    return layers, width


def one_or_many(logits: torch.Tensor) -> torch.Tensor:
    """Return logits without their last dimension when it holds one output."""
    return logits.squeeze(-1) if logits.shape[-1] == 1 else logits
