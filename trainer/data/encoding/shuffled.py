"""The rows of an epoch in a drawn order: a copy of all of them, or of a block at a time where they are in files."""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from trainer.data.tensors import Split

BLOCK = 1 << 16  # rows copied at a time


class Gathered:
    """Rows of a split in files, copied to a device when a batch needs them."""

    def __init__(self, split: "Split", order: torch.Tensor, device: torch.device) -> None:
        self.device = device
        self._split, self._order = split, order
        self._first = self._last = 0
        self._block = split.take(slice(0, 0))

    @property
    def weight(self) -> "torch.Tensor | None":
        """The weights of the rows, in their order."""
        return None if self._split.weight is None else self._split.weight[self._order]

    def __len__(self) -> int:
        return len(self._order)

    def take(self, rows: slice) -> "Split":
        """Return the rows from one place of the order to another, which come one after another."""
        first, last = rows.start, min(rows.stop, len(self))
        if not (self._first <= first and last <= self._last):
            self._first, self._last = first, min(max(first + BLOCK, last), len(self))
            self._block = self._copied(self._order[self._first : self._last])
        return self._block.take(slice(first - self._first, last - self._first))

    def _copied(self, order: torch.Tensor) -> "Split":
        """Return rows in memory."""
        found = self._split.take(order)
        return replace(found, categorical=found.categorical.long()).to(self.device)


def in_order(split: "Split", order: torch.Tensor, device: torch.device) -> "Split | Gathered":
    """Return rows of a split in an order, for the batches of an epoch; a split in memory is on the device."""
    return Gathered(split, order, device) if split.mapped else split.take(order.to(device))
