"""What a layer is given when its calls are made: its buffers, and its parameters and modules in each model of a block."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from trainer.training.stack.lowered import Node
from trainer.training.stack.masks import Mask
from trainer.training.stack.slots import Call, Pool, Slot

Calls = list[Call]
Lowering = Callable[
    ["Setting"], tuple[Calls, Calls]
]  # the calls of the forward and of the backward pass, in their order


@dataclass(frozen=True)
class Sink:
    """Where a layer writes the gradient of an input.

    An input that several layers take gets the sum of their gradients: `total` is where that of this layer is added.
    `start` and `length` are the range of the input's last dimension that needs a gradient.
    """

    slot: Slot
    total: Slot | None = None
    start: int = 0
    length: int = 0

    def added(self) -> Calls:
        """Return the call that adds what was written, where other layers wrote before."""
        return [] if self.total is None else [partial(self.total.stacked.add_, self.slot.stacked)]


@dataclass(frozen=True)
class Setting:
    """A node of a block of models, with `rows` in a batch; of each list the entries are those of the models."""

    node: Node
    place: int
    rows: int
    models: Sequence[nn.Module]
    pool: Pool
    inputs: Sequence[Slot]
    output: Slot
    gradient: Slot | None  # of the output
    first_column: int  # of the output, that the gradient is there for
    sinks: Sequence[Sink | None]  # None for an input that needs no gradient
    values: Sequence[Sequence[torch.Tensor]]  # of each parameter
    gradients: Sequence[Sequence[torch.Tensor]]
    masks: Sequence[
        Mask | None
    ]  # of a layer of dropout, or of the one before, whose scale is left to this layer
    is_unscaled: bool  # whether the scale of this layer of dropout is left to the next one
    before: str  # the layer of the first input

    @property
    def grad(self) -> Slot:
        """The gradient of the output; only for a node that has one."""
        if self.gradient is None:
            raise LookupError(f"{self.node.layer} has no gradient")
        return self.gradient

    def modules(self) -> list[nn.Module]:
        """Return the module of this node in each model."""
        return [each.get_submodule(self.node.module or "") for each in self.models]

    def buffer(self, name: str, *shape: int) -> Slot:
        """Return a buffer for what the backward pass needs of the forward pass, or for steps between."""
        return self.pool.slot((self.place, name), len(self.models), shape)

    def in_place(self, take: int = 0) -> bool:
        """Whether the output takes the memory of an input."""
        return self.inputs[take].each[0].data_ptr() == self.output.each[0].data_ptr()
