"""Layers that put values together or take them apart."""

from functools import partial
from typing import Any

import torch

from trainer.training.stack.layers.setting import Calls, Setting, Sink
from trainer.training.stack.slots import Slot


def same_memory(a: Slot, b: Slot) -> bool:
    """Whether two slots are views of one."""
    return a.each[0].data_ptr() == b.each[0].data_ptr() and a.each[0].shape == b.each[0].shape


def _copied(target: Slot, value: Slot) -> Calls:
    if target.whole is not None and value.whole is not None:
        return [partial(target.whole.copy_, value.whole)]
    return [partial(t.copy_, v) for t, v in zip(target.each, value.each, strict=True)]


def _passed(sink: Sink | None, gradient: Slot) -> Calls:
    """Return the calls that pass a gradient on as it is."""
    if sink is None:
        return []
    if sink.total is not None:
        return [partial(sink.total.stacked.add_, gradient.stacked)]
    return [] if same_memory(sink.slot, gradient) else _copied(sink.slot, gradient)


def reshape(at: Setting) -> tuple[Calls, Calls]:
    """Show the same numbers in another shape: a view of the input."""
    gradient = at.gradient
    if gradient is None:
        return [], []
    shape = at.inputs[0].each[0].shape
    return [], _passed(at.sinks[0], gradient.view(*shape))


def add(at: Setting) -> tuple[Calls, Calls]:
    """Add two values of one shape."""
    forward: Calls = [
        partial(torch.add, a, b, out=z)
        for a, b, z in zip(at.inputs[0].each, at.inputs[1].each, at.output.each, strict=True)
    ]
    a, b = (each.whole for each in at.inputs)
    if a is not None and b is not None:
        forward = [partial(torch.add, a, b, out=at.output.stacked)]
    return forward, [call for sink in at.sinks for call in _passed(sink, at.grad)]


def multiply(at: Setting) -> tuple[Calls, Calls]:
    """Multiply two values of one shape."""
    a, b = at.inputs
    forward: Calls = [
        partial(torch.mul, x, y, out=z) for x, y, z in zip(a.each, b.each, at.output.each, strict=True)
    ]
    backward: Calls = []
    for sink, other in zip(at.sinks, (b, a), strict=True):
        if sink is not None:
            backward += [
                partial(torch.mul, d, v, out=g)
                for d, v, g in zip(at.grad.each, other.each, sink.slot.each, strict=True)
            ]
            backward += sink.added()
    return forward, backward


def scale(at: Setting) -> tuple[Calls, Calls]:
    """Multiply with a number, and add a number."""
    factor, shift = at.node.options
    forward: Calls = []
    for x, z in zip(at.inputs[0].each, at.output.each, strict=True):
        forward += [partial(torch.mul, x, factor, out=z), *([partial(z.add_, shift)] if shift else [])]
    sink = at.sinks[0]
    if sink is None:
        return forward, []
    backward: Calls = [partial(torch.mul, at.grad.stacked, factor, out=sink.slot.stacked)]
    return forward, backward + sink.added()


def concatenate(at: Setting) -> tuple[Calls, Calls]:
    """Put values side by side in the last dimension."""
    forward: Calls = []
    backward: Calls = []
    start = 0
    for value, sink in zip(at.inputs, at.sinks, strict=True):
        length = value.each[0].shape[-1]
        dim = value.each[0].ndim - 1
        forward += _beside(at.output.part(dim, start, length), value)
        if sink is not None:
            first = start - at.first_column
            backward += _passed(sink, at.grad.part(dim, first, length))
        start += length
    return forward, backward


def _beside(target: Slot, value: Slot) -> Calls:
    if value.whole is None and all(each is value.each[0] for each in value.each):
        return [partial(target.stacked.copy_, value.each[0])]
    return _copied(target, value)


def total(at: Setting) -> tuple[Calls, Calls]:
    """Sum over one dimension of a row, the first option, times a number, the second."""
    dim, factor = at.node.options
    forward: Calls = [
        partial(torch.sum, x, dim, out=z) for x, z in zip(at.inputs[0].each, at.output.each, strict=True)
    ]
    if factor != 1:
        forward.append(partial(at.output.stacked.mul_, factor))
    sink = at.sinks[0]
    if sink is None:
        return forward, []
    backward: Calls = [
        partial(
            torch.mul,
            at.grad.stacked.unsqueeze(dim + 1).expand_as(sink.slot.stacked),
            factor,
            out=sink.slot.stacked,
        )
    ]
    return forward, backward + sink.added()


def square(at: Setting) -> tuple[Calls, Calls]:
    """Multiply x with itself."""
    forward: Calls = [
        partial(torch.mul, x, x, out=z) for x, z in zip(at.inputs[0].each, at.output.each, strict=True)
    ]
    sink = at.sinks[0]
    if sink is None:
        return forward, []
    x: Any = at.inputs[0].stacked
    backward: Calls = [
        partial(torch.mul, at.grad.stacked, x, out=sink.slot.stacked),
        partial(sink.slot.stacked.mul_, 2),
    ]
    return forward, backward + sink.added()


def expand(at: Setting) -> tuple[Calls, Calls]:
    """Show a value to each member: [1, width] to [members, width]."""
    sink = at.sinks[0]
    forward: Calls = [
        partial(z.copy_, x.expand_as(z)) for x, z in zip(at.inputs[0].each, at.output.each, strict=True)
    ]
    if sink is None:
        return forward, []
    backward: Calls = [
        partial(torch.sum, d, 1, keepdim=True, out=g)
        for d, g in zip(at.grad.each, sink.slot.each, strict=True)
    ]
    return forward, backward + sink.added()


def narrow(at: Setting) -> tuple[Calls, Calls]:
    """Take a range of the columns, which begins at the first option."""
    first, length = at.node.options[0], at.node.shape[0]
    forward: Calls = [
        partial(z.copy_, x.narrow(1, first, length))
        for x, z in zip(at.inputs[0].each, at.output.each, strict=True)
    ]
    sink = at.sinks[0]
    if sink is None:
        return forward, []
    part = sink.slot.part(1, first, length)
    backward: Calls = [sink.slot.stacked.zero_, partial(part.stacked.copy_, at.grad.stacked)]
    return forward, backward + sink.added()
