"""Linear layers: one product per model in the forward pass, two in the backward pass."""

from trainer.training.stack.layers.pointwise import scaled
from trainer.training.stack.layers.setting import Calls, Setting
from trainer.training.stack.products import affine, column_sums, product


def linear(at: Setting) -> tuple[Calls, Calls]:
    """Compute x @ weight.T + bias, with weights [outputs, inputs]; rows may have further dimensions, which share the weights.

    The gradient of the input is computed for those of its columns alone that need one. Where the input comes from dropout,
    its scale is a factor of the product, which costs nothing, and of the gradient, which is mostly narrower.
    """
    forward: Calls = []
    sums: Calls = []
    backward: Calls = []
    has_bias = len(at.values) > 1
    sink = at.sinks[0]
    for k, weight in enumerate(at.values[0]):
        x = at.inputs[0].each[k].flatten(0, -2)
        z = at.output.each[k].flatten(0, -2)
        mask = at.masks[k]
        scale = 1.0 if mask is None else mask.scale
        forward += affine(x, weight, at.values[1][k] if has_bias else None, z, scale)
        d = at.grad.each[k].flatten(0, -2)
        if has_bias:
            sums.append(column_sums(d, at.gradients[1][k]))
        backward.append(product(d.t(), x, at.gradients[0][k]))
        if sink is not None:
            columns = weight.narrow(1, sink.start, sink.length)
            backward.append(product(d, columns, sink.slot.each[k].view(-1, sink.length)))
    backward = [*sums, *scaled(at.grad, at.masks), *backward]
    return forward, backward + (sink.added() if sink else [])


def matmul(at: Setting) -> tuple[Calls, Calls]:
    """Compute x @ weight, with weights [inputs, outputs]."""
    forward: Calls = []
    backward: Calls = []
    sink = at.sinks[0]
    inputs = len(at.values[0][0])
    for k, weight in enumerate(at.values[0]):
        x = at.inputs[0].each[k].flatten(0, -2)
        d = at.grad.each[k].flatten(0, -2)
        forward.append(product(x, weight, at.output.each[k].flatten(0, -2)))
        backward.append(product(x.t(), d, at.gradients[0][k]))
        if sink is not None:
            backward.append(product(d, weight.t(), sink.slot.each[k].view(-1, inputs)))
    return forward, backward + (sink.added() if sink else [])
