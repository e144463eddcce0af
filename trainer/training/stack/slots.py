"""Buffers of the values between layers: one piece of memory for some models, in which each has a part of its own.

The part of each model begins at a multiple of 64 bytes, so that a kernel meets the same alignment in a stack of any size.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from math import prod

import torch

Call = Callable[[], object]
ALIGNMENT = 64  # bytes


def aligned(count: int, dtype: torch.dtype) -> int:
    """Return a number of elements, rounded up to whole pieces of ALIGNMENT."""
    step = ALIGNMENT // dtype.itemsize
    return -(-count // step) * step


@dataclass
class Slot:
    """A value of each model, [rows, *shape]; `whole` is [models, rows, *shape], and None for what models share."""

    each: list[torch.Tensor]
    whole: torch.Tensor | None

    @property
    def stacked(self) -> torch.Tensor:
        """All models as one tensor; only for values that are computed, not for inputs."""
        if self.whole is None:
            raise LookupError("an input is not stacked")
        return self.whole

    def view(self, *shape: int) -> "Slot":
        """Return the same memory with another shape of [rows, ...]."""
        whole = None if self.whole is None else self.whole.view(len(self.each), *shape)
        return Slot([each.view(*shape) for each in self.each], whole)

    def part(self, dim: int, start: int, length: int) -> "Slot":
        """Return a range of a dimension, counted from that of the rows, which is 0."""
        whole = None if self.whole is None else self.whole.narrow(dim + 1, start, length)
        return Slot([each.narrow(dim, start, length) for each in self.each], whole)


@dataclass
class Pool:
    """Makes buffers, and hands out the same one again for the same name, so that blocks of models take turns in it."""

    dtype: torch.dtype
    made: dict[Hashable, Slot] = field(default_factory=dict)

    def slot(self, name: Hashable, models: int, shape: Sequence[int]) -> Slot:
        """Return a buffer of zeros, at first, with a part of `shape` for each of some models."""
        key = (name, models, tuple(shape))
        if key not in self.made:
            count = prod(shape)
            flat = torch.zeros(models, aligned(count, self.dtype), dtype=self.dtype)
            whole = flat[:, :count].view(models, *shape)
            self.made[key] = Slot(list(whole), whole)
        return self.made[key]
