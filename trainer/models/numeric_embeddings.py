"""Embeddings of numeric features: each number becomes a vector of its own, so that a model can bend it.

Sources: Gorishniy, Rubachev, Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning" (NeurIPS 2022,
arXiv:2203.05556) for `piecewise` and `periodic`. The start of `piecewise` is that of TabM (arXiv:2410.24210): a
linear embedding, to which the pieces are added from zero.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from trainer.models.layers import EachLinear, uniform

KINDS = ("piecewise", "periodic")
BINS, FREQUENCIES, FREQUENCY_SCALE = 32, 32, 0.05


def numeric_embedding(
    kind: str | None, columns: int, dim: int, *, generator: torch.Generator | None = None
) -> nn.Module:
    """Return a module that maps numeric features [N, columns] to [N, columns, dim]; without a kind a linear one."""
    kinds = {None: LinearEmbedding, "piecewise": PiecewiseLinear, "periodic": Periodic}
    if kind not in kinds:
        raise ValueError(f"numeric_embedding={kind!r}: allowed are null, {' and '.join(KINDS)}")
    made: nn.Module = kinds[kind](columns, dim, generator=generator)
    return made


class LinearEmbedding(nn.Module):
    """A vector per feature, times its value, plus another vector."""

    def __init__(self, columns: int, dim: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(uniform((columns, dim), dim, generator))
        self.bias = nn.Parameter(uniform((columns, dim), dim, generator))

    def forward(self, numeric: torch.Tensor) -> torch.Tensor:
        """Return [N, columns, dim]."""
        return numeric[..., None] * self.weight + self.bias


class PiecewiseLinear(nn.Module):
    """A linear embedding, plus a vector for each bin that a value has passed, in part or as a whole.

    The bins are those of the training rows, which `observe` gets before training; they are saved with the weights.
    Beyond the outermost bins only the linear part goes on.
    """

    left: torch.Tensor
    slope: torch.Tensor

    def __init__(self, columns: int, dim: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.linear = LinearEmbedding(columns, dim, generator=generator)
        self.pieces = nn.Parameter(torch.zeros(columns, BINS, dim))
        self.register_buffer("left", torch.zeros(columns, BINS))
        self.register_buffer("slope", torch.zeros(columns, BINS))  # 1 / width; 0 for a bin that is not there

    def observe(self, numeric: torch.Tensor) -> None:
        """Set the bins by the training rows; bins that were set before stay."""
        if self.slope.any():
            return
        for column in range(numeric.shape[1]):  # one at a time: they may be in a file
            edges = bin_edges(numeric[:, column].double().cpu().numpy())
            left = torch.from_numpy(edges[:-1])
            width = torch.from_numpy(np.diff(edges))
            self.left[column, : len(left)] = left.to(self.left)
            self.slope[column, : len(left)] = (1 / width).to(self.slope)

    def forward(self, numeric: torch.Tensor) -> torch.Tensor:
        """Return [N, columns, dim]."""
        passed = ((numeric[..., None] - self.left) * self.slope).clamp(0, 1)
        embedded: torch.Tensor = self.linear(numeric)
        return embedded + torch.einsum("ncb,cbd->ncd", passed, self.pieces)


def bin_edges(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return at most BINS + 1 edges: values that would fill a bin alone, and quantiles of all others.

    A value that most rows have, such as no capital gain, takes one edge, and leaves the others to the rest, as in the
    histograms of gradient-boosted trees.
    """
    found, counts = np.unique(values, return_counts=True)
    if len(found) <= BINS + 1:
        return found
    is_heavy = counts * BINS > len(values)
    others = found[~is_heavy].repeat(counts[~is_heavy])
    ranks = np.linspace(0, 1, BINS + 1 - int(is_heavy.sum()))
    return np.union1d(found[is_heavy], np.quantile(others, ranks, method="nearest"))


class Periodic(nn.Module):
    """Sines and cosines of frequencies that are learned, then a linear layer per feature and ReLU."""

    def __init__(self, columns: int, dim: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        frequencies = torch.empty(columns, FREQUENCIES).normal_(0, FREQUENCY_SCALE, generator=generator)
        self.frequencies = nn.Parameter(frequencies.clamp(-3 * FREQUENCY_SCALE, 3 * FREQUENCY_SCALE))
        self.linear = EachLinear(columns, 2 * FREQUENCIES, dim, generator=generator)

    def forward(self, numeric: torch.Tensor) -> torch.Tensor:
        """Return [N, columns, dim]."""
        angle = 2 * math.pi * numeric[..., None] * self.frequencies
        return torch.relu(self.linear(torch.cat([angle.cos(), angle.sin()], dim=-1)))
