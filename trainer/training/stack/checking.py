"""Compares a lowered model with the model itself, once per architecture, before it is trusted: logits and gradients of some rows.

Both compute in double precision, in which two right answers agree to many digits; a large model, of which that would need too much
memory, computes in its own.
"""

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from trainer.data.tensors import Split
from trainer.errors import ModelError
from trainer.models.dropout import Dropout
from trainer.models.network import Network
from trainer.training.stack.feeding import Feed, Sources
from trainer.training.stack.flat_storage import Home
from trainer.training.stack.lowered import Graph, NotLoweredError
from trainer.training.stack.masks import Masks, dropout_layers, streams_of
from trainer.training.stack.program import Program, run
from trainer.training.stack.slots import Pool

ROWS = 7
LARGE = 1 << 22  # parameters
TOLERANCES = {
    torch.float64: 1e-5,
    torch.float32: 1e-3,
}  # of the largest number; the scale of dropout is always of single precision


def check(network: Network, graph: Graph, rows: Split) -> None:
    """Raise NotLoweredError where the model and its graph disagree on the first rows."""
    some = rows.take(torch.arange(min(ROWS, len(rows))))  # copies, also of rows in files
    some = replace(some, categorical=some.categorical.long())
    model = _copied(network.module)
    try:
        logits, gradients = gradients_of(replace(network, module=model), some)
    except (RuntimeError, TypeError, ValueError, LookupError, ModelError) as error:
        raise NotLoweredError(
            f"{type(network.module).__name__}, which fails on the first rows ({error})"
        ) from error
    found, lowered = gradients_of_graph(model, graph, some, logits.shape)
    if not _agree(found, logits):
        raise NotLoweredError(f"{type(network.module).__name__} computes other logits than its layers")
    for name, each in gradients.items():
        if each.numel() and not _agree(lowered[name], each):
            raise NotLoweredError(
                f"{type(network.module).__name__} has another gradient of {name} than its layers"
            )


def _agree(a: torch.Tensor, b: torch.Tensor) -> bool:
    scale = max(1e-3, float(b.abs().max()))
    return bool(torch.allclose(a / scale, b / scale, rtol=0, atol=TOLERANCES[b.dtype], equal_nan=True))


def _copied(module: nn.Module) -> nn.Module:
    """Return a copy whose layers of dropout draw from a stream of their own, and in which no parameter is all zeros.

    Zeros, such as those of a last layer before training, would hide the gradients of the layers before them.
    """
    dtype = torch.float32 if sum(each.numel() for each in module.parameters()) > LARGE else torch.float64
    stream = torch.Generator()
    known: dict[int, Any] = {
        id(each.generator): stream
        for each in module.modules()
        if isinstance(each, Dropout) and each.generator is not None
    }
    for each in module.parameters():
        value = each.detach().to(dtype, copy=True)
        if not value.any():
            value.view(-1).copy_(torch.linspace(-0.3, 0.4, value.numel(), dtype=dtype))
        known[id(each)] = nn.Parameter(value)
    try:
        return copy.deepcopy(module, known).to(dtype).train()
    except (TypeError, RuntimeError, AttributeError, ValueError) as error:
        raise NotLoweredError(f"{type(module).__name__}, of which no copy can be made ({error})") from error


def _dtype(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype


def _seeded(module: nn.Module) -> None:
    for each in module.modules():
        if isinstance(each, Dropout) and each.generator is not None:
            each.generator.manual_seed(0)


def _weights(shape: torch.Size, dtype: torch.dtype) -> torch.Tensor:
    """Return what the logits are multiplied with before they are summed, so that each has a gradient of its own."""
    return torch.linspace(0.5, 1.5, shape.numel(), dtype=dtype).view(shape)


def gradients_of(network: Network, rows: Split) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return the logits, and the gradients of all parameters by autograd, for weights of the logits between 0.5 and 1.5."""
    module = network.module
    _seeded(module)
    buffers = {name: each.clone() for name, each in module.named_buffers()}
    with torch.enable_grad():
        logits = network(rows.numeric.to(_dtype(module)), rows.categorical)
        torch.autograd.backward((logits * _weights(logits.shape, logits.dtype)).sum())
    for name, each in module.named_buffers():
        each.copy_(buffers[name])
    found = {}
    for name, each in module.named_parameters():
        found[name] = torch.zeros_like(each) if each.grad is None else each.grad.clone()
        each.grad = None
    return logits.detach(), found


def gradients_of_graph(
    module: nn.Module, graph: Graph, rows: Split, shape: torch.Size
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return the logits of the graph, and the gradients of all parameters, for the same weights."""
    _seeded(module)
    dtype = _dtype(module)
    home = Home(module, list(module.parameters()))
    sources = Sources(rows, graph, dtype)
    feed = Feed(sources, len(rows))
    layers = [dropout_layers(graph, module)]
    masks = Masks(graph, layers, streams_of(layers), len(rows), dtype)
    with torch.no_grad():
        program = Program(
            graph,
            [module],
            [home],
            rows=len(rows),
            pool=Pool(dtype),
            inputs=lambda _, place: feed.buffers[place],
            masks=masks.of,
        )
        feed.load(torch.arange(len(rows)), 0, len(rows))
        masks.draw()
        run(program.forward)
        logits = program.logits.each[0].view(shape).clone()
        program.gradient.each[0].view(shape).copy_(_weights(shape, dtype))
        run(program.backward)
    return logits, {name: home.gradient(name) for name, _ in module.named_parameters()}
