"""Layers that normalise: torch's own kernels, called for one model at a time."""

from functools import partial
from typing import Any

import torch
from torch import nn

from trainer.training.stack.layers.setting import Calls, Setting

ops: Any = torch.ops.aten


class _Norm:
    """What the forward pass of one model leaves for its backward pass."""

    def __init__(self, at: Setting, k: int, gains: list[torch.Tensor | None]) -> None:
        self._x, self._z, self._d = at.inputs[0].each[k], at.output.each[k], at.grad.each[k]
        sink = at.sinks[0]
        self._dx = None if sink is None else sink.slot.each[k]
        self._weight, self._bias = gains
        self._gradients = [each[k] for each in at.gradients]
        self._saved: tuple[torch.Tensor, torch.Tensor] | None = None

    def _keep(self, found: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
        self._z.copy_(found[0])
        self._saved = found[1], found[2]

    def _write(self, found: tuple[torch.Tensor | None, ...]) -> None:
        if self._dx is not None and found[0] is not None:
            self._dx.copy_(found[0])
        for target, value in zip(
            self._gradients, [each for each in found[1:] if each is not None], strict=True
        ):
            target.copy_(value)

    @property
    def _asked(self) -> list[bool]:
        return [self._dx is not None, self._weight is not None, self._bias is not None]

    @property
    def _moments(self) -> tuple[torch.Tensor, torch.Tensor]:
        if self._saved is None:
            raise LookupError("the backward pass comes after the forward pass")
        return self._saved


class _Rows(_Norm):
    """Each row by its own mean and variance."""

    def __init__(self, at: Setting, k: int, gains: list[torch.Tensor | None]) -> None:
        super().__init__(at, k, gains)
        self._shape = self._x.shape[-1:]
        self._eps = at.node.options[0]

    def forward(self) -> None:
        self._keep(ops.native_layer_norm(self._x, self._shape, self._weight, self._bias, self._eps))

    def backward(self) -> None:
        moments = self._moments
        gains = self._weight, self._bias
        self._write(
            ops.native_layer_norm_backward(self._d, self._x, self._shape, *moments, *gains, self._asked)
        )


class _Batch(_Norm):
    """Each column by its mean and variance in the batch, which enter the running ones of the module."""

    def __init__(self, at: Setting, k: int, gains: list[torch.Tensor | None], module: nn.BatchNorm1d) -> None:
        super().__init__(at, k, gains)
        self._module = module
        self._running = (
            (module.running_mean, module.running_var) if module.track_running_stats else (None, None)
        )

    def forward(self) -> None:
        module = self._module
        momentum = module.momentum
        if module.num_batches_tracked is not None:
            module.num_batches_tracked.add_(1)
            momentum = 1 / int(module.num_batches_tracked) if momentum is None else momentum
        self._keep(
            ops.native_batch_norm(
                self._x, self._weight, self._bias, *self._running, True, momentum or 0.0, module.eps
            )
        )

    def backward(self) -> None:
        moments = self._moments
        eps = self._module.eps
        self._write(
            ops.native_batch_norm_backward(
                self._d, self._x, self._weight, *self._running, *moments, True, eps, self._asked
            )
        )


def _gains(at: Setting, k: int, *, has_weight: bool, has_bias: bool) -> list[torch.Tensor | None]:
    """Return the factor and the summand of the columns, each None where there is none."""
    left = [each[k] for each in at.values]
    return [left.pop(0) if has_weight else None, left.pop(0) if has_bias else None]


def layer_norm(at: Setting) -> tuple[Calls, Calls]:
    """Apply LayerNorm over the last dimension."""
    _, has_weight, has_bias = at.node.options
    norms = [
        _Rows(at, k, _gains(at, k, has_weight=has_weight, has_bias=has_bias)) for k in range(len(at.models))
    ]
    return _both(at, norms)


def batch_norm(at: Setting) -> tuple[Calls, Calls]:
    """Apply BatchNorm1d over the rows of the batch."""
    is_affine = at.node.options[2]
    norms = []
    for k, module in enumerate(at.modules()):
        if isinstance(module, nn.BatchNorm1d):
            norms.append(_Batch(at, k, _gains(at, k, has_weight=is_affine, has_bias=is_affine), module))
    return _both(at, norms)


def _both(at: Setting, norms: list[Any]) -> tuple[Calls, Calls]:
    sink = at.sinks[0]
    backward: Calls = [partial(each.backward) for each in norms]
    return [each.forward for each in norms], backward + (sink.added() if sink else [])
