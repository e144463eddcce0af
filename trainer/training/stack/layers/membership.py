"""Layers with a place for each member or column: [rows, places, numbers]."""

from functools import partial

import torch

from trainer.training.stack.layers.setting import Calls, Setting
from trainer.training.stack.products import product


def each_linear(at: Setting) -> tuple[Calls, Calls]:
    """Apply a linear layer of its own to each place, with weights [places, inputs, outputs] and, if any, a bias for each."""
    forward: Calls = []
    backward: Calls = []
    places, inputs, outputs = at.values[0][0].shape
    sink = at.sinks[0]
    found = at.buffer("found", places, at.rows, outputs)
    back = at.buffer("back", places, at.rows, inputs) if sink else None
    for k, weight in enumerate(at.values[0]):
        x = at.inputs[0].each[k].transpose(0, 1)
        z, d = at.output.each[k].transpose(0, 1), at.grad.each[k].transpose(0, 1)
        forward.append(partial(torch.bmm, x, weight, out=found.each[k]))
        if len(at.values) > 1:
            forward.append(partial(torch.add, found.each[k], at.values[1][k].unsqueeze(1), out=z))
            backward.append(partial(torch.sum, at.grad.each[k], 0, out=at.gradients[1][k]))
        else:
            forward.append(partial(z.copy_, found.each[k]))
        backward.append(partial(torch.bmm, x.transpose(1, 2), d, out=at.gradients[0][k]))
        if sink is not None and back is not None:
            backward.append(partial(torch.bmm, d, weight.transpose(1, 2), out=back.each[k]))
            backward.append(partial(sink.slot.each[k].copy_, back.each[k].transpose(0, 1)))
    return forward, backward + (sink.added() if sink else [])


def shared(at: Setting) -> tuple[Calls, Calls]:
    """Compute (x * before) @ weight * after + bias, where members share the weight alone."""
    forward: Calls = []
    backward: Calls = []
    members, inputs = at.values[0][0].shape
    outputs = at.values[1][0].shape[1]
    sink = at.sinks[0]
    scaled = at.buffer("scaled", at.rows, members, inputs)
    made = at.buffer("made", at.rows, members, outputs)
    wide, narrow = at.buffer("wide", at.rows, members, inputs), at.buffer("narrow", at.rows, members, outputs)
    for k in range(len(at.models)):
        before, weight, after, bias = (each[k] for each in at.values)
        of_before, of_weight, of_after, of_bias = (each[k] for each in at.gradients)
        x, z, d = at.inputs[0].each[k], at.output.each[k], at.grad.each[k]
        s, u, g, n = (each.each[k] for each in (scaled, made, wide, narrow))
        flat_s, flat_u, flat_n = s.view(-1, inputs), u.view(-1, outputs), n.view(-1, outputs)
        forward += [
            partial(torch.mul, x, before, out=s),
            product(flat_s, weight, flat_u),
            partial(torch.addcmul, bias, u, after, out=z),
        ]
        backward += [
            partial(torch.sum, d, 0, out=of_bias),
            partial(torch.mul, d, u, out=n),
            partial(torch.sum, n, 0, out=of_after),
            partial(torch.mul, d, after, out=n),
            product(flat_s.t(), flat_n, of_weight),
            product(flat_n, weight.t(), g.view(-1, inputs)),
        ]
        if sink is not None:
            backward.append(partial(torch.mul, g, before, out=sink.slot.each[k]))
        backward += [partial(g.mul_, x), partial(torch.sum, g, 0, out=of_before)]
    return forward, backward + (sink.added() if sink else [])
