"""Builds a model of the config, ours or the user's nn.Module, and adapts it to the one call of the loop.

That call is `network(numeric, categorical)`; it returns logits, [N] for one output and [N, K] for K. A module with a
whole number `members` is an ensemble: it returns [N, members] or [N, members, K], its loss is the mean over the members, and its
prediction is the mean of theirs. A part of a module with a method `observe` gets the training rows once, before training.
The signature of the module's `forward` decides
how it takes its input. One that needs two arguments, or names its second one `categorical`, gets float features
[N, F] and codes [N, C]. Any other gets one float tensor: the numeric features and the one-hot coded
categories side by side. A constructor gets `input_dim`, `output_dim`, `cardinalities` and `generator` if it
names them.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from trainer.data.tensors import Shape
from trainer.errors import ModelError
from trainer.models.arguments import parameters, settle
from trainer.models.dropout import Dropout
from trainer.seeding import Ambient, generator
from trainer.targets import bound, imported


@dataclass(frozen=True)
class Network:
    """A module, and how it takes its input."""

    module: nn.Module
    cardinalities: tuple[int, ...]
    takes_codes: bool
    outputs: int = 1

    @property
    def members(self) -> int | None:
        """The size of an ensemble; None for any other module."""
        found = getattr(self.module, "members", None)
        return found if isinstance(found, int) else None

    def __call__(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        """Return logits, with a dimension of members after the rows; raise ModelError for another shape."""
        if self.takes_codes:
            logits = self.module(numeric, categorical)
        else:
            logits = self.module(flatten(numeric, categorical, self.cardinalities))
        inner = (len(numeric),) if self.members is None else (len(numeric), self.members)
        shapes = [inner, (*inner, 1)] if self.outputs == 1 else [(*inner, self.outputs)]
        if not isinstance(logits, torch.Tensor) or logits.shape not in shapes:
            found = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
            wanted = "one logit per row is" if self.outputs == 1 else f"{self.outputs} logits per row are"
            raise ModelError(
                f"{type(self.module).__name__} returned {found} for {len(numeric)} rows; "
                f"{wanted} needed: a tensor of shape {' or '.join(map(str, shapes))}"
            )
        return logits.reshape(shapes[0])


def adapt(module: nn.Module, cardinalities: Sequence[int], outputs: int = 1) -> Network:
    """Return a module as a network that calls it as its signature needs."""
    parameters = [
        each
        for each in inspect.signature(module.forward).parameters.values()
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    required = [each for each in parameters if each.default is each.empty]
    takes_codes = len(required) >= 2 or (len(parameters) >= 2 and parameters[1].name == "categorical")
    return Network(module, tuple(cardinalities), takes_codes, outputs)


def flatten(numeric: torch.Tensor, categorical: torch.Tensor, cardinalities: Sequence[int]) -> torch.Tensor:
    """Return numeric features and one-hot coded categories side by side; code 0 (unseen) is all zeros."""
    columns = [
        nn.functional.one_hot(categorical[:, index], size)[:, 1:] for index, size in enumerate(cardinalities)
    ]
    return torch.cat([numeric, *(each.to(numeric.dtype) for each in columns)], dim=1)


def build_module(
    spec: Mapping[str, Any], shape: Shape, *, seed: int, outputs: int = 1
) -> tuple[nn.Module, dict[str, Any]]:
    """Build the model of a config; return it with the full specification that builds it again.

    `spec` is a `_target_` and its arguments, as Hydra instantiates them, nested ones too. Raise ConfigError
    when the target cannot be imported, ModelError when it is no nn.Module or its arguments do not fit, and
    whatever the constructor raises.
    """
    spec = complete(spec, shape, outputs=outputs)
    return construct(spec, seed=seed, shape=shape, outputs=outputs), spec


def complete(spec: Mapping[str, Any], shape: Shape, *, outputs: int = 1) -> dict[str, Any]:
    """Return the specification of a model with the sizes that its constructor names; raise as `build_module` does."""
    spec = settle(spec)
    named = parameters(imported("model", spec))
    one_hot = "cardinalities" not in named  # its one input tensor holds the categories, too
    offered = {
        "input_dim": shape.numeric + one_hot * sum(size - 1 for size in shape.cardinalities),
        "output_dim": outputs,
        "cardinalities": list(shape.cardinalities),
    }
    return {**spec, **{key: value for key, value in offered.items() if key in named and key not in spec}}


def construct(
    spec: Mapping[str, Any], *, seed: int, shape: Shape | None = None, outputs: int = 1
) -> nn.Module:
    """Build the module of a full specification and, with a shape, run two rows of zeros through it.

    Weights come from the run's own stream: by `generator` where the constructor names it, otherwise in place
    of the global state. The rows give lazy layers their size and reveal a wrong shape before training.
    """
    with Ambient(seed, "init").lent():
        factory = bound("model", spec)
        drawn = {"generator": generator(seed, "init")} if "generator" in parameters(factory.func) else {}
        module = factory(**drawn)
        if not isinstance(module, nn.Module):
            raise ModelError(
                f"model._target_={spec['_target_']} returned {type(module).__name__}; allowed is a torch.nn.Module"
            )
        if shape is not None:
            codes = torch.zeros(2, len(shape.cardinalities), dtype=torch.int64)
            module.eval()  # the zeros must not enter the statistics of batch normalisation
            with torch.no_grad():
                adapt(module, shape.cardinalities, outputs)(torch.zeros(2, shape.numeric), codes)
    return module


def use_dropout_stream(module: nn.Module, stream: torch.Generator) -> None:
    """Set the generator of our dropout layers in a module, which must be on the module's device."""
    for each in module.modules():
        if isinstance(each, Dropout):
            each.generator = stream


def observe(module: nn.Module, numeric: torch.Tensor) -> None:
    """Show the numeric features of the training rows to the parts of a module that ask for them."""
    for each in module.modules():
        look = getattr(each, "observe", None)
        if callable(look):
            look(numeric)
