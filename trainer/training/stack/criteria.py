"""Losses and their gradients with respect to the logits, for the models of a block at once.

They run in numpy, whose calls cost a third of those of torch for so few numbers, and which treats each row by itself: no result
depends on the other models.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from trainer.data.target import TaskKind
from trainer.tasks.losses import ClassLoss
from trainer.training.stack.feeding import Feed
from trainer.training.stack.slots import Slot

softplus: Any = torch._C._nn.softplus  # whose types do not name the buffer that it may write to
Array = Any  # of numpy, of the stack's type of numbers


@dataclass(frozen=True)
class Goal:
    """What one model's loss does with a target."""

    smoothing: float = 0.0
    weights: torch.Tensor | None = None  # of classes

    @classmethod
    def of(cls, loss: object) -> "Goal":
        """Return that of a loss of the task (None), or of classes."""
        return cls(loss.smoothing, loss.weights) if isinstance(loss, ClassLoss) else cls()


class Criterion:
    """The loss of a block: a call writes the gradient of the logits, `losses`, [models], and what the models got right.

    `hits` is [models, rows], the sum over all calls of whether a row is right, times its weight.
    """

    def __init__(
        self,
        kind: TaskKind,
        goals: Sequence[Goal],
        feeds: Sequence[Feed],
        logits: Slot,
        gradient: Slot,
        *,
        members: int | None,
    ) -> None:
        z, d = logits.stacked, gradient.stacked
        count, rows = z.shape[:2]
        inner = (members or 1,) + (
            (z[0, 0].numel() // (members or 1),) if kind is TaskKind.MULTICLASS else ()
        )
        self._z: Array = z.view(count, rows, *inner).numpy()
        self._d: Array = d.view(count, rows, *inner).numpy()
        self._per = rows * (members or 1)
        self._targets = _shared([each.target.numpy() for each in feeds])
        weights = [each.weight.numpy() for each in feeds if each.weight is not None]
        self._weights = _shared(weights) if weights else None
        shape = (count, *[1] * (self._z.ndim - 1))
        self._smoothing: Array = np.array([each.smoothing for each in goals], self._z.dtype).reshape(shape)
        self._is_smooth = bool(self._smoothing.any())
        self._classes: Array | None = None
        if any(each.weights is not None for each in goals):
            size = 2 if kind is TaskKind.BINARY else self._z.shape[-1]
            tables = [torch.ones(size) if each.weights is None else each.weights for each in goals]
            self._classes = torch.stack(tables).to(z.dtype).numpy()
        made = [torch.zeros(z.shape, dtype=z.dtype) for _ in range(2)]
        self._chances, self._rest = (each.view(self._z.shape).numpy() for each in made)
        self._product, self._right = np.zeros_like(self._rest), np.zeros(self._z.shape, bool)
        self._pairs = list(zip(z, *made, strict=True))
        self.losses = torch.zeros(count, dtype=z.dtype)
        self._losses: Array = self.losses.numpy()
        self.hits: Array = np.zeros((count, rows), self._z.dtype)
        kinds: dict[TaskKind, Callable[[], None]] = {
            TaskKind.BINARY: self._two_classes,
            TaskKind.MULTICLASS: self._classes_of_many,
            TaskKind.REGRESSION: self._numbers,
        }
        self.compute = kinds[kind]
        self._many = _Many(z.view(count, rows * (members or 1), -1)) if kind is TaskKind.MULTICLASS else None

    def _two_classes(self) -> None:
        z, y = self._z, self._target()
        t = y
        if self._is_smooth:
            t = y * (1 - self._smoothing) + self._smoothing / 2
        for logits, chances, losses in self._pairs:
            torch.sigmoid(logits, out=chances)
            softplus(logits, out=losses)
        chances, losses = self._chances, self._rest
        if z.shape[-1] == 1:
            right = np.greater(z, 0, out=self._right)[..., 0]
        else:
            right = np.greater(chances.mean(-1), 0.5)
        self._count(np.equal(right, np.greater(y, 0.5)[..., 0]))
        losses -= np.multiply(z, t, out=self._product)
        chances -= t
        factor = None
        if self._classes is not None:
            low, high = (self._classes[:, each, None, None] for each in (0, 1))
            factor = np.where(y > 0.5, high, low)
        self._finish(losses, chances, factor)

    def _numbers(self) -> None:
        rest = self._z - self._target()
        losses = rest * rest
        rest *= 2
        self._finish(losses, rest, None)

    def _classes_of_many(self) -> None:
        if self._many is None:
            raise LookupError("several classes")
        z, y, s = self._z, self._target()[..., None], self._smoothing
        logs = self._many.logarithms().reshape(z.shape)
        chances = np.exp(logs)
        own = np.broadcast_to(y, (*z.shape[:-1], 1))
        losses = -np.take_along_axis(logs, own, -1)[..., 0]
        likeliest = z[..., 0, :] if z.shape[2] == 1 else chances.mean(2)
        self._count(likeliest.argmax(-1) == y[..., 0, 0])
        if self._is_smooth:
            smooth = -logs.mean(-1)
            losses = losses * (1 - s[..., 0]) + smooth * s[..., 0]
            chances -= s / z.shape[-1]
        at = np.take_along_axis(chances, own, -1) - (1 - s)
        np.put_along_axis(chances, own, at.astype(z.dtype, copy=False), -1)
        factor = None
        if self._classes is not None:
            y2 = np.broadcast_to(self._target()[..., 0], z.shape[:2])
            factor = np.take_along_axis(self._classes, y2, 1)[..., None]
        self._finish(losses, chances, factor)

    def _target(self) -> Array:
        """Return the targets, [models or 1, rows, 1]."""
        return self._targets()

    def _count(self, right: Array) -> None:
        if self._weights is not None:
            right = right * self._weights()[..., 0]
        self.hits += right

    def _finish(self, losses: Array, gradient: Array, factor: Array | None) -> None:
        """Weigh rows: `losses` is [models, rows, members], `factor` a weight of each row by its class."""
        if self._weights is not None:
            own = self._weights()
            factor = own if factor is None else factor * own
        if factor is not None:
            losses = losses * factor
            gradient *= factor[..., None] if gradient.ndim > factor.ndim else factor
        np.multiply(gradient, 1 / self._per, out=self._d)
        np.add.reduce(losses.reshape(len(losses), -1), axis=1, out=self._losses)
        self._losses *= 1 / self._per


class _Many:
    """The logarithms of chances of several classes, of one model at a time."""

    def __init__(self, z: torch.Tensor) -> None:
        self._found = torch.zeros(z.shape, dtype=z.dtype)
        self._pairs = list(zip(z, self._found, strict=True))
        self._array: Array = self._found.numpy()

    def logarithms(self) -> Array:
        for z, out in self._pairs:
            torch.log_softmax(z, -1, out=out)
        return self._array


def _shared(each: Sequence[Array]) -> Callable[[], Array]:
    """Return what gives the values of all models, [models or 1, rows, 1], from the buffers of their feeds."""
    if all(value is each[0] or value.ctypes.data == each[0].ctypes.data for value in each):
        only = each[0][None, :, None]
        return lambda: only
    return lambda: np.stack(each)[..., None]
