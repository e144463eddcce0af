"""Each layer of a stack against autograd, in double precision: results, and gradients of parameters and inputs."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from stacked import FEATURES, built_modules, rows_of
from torch import nn
from torch.nn import functional

from trainer.models.network import Network, adapt
from trainer.training.stack.checking import gradients_of, gradients_of_graph
from trainer.training.stack.following.follow import followed
from trainer.training.stack.layers.catalogue import LAYERS

FORWARDS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": torch.relu,
    "gelu": functional.gelu,
    "gelu by tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.2),
    "elu": lambda x: functional.elu(x, 0.7),
    "twice": lambda x: torch.tanh(x) + x,
    "itself twice": lambda x: x + x,
    "relu and more": lambda x: torch.relu(x) + torch.sigmoid(x),
    "product": lambda x: torch.sigmoid(x) * x,
    "square": lambda x: x * x,
    "power": lambda x: x**2,
    "scaled": lambda x: (1 - x * 3) / 2,
    "difference": lambda x: torch.tanh(x) - torch.relu(x),
    "beside": lambda x: torch.cat([torch.tanh(x), x, torch.relu(x)], dim=1),
    "part": lambda x: torch.cat([x[:, 2:5], torch.relu(x[:, 1:4])], dim=-1),
    "sum": lambda x: x * x.sum(dim=1, keepdim=True).unsqueeze(1).expand(-1, 6, -1).flatten(1),
    "mean": lambda x: x.unsqueeze(1).mean(dim=1),
    "shapes": lambda x: x.view(-1, 2, 3).flatten(1).reshape(x.shape[0], 3, 2).flatten(1),
    "relu of a relu": lambda x: torch.relu(torch.relu(x) * 2 - 0.3),
}


class Between(nn.Module):
    """A function of numbers between two linear layers."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.function = FORWARDS[name]
        self.first = nn.Linear(FEATURES, 6)
        self.last = nn.LazyLinear(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.function(self.first(x)))


def between(name: str) -> Network:
    module = Between(name)
    module(torch.zeros(2, FEATURES))
    return adapt(module, ())


NETWORKS: dict[str, Callable[[], Network]] = {
    **{name: (lambda name=name: between(name)) for name in FORWARDS},
    **built_modules(),
}


def layers_of(name: str) -> set[str]:
    return {node.layer for node in followed(NETWORKS[name](), FEATURES).nodes}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_layer_has_the_results_and_the_gradients_of_autograd(name: str) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name]()
    module = network.module.double().train()
    rows = rows_of(count=11, cardinalities=network.cardinalities)
    graph = followed(network, FEATURES)
    logits, gradients = gradients_of(replace(network, module=module), rows)
    found, lowered = gradients_of_graph(module, graph, rows, logits.shape)
    torch.testing.assert_close(found, logits, rtol=1e-7, atol=1e-9)
    assert any(each.abs().max() > 1e-4 for each in gradients.values() if each.numel())
    for parameter, each in gradients.items():
        torch.testing.assert_close(lowered[parameter], each, rtol=1e-7, atol=1e-9, msg=parameter)


def test_every_layer_is_compared_with_autograd() -> None:
    assert set.union(*(layers_of(name) for name in NETWORKS)) - {"feed"} == set(LAYERS)
