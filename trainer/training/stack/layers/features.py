"""Vectors for categories and for numeric features, and the linear model that a network starts from."""

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import nn

from trainer.models.linear_start import LinearStart
from trainer.models.numeric_embeddings import PiecewiseLinear
from trainer.training.stack.layers.setting import Calls, Setting


def lookup(at: Setting) -> tuple[Calls, Calls]:
    """Take a row of the table for each number.

    The second input holds, for each number, the places of its vector in the table as one piece of memory: adding gradients at
    those takes a third of the time of adding whole rows.
    """
    forward: Calls = []
    backward: Calls = []
    for k, table in enumerate(at.values[0]):
        numbers, places = (each.each[k].view(-1) for each in at.inputs)
        found = at.output.each[k].view(-1, table.shape[1])
        total = at.gradients[0][k]
        forward.append(
            partial(np.take, table.numpy(), numbers.numpy(), axis=0, out=found.numpy(), mode="clip")
        )
        backward += [
            total.zero_,
            partial(total.view(-1).scatter_add_, 0, places, at.grad.each[k].reshape(-1)),
        ]
    return forward, backward


def scaled_vectors(at: Setting) -> tuple[Calls, Calls]:
    """Multiply a vector of each feature with its number, and add another vector."""
    forward: Calls = []
    backward: Calls = []
    product = at.buffer("product", at.rows, *at.node.shape)
    for k, (weight, bias) in enumerate(zip(*at.values, strict=True)):
        x, d, p = at.inputs[0].each[k].unsqueeze(-1), at.grad.each[k], product.each[k]
        of_weight, of_bias = (each[k] for each in at.gradients)
        forward.append(partial(torch.addcmul, bias, x, weight, out=at.output.each[k]))
        backward += [
            partial(torch.sum, d, 0, out=of_bias),
            partial(torch.mul, d, x, out=p),
            partial(torch.sum, p, 0, out=of_weight),
        ]
    return forward, backward


def pieces(at: Setting) -> tuple[Calls, Calls]:
    """Tell how far each number has passed each bin of its feature, from 0 to 1."""
    forward: Calls = []
    for k, module in enumerate(at.modules()):
        if isinstance(module, PiecewiseLinear):
            x, z = at.inputs[0].each[k].unsqueeze(-1), at.output.each[k]
            forward += [
                partial(torch.sub, x, module.left, out=z),
                partial(z.mul_, module.slope),
                partial(z.clamp_, 0, 1),
            ]
    return forward, []


def waves(at: Setting) -> tuple[Calls, Calls]:
    """Compute the cosines and the sines of each number at the frequencies of its feature."""
    forward: Calls = []
    backward: Calls = []
    columns, count = at.values[0][0].shape
    angles = at.buffer("angles", at.rows, columns, count)
    for k, frequencies in enumerate(at.values[0]):
        x, angle = at.inputs[0].each[k].unsqueeze(-1), angles.each[k]
        z, d = at.output.each[k], at.grad.each[k]
        forward.append(partial(_waves, x, frequencies, angle, z))
        backward.append(partial(_of_frequencies, x, z, d, at.gradients[0][k]))
    return forward, backward


def _waves(x: torch.Tensor, frequencies: torch.Tensor, angle: torch.Tensor, z: torch.Tensor) -> None:
    torch.mul(x * (2 * math.pi), frequencies, out=angle)
    torch.cat([angle.cos(), angle.sin()], dim=-1, out=z)


def _of_frequencies(x: torch.Tensor, z: torch.Tensor, d: torch.Tensor, out: torch.Tensor) -> None:
    (cos, sin), (of_cos, of_sin) = z.chunk(2, dim=-1), d.chunk(2, dim=-1)
    torch.sum((of_sin * cos - of_cos * sin) * (x * (2 * math.pi)), 0, out=out)


def start(at: Setting) -> tuple[Calls, Calls]:
    """Compute the logits of the linear model that was fitted before; nothing of it is trained."""
    forward: Calls = []
    for k, module in enumerate(at.modules()):
        forward.append(partial(_line, at, module, [each.each[k] for each in at.inputs], at.output.each[k]))
    return forward, []


def _line(at: Setting, module: nn.Module, inputs: Sequence[torch.Tensor], z: torch.Tensor) -> None:
    if not isinstance(module, LinearStart):
        raise LookupError("a linear start")
    left = list(inputs)
    z.copy_(module.bias.expand_as(z))
    if at.node.options[0]:
        z.addmm_(left.pop(0), module.numeric)
    if left:
        z.add_(nn.functional.embedding(left[0], module.codes).sum(dim=1))
