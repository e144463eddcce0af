"""The parameters of a model and their gradients, each in one piece of memory, so that one kernel call steps them all.

Each parameter begins at a multiple of 64 bytes; between them are zeros, which no optimizer changes. Each model has memory of its
own, so a copy of its state copies nothing of the others.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from trainer.training.stack.slots import aligned


class Flat:
    """Tensors side by side: `whole` holds them all, `views` each one in its own shape."""

    def __init__(self, like: Sequence[torch.Tensor]) -> None:
        sizes = [aligned(each.numel(), each.dtype) for each in like]
        dtype = like[0].dtype if like else torch.float32
        self.whole = torch.zeros(sum(sizes), dtype=dtype)
        parts = torch.split(self.whole, sizes) if sizes else ()
        self.views = [part[: each.numel()].view(each.shape) for part, each in zip(parts, like, strict=True)]
        self.ends = [0]
        for size in sizes:
            self.ends.append(self.ends[-1] + size)

    def range(self, first: int, last: int) -> torch.Tensor:
        """Return the memory of some tensors that follow each other."""
        return self.whole[self.ends[first] : self.ends[last]]

    def fill(self, values: Iterable[torch.Tensor]) -> None:
        """Copy values in."""
        for view, value in zip(self.views, values, strict=True):
            view.copy_(value)


class Home:
    """Moves the parameters of a model into one piece of memory, and their gradients, until `leave`.

    A parameter without a gradient gets none before `show_gradients`, because a loop that never stepped has none either.
    """

    def __init__(self, module: nn.Module, parameters: Sequence[nn.Parameter]) -> None:
        names = {id(each): name for name, each in module.named_parameters()}
        self.parameters = list(parameters)
        with torch.no_grad():
            self.values, self.gradients = Flat(self.parameters), Flat(self.parameters)
            self.places = {names[id(each)]: place for place, each in enumerate(self.parameters)}
            self.values.fill(self.parameters)
            for each, view, gradient in zip(
                self.parameters, self.values.views, self.gradients.views, strict=True
            ):
                each.data = view
                if each.grad is not None:
                    gradient.copy_(each.grad)
                    each.grad = gradient

    def show_gradients(self) -> None:
        """Let each parameter have its gradient."""
        for each, gradient in zip(self.parameters, self.gradients.views, strict=True):
            each.grad = gradient

    def value(self, name: str) -> torch.Tensor:
        """Return the memory of a parameter."""
        found: torch.Tensor = self.values.views[self.places[name]]
        return found

    def gradient(self, name: str) -> torch.Tensor:
        """Return the memory of the gradient of a parameter."""
        found: torch.Tensor = self.gradients.views[self.places[name]]
        return found

    def leave(self) -> None:
        """Give each parameter and each gradient memory of its own."""
        for each in self.parameters:
            gradient = each.grad
            each.data = each.data.clone()
            each.grad = None if gradient is None else gradient.clone()
