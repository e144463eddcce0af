"""What batches bring: features, numbers of categories and targets, gathered once for all models that take the rows in one order."""

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
import torch

from trainer.data.encoding.shuffled import BLOCK
from trainer.data.tensors import Split
from trainer.training.stack.lowered import Graph
from trainer.training.stack.slots import Call, Pool

Columns = tuple[int, ...]


class Sources:
    """The training rows as batches are gathered from them; they are the rows themselves wherever they can be.

    Of rows in files a block at a time is in memory, in the order of an epoch. So each order has sources of its own.
    """

    def __init__(self, rows: Split, graph: Graph, dtype: torch.dtype = torch.float32) -> None:
        self.dtype = dtype
        self.feeds = {place: node for place, node in enumerate(graph.nodes) if node.layer == "feed"}
        self._files = rows if rows.mapped else None
        self._first = self._last = 0  # of the block in memory, as places of the order
        block = rows.take(torch.arange(min(BLOCK, len(rows)))) if rows.mapped else rows
        self.numeric = block.numeric.to(dtype)
        self.weight = None if block.weight is None else block.weight.to(dtype)
        self.target = block.target.to(dtype) if block.target.is_floating_point() else block.target
        self._codes = block.categorical
        self._parts: dict[Columns, torch.Tensor] = {}

    @property
    def is_shared(self) -> bool:
        """Whether all orders take their rows from the same memory."""
        return self._files is None

    def codes(self, columns: Columns) -> torch.Tensor:
        """Return some columns of categories, side by side in memory."""
        if columns not in self._parts:
            is_all = columns == tuple(range(self._codes.shape[1]))
            part = self._codes if is_all else self._codes[:, list(columns)]
            self._parts[columns] = part.long().contiguous()
        return self._parts[columns]

    def begin(self) -> None:
        """Begin an epoch, in which the rows come in another order."""
        self._first = self._last = 0

    def places(self, order: torch.Tensor, start: int, end: int) -> torch.Tensor:
        """Return where the rows of a part of an order are in the sources; bring those of a file there."""
        if self._files is None:
            return order[start:end]
        if not (self._first <= start and end <= self._last):
            self._first, self._last = start, min(start + BLOCK, len(order))
            self._bring(self._files.take(order[start : self._last]))
        return torch.arange(start - self._first, end - self._first)

    def _bring(self, block: Split) -> None:
        count = len(block)
        self.numeric[:count] = block.numeric
        self.target[:count] = block.target
        if self.weight is not None and block.weight is not None:
            self.weight[:count] = block.weight
        for columns, part in self._parts.items():
            part[:count] = block.categorical[:, list(columns)]


class Feed:
    """The buffers of one order of rows, for batches of one size; `buffers` are those of the nodes that are fed."""

    def __init__(self, sources: Sources, rows: int) -> None:
        self._sources, self._rows = sources, rows
        self._gathered: list[tuple[Any, Any]] = []
        self._after: list[Call] = []
        self._numbers: dict[tuple[Columns, Columns], torch.Tensor] = {}
        self.target = self._gather(sources.target)
        self.weight = None if sources.weight is None else self._gather(sources.weight)
        self.buffers = {
            place: self._buffer(node.options, node.shape) for place, node in sources.feeds.items()
        }

    def load(self, order: torch.Tensor, start: int, end: int) -> None:
        """Gather the rows of a batch, a part of an order."""
        numbers = self._sources.places(order, start, end).numpy()
        for source, buffer in self._gathered:
            source.take(numbers, 0, buffer, "clip")
        for call in self._after:
            call()

    def _gather(self, source: torch.Tensor) -> torch.Tensor:
        """Return a buffer that gets the rows of each batch."""
        shape = (self._rows, *source.shape[1:])
        if source.dtype == self._sources.dtype:
            buffer = Pool(source.dtype).slot("rows", 1, shape).each[0]
        else:
            buffer = torch.zeros(shape, dtype=source.dtype)
        self._gathered.append((source.numpy(), buffer.numpy()))
        return buffer

    def _buffer(self, options: Sequence[Any], shape: tuple[int, ...]) -> torch.Tensor:
        """Return what a node is fed with."""
        kind = options[0]
        if kind == "numeric":
            return self._gather(self._sources.numeric)
        if kind == "numbers":
            return self._number(options[1], options[2]).view(self._rows, *shape)
        if kind == "places":
            return self._places(self._number(options[1], options[2]), shape[-1])
        if kind == "onehot":
            return self._one_hot(options[1])
        return torch.zeros(self._rows, *shape, dtype=self._sources.dtype)  # of nothing, or of zeros

    def _number(self, columns: Columns, offsets: Columns) -> torch.Tensor:
        """Return the numbers of categories, each column plus its offset."""
        if (columns, offsets) not in self._numbers:
            buffer = self._gather(self._sources.codes(columns))
            if any(offsets):
                array: Any = buffer.numpy()
                self._after.append(partial(np.add, array, np.array(offsets), out=array))
            self._numbers[columns, offsets] = buffer
        return self._numbers[columns, offsets]

    def _places(self, numbers: torch.Tensor, width: int) -> torch.Tensor:
        """Return the places of all elements of the vectors with these numbers, in the memory of their table."""
        found = torch.zeros(numbers.numel(), width, dtype=torch.int64)
        array: Any = found.numpy()
        self._after.append(partial(np.multiply, numbers.view(-1, 1).numpy(), width, out=array))
        self._after.append(partial(np.add, array, np.arange(width), out=array))
        return found.view(-1)

    def _one_hot(self, cardinalities: Sequence[int]) -> torch.Tensor:
        """Return numbers, and a column for each category but the first of each feature, which is all zeros."""
        numeric = self._gather(self._sources.numeric)
        codes = self._gather(self._sources.codes(tuple(range(len(cardinalities)))))
        columns = numeric.shape[1]
        starts = list(accumulate((each - 1 for each in cardinalities), initial=columns))
        offsets = torch.tensor(starts[:-1], dtype=torch.int64) - 1
        # One column more takes those of the first categories.
        padded = torch.zeros(self._rows, starts[-1] + 1, dtype=numeric.dtype)
        found = torch.zeros(self._rows, starts[-1], dtype=numeric.dtype)

        def fill() -> None:
            padded.zero_()
            padded.scatter_(1, torch.where(codes > 0, codes + offsets, starts[-1]), 1)
            padded[:, :columns] = numeric
            found.copy_(padded[:, :-1])

        self._after.append(fill)
        return found
