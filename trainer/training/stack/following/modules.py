"""Modules that are one layer of a stack: ours, and those of torch. Any other module is followed into its forward method."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from trainer.models.dropout import Dropout
from trainer.models.layers import EachLinear, Embeddings
from trainer.models.linear_start import LinearStart
from trainer.models.numeric_embeddings import LinearEmbedding, Periodic, PiecewiseLinear
from trainer.models.tabm import Shared
from trainer.training.stack.following.operations import flattened, reshaped
from trainer.training.stack.following.traced import Codes, Traced
from trainer.training.stack.lowered import NotLoweredError

Follower = Callable[..., Traced]  # of the module's name, the module and its inputs


def _relu(_name: str, module: nn.ReLU, x: Traced) -> Traced:
    return _in_place(x, x.tape.add("relu", [x], x.row), module.inplace)


def _in_place(x: Traced, result: Traced, inplace: bool) -> Traced:
    """Let `x` be the result, as after a layer in place, unless something else was computed from it."""
    if inplace:
        if any(x.place in node.inputs for node in x.tape.nodes[:-1]):
            raise NotLoweredError("a layer in place on a value that has another use")
        x.place = result.place
    return result


def _dropout(name: str, _module: Dropout, x: Traced) -> Traced:
    return x.tape.add("dropout", [x], x.row, module=name)


def _embeddings(_name: str, module: Embeddings, codes: Codes) -> Traced:
    return (codes + module.offsets).vectors(module.table.weight)


def _layer_norm(_name: str, module: nn.LayerNorm, x: Traced) -> Traced:
    if tuple(module.normalized_shape) != x.row[-1:]:
        raise NotLoweredError("LayerNorm over several dimensions")
    kept = [each for each in (module.weight, module.bias) if each is not None]
    options = (module.eps, module.weight is not None, module.bias is not None)
    return x.tape.add("layer_norm", [x], x.row, parameters=kept, options=options)


def _batch_norm(name: str, module: nn.BatchNorm1d, x: Traced) -> Traced:
    if len(x.row) != 1 or module.num_features != x.row[0]:
        raise NotLoweredError("BatchNorm1d of rows that are no vectors")
    kept = [each for each in (module.weight, module.bias) if each is not None]
    options = (module.eps, module.momentum, module.affine, module.track_running_stats)
    return x.tape.add("batch_norm", [x], x.row, parameters=kept, module=name, options=options)


def _each_linear(_name: str, module: EachLinear, x: Traced) -> Traced:
    count, inputs, outputs = module.weight.shape
    if x.row != (count, inputs):
        raise NotLoweredError(f"EachLinear of {count} x {inputs} on rows of shape {x.row}")
    return x.tape.add("each_linear", [x], (count, outputs), parameters=[module.weight, module.bias])


def _shared(_name: str, module: Shared, x: Traced) -> Traced:
    parameters = [module.before, module.weight, module.after, module.bias]
    return x.tape.add("shared", [x], tuple(module.bias.shape), parameters=parameters)


def _fed(module: nn.Module, x: Traced) -> None:
    """Refuse a module of numeric features that gets other numbers."""
    if x.tape.nodes[x.place].layer != "feed":
        raise NotLoweredError(f"{type(module).__name__} of numbers that are no features")


def _linear_embedding(_name: str, module: LinearEmbedding, x: Traced) -> Traced:
    _fed(module, x)
    row = tuple(module.weight.shape)
    if x.is_empty:
        return x.tape.feed(row, "empty")
    return x.tape.add("scaled_vectors", [x], row, parameters=[module.weight, module.bias])


def _piecewise(name: str, module: PiecewiseLinear, x: Traced) -> Traced:
    _fed(module, x)
    if x.is_empty:
        return x.tape.feed((0, module.pieces.shape[2]), "empty")
    line = _linear_embedding(f"{name}.linear", module.linear, x)
    passed = x.tape.add("pieces", [x], tuple(module.pieces.shape[:2]), module=name)
    bent = x.tape.add("each_matmul", [passed], line.row, parameters=[module.pieces])
    return x.tape.add("add", [line, bent], line.row)


def _periodic(name: str, module: Periodic, x: Traced) -> Traced:
    _fed(module, x)
    columns, frequencies = module.frequencies.shape
    if x.is_empty:
        return x.tape.feed((0, module.linear.weight.shape[2]), "empty")
    waves = x.tape.add("waves", [x], (columns, 2 * frequencies), parameters=[module.frequencies])
    found = _each_linear(f"{name}.linear", module.linear, waves)
    return x.tape.add("relu", [found], found.row)


def _start(name: str, module: LinearStart, numeric: Traced, codes: Codes, rest: Traced) -> Traced:
    if module._shown is not None:
        raise NotLoweredError("a linear start of which a part is shown")
    inputs = [] if numeric.is_empty else [numeric]
    if codes.columns:
        inputs.append(codes.tape.feed(codes.row, "numbers", codes.columns, (codes + module.offsets).offsets))
    options = (not numeric.is_empty,)
    line = rest.tape.add("start", inputs, rest.row, module=name, options=options)
    return rest.tape.add("add", [line, rest], rest.row)


def _flatten(_name: str, module: nn.Flatten, x: Traced) -> Traced:
    return flattened(x, module.start_dim, module.end_dim)


FOLLOWERS: dict[type[nn.Module], Follower] = {
    nn.ReLU: _relu,
    Dropout: _dropout,
    Embeddings: _embeddings,
    nn.LayerNorm: _layer_norm,
    nn.BatchNorm1d: _batch_norm,
    EachLinear: _each_linear,
    Shared: _shared,
    LinearEmbedding: _linear_embedding,
    PiecewiseLinear: _piecewise,
    Periodic: _periodic,
    LinearStart: _start,
    nn.Flatten: _flatten,
}


def intercepted(module: nn.Module) -> dict[nn.Module, Callable[..., Any]]:
    """Return what takes the place of the forward method of each module in a model that is one layer."""
    found: dict[nn.Module, Callable[..., Any]] = {}
    for name, each in module.named_modules():
        follower = FOLLOWERS.get(type(each))
        if follower is not None:
            found[each] = partial(_followed, follower, name, each)
        elif isinstance(each, nn.modules.batchnorm._BatchNorm | nn.modules.instancenorm._InstanceNorm):
            raise NotLoweredError(f"module {type(each).__name__}")
    return found


def _followed(follower: Follower, name: str, module: nn.Module, *inputs: Any) -> Traced:
    if any(not isinstance(each, Traced | Codes) for each in inputs):
        raise NotLoweredError(f"{type(module).__name__} of a tensor that does not depend on the rows")
    return follower(name, module, *inputs)


def one_hot(numeric: Traced, codes: Codes, cardinalities: tuple[int, ...]) -> Traced:
    """Follow `trainer.models.network.flatten`."""
    if not cardinalities:
        return numeric
    width = numeric.row[0] + sum(each - 1 for each in cardinalities)
    return reshaped(codes.tape.feed((width,), "onehot", cardinalities), (width,))


def unknown_parameters(module: nn.Module, used: set[str]) -> list[str]:
    """Return the names of parameters that hold numbers, but that no node takes."""
    return [
        name
        for name, each in module.named_parameters()
        if name not in used and isinstance(each, torch.Tensor) and each.numel()
    ]
