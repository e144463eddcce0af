"""Where a training went wrong: at which step the loss was no finite number, and how large the gradients were before it.

On the CPU a loss is looked at as soon as it is there, while the gradients of the step before are still in place. On other
devices that would wait for the device in each step, so losses, and the norm of some gradients, stay there until the epoch
is over.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

EVERY = (
    16  # steps between two norms of gradients that are not on the CPU; each costs as much as a small layer
)


class NotFiniteError(ArithmeticError):
    """A loss is no finite number; ends an epoch early."""


@dataclass(frozen=True)
class Fault:
    """A loss that is not finite: its batch in the epoch (from 1), and what was known before it."""

    batch: int
    batches: int
    loss: float
    rate: float
    norm: float | None  # of the gradients, before they are clipped
    norm_batch: int  # the batch of that norm; 0 is the last one of the epoch before

    def where(self, epoch: int) -> str:
        """Return where the training was, and what came before it, in words."""
        step = (epoch - 1) * self.batches + self.batch
        found = f"at batch {self.batch} of {self.batches} (step {step})"
        before = self.batch - self.norm_batch
        if self.norm is None:
            return f"{found}, with a learning rate of {self.rate:g}"
        which = "the batch before" if before == 1 else f"{before} batches before" if before else "that batch"
        return f"{found}, with a gradient norm of {self.norm:.3g} at {which} and a learning rate of {self.rate:g}"


class Losses:
    """The losses of an epoch, step by step; `fault` is the first one that is not finite."""

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        self._parameters = list(model.parameters())
        self._optimizer = optimizer
        self._losses: torch.Tensor | None = None  # on a device
        self._norms: dict[int, torch.Tensor] = {}  # by batch, on a device
        self._rates: list[Any] = []  # numbers, or tensors that stay on a device
        self._clipped: torch.Tensor | None = None  # the norm before the last clipping
        self._batch = self._batches = 0
        self.fault: Fault | None = None

    def begin(self, batches: int, device: torch.device) -> None:
        """Begin an epoch."""
        self._batch, self._batches = 0, batches
        self._norms, self._rates, self.fault = {}, [], None
        self._losses = None if device.type == "cpu" else torch.zeros(batches, device=device)

    def see(self, loss: torch.Tensor) -> None:
        """Take note of the loss of the next batch, before its gradients; raise NotFiniteError where that can be told."""
        self._batch += 1
        if self._losses is not None:
            self._losses[self._batch - 1] = loss.detach()
            self._rates.append(self._rate())
        elif not math.isfinite(value := loss.item()):
            self.fault = self._fault(self._batch, value, self._rate(), self.norm(), self._batch - 1)
            raise NotFiniteError

    def stepped(self, clipped: torch.Tensor | None) -> None:
        """Take note of the gradients of a batch; `clipped` is their norm if they were clipped."""
        self._clipped = clipped
        if self._losses is not None and self._batch % EVERY == 1:
            self._norms[self._batch] = self._norm() if clipped is None else clipped

    def end(self) -> None:
        """Find the first loss that is not finite among those on a device."""
        if self._losses is None:
            return
        losses = self._losses.tolist()
        batch = next((place for place, each in enumerate(losses, 1) if not math.isfinite(each)), None)
        if batch is not None:
            known = max((each for each in self._norms if each < batch), default=0)
            norm = self._norms[known].item() if known else None
            self.fault = self._fault(batch, losses[batch - 1], self._rates[batch - 1], norm, known)

    def last(self, loss: float) -> Fault:
        """Return how the training was after the last batch, for a loss of the validation."""
        return self._fault(self._batch, loss, self._rate(), self.norm(), self._batch)

    def norm(self) -> float | None:
        """Return the norm of the present gradients, before they were clipped; None before the first ones."""
        if self._clipped is not None:
            return self._clipped.item()
        return self._norm().item() if self._gradients() else None

    def _norm(self) -> torch.Tensor:
        return nn.utils.get_total_norm(self._gradients())

    def _gradients(self) -> list[torch.Tensor]:
        found = [each.grad for each in self._parameters]
        return [each for each in found if each is not None and not each.is_sparse]

    def _rate(self) -> Any:
        return self._optimizer.param_groups[0].get("lr", math.nan)

    def _fault(self, batch: int, loss: float, rate: Any, norm: float | None, norm_batch: int) -> Fault:
        return Fault(batch, self._batches, loss, float(rate), norm, norm_batch)
