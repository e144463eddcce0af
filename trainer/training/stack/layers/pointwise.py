"""Layers that treat each number alone.

Sums, products and comparisons do not depend on where a number is in memory, so they run over all models at once. Exponentials do:
a vector unit and the code for the last few numbers may differ in the last digit, so those run for one model at a time.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from trainer.training.stack.layers.setting import Calls, Setting
from trainer.training.stack.masks import Mask
from trainer.training.stack.slots import Call, Slot

ops: Any = torch.ops.aten


def relu(at: Setting) -> tuple[Calls, Calls]:
    """Take the larger of 0 and x."""
    sink, z = at.sinks[0], at.output.stacked
    forward: Calls = [z.relu_] if at.in_place() else [_each(torch.clamp_min, at, min=0)]
    if sink is None:
        return forward, []
    grad = ops.threshold_backward.grad_input
    calls: Calls = [partial(grad, at.grad.stacked, z, 0, grad_input=sink.slot.stacked)]
    return forward, calls + sink.added()


def _each(function: Any, at: Setting, **options: Any) -> Any:
    """Return the call of a function from the input to the output of all models."""
    if at.inputs[0].whole is not None:
        return partial(function, at.inputs[0].whole, out=at.output.stacked, **options)
    pairs: Calls = [
        partial(function, x, out=z, **options) for x, z in zip(at.inputs[0].each, at.output.each, strict=True)
    ]
    return partial(_all, pairs)


def _all(calls: Calls) -> None:
    for call in calls:
        call()


def curved(at: Setting) -> tuple[Calls, Calls]:
    """Compute an activation with exponentials; the first option is its name, the second its arguments."""
    name, options = at.node.options[0], dict(at.node.options[1])
    function, gradient, takes_output = CURVES[name]
    forward: Calls = [
        partial(function, x, out=z, **options) for x, z in zip(at.inputs[0].each, at.output.each, strict=True)
    ]
    sink = at.sinks[0]
    if sink is None:
        return forward, []
    known = at.output.each if takes_output else at.inputs[0].each
    backward: Calls = [
        partial(gradient, d, v, grad_input=g, **options)
        for d, v, g in zip(at.grad.each, known, sink.slot.each, strict=True)
    ]
    return forward, backward + sink.added()


def _elu_gradient(
    d: torch.Tensor,
    x: torch.Tensor,
    *,
    grad_input: torch.Tensor,
    alpha: float,
    scale: float,
    input_scale: float,
) -> None:
    ops.elu_backward.grad_input(d, alpha, scale, input_scale, False, x, grad_input=grad_input)


def _leaky_gradient(
    d: torch.Tensor, x: torch.Tensor, *, grad_input: torch.Tensor, negative_slope: float
) -> None:
    ops.leaky_relu_backward.grad_input(d, x, negative_slope, False, grad_input=grad_input)


CURVES: dict[Any, tuple[Any, Any, bool]] = {  # the function, its gradient, and whether that takes the result
    "gelu": (ops.gelu.out, ops.gelu_backward.grad_input, False),
    "silu": (ops.silu.out, ops.silu_backward.grad_input, False),
    "sigmoid": (torch.sigmoid, ops.sigmoid_backward.grad_input, True),
    "tanh": (torch.tanh, ops.tanh_backward.grad_input, True),
    "leaky_relu": (ops.leaky_relu.out, _leaky_gradient, False),
    "elu": (ops.elu.out, _elu_gradient, False),
}


def dropout(at: Setting) -> tuple[Calls, Calls]:
    """Set what the masks of the step drop to zero, and scale the rest, unless the next layer does.

    After a ReLU in place the backward pass has nothing to drop: that of the ReLU drops whatever is zero.
    """
    sink = at.sinks[0]
    forward: Calls = [] if at.in_place() else [partial(at.output.stacked.copy_, at.inputs[0].stacked)]
    forward += _dropped(at, at.output) + _scaled(at, at.output)
    if sink is None:
        return forward, []
    is_there = sink.slot.each[0].data_ptr() == at.grad.each[0].data_ptr()
    backward: Calls = [] if is_there else [partial(sink.slot.stacked.copy_, at.grad.stacked)]
    if not (at.in_place() and at.before == "relu"):
        backward += _dropped(at, sink.slot)
    return forward, backward + _scaled(at, sink.slot) + sink.added()


def _dropped(at: Setting, slot: Slot) -> Calls:
    """Return the calls that keep a value where its level is above the threshold."""
    keep = ops.threshold_backward.grad_input
    first = at.masks[0]
    if first is not None and all(each is not None and each.same(first) for each in at.masks):
        return [partial(keep, slot.stacked, first.levels, first.threshold, grad_input=slot.stacked)]
    return [
        partial(keep, value, mask.levels, mask.threshold, grad_input=value)
        for value, mask in zip(slot.each, at.masks, strict=True)
        if mask is not None
    ]


def _scaled(at: Setting, slot: Slot) -> Calls:
    return [] if at.is_unscaled else scaled(slot, at.masks)


def scaled(slot: Slot, masks: Sequence[Mask | None]) -> Calls:
    """Return the calls that multiply the value of each model by the scale of its mask."""
    scales = [1.0 if each is None else each.scale for each in masks]
    if len(set(scales)) == 1 and slot.whole is not None:
        return [] if scales[0] == 1 else [times(slot.whole, scales[0])]
    return [times(value, scale) for value, scale in zip(slot.each, scales, strict=True) if scale != 1]


def times(x: torch.Tensor, factor: float) -> Call:
    """Return the call that multiplies with a number, by numpy, which takes it without making a tensor of it."""
    array: Any = x.numpy()
    return partial(np.multiply, array, array.dtype.type(factor), out=array)
