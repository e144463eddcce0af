"""Masks of dropout in a stack: bit for bit those that the layers draw, from streams that end where those of the layers do."""

import pytest
import torch
from stacked import perceptron, rows_of, steps_of
from torch import nn

from trainer.models.dropout import Dropout, mask
from trainer.seeding import generator
from trainer.training.stack.following.follow import followed
from trainer.training.stack.masks import Masks, dropout_layers, settle, streams_of

WIDTHS = (5, 16, 7)
Drawn = list[torch.Tensor]


def stacked(
    rates: list[float], seeds: list[int], rows: int, steps: int
) -> tuple[list[Drawn], list[torch.Tensor]]:
    """Return the masks of each model, layer by layer and step by step, and the states of their streams."""
    models = [perceptron(0, rate, hidden_dims=WIDTHS) for rate in rates]
    networks = [steps_of(model, seed=seed).network for model, seed in zip(models, seeds, strict=True)]
    graph = followed(networks[0], rows_of().numeric.shape[1])
    layers = [dropout_layers(graph, each.module) for each in networks]
    streams = streams_of(layers)
    masks = Masks(graph, layers, streams, rows, torch.float32)
    drawn: list[Drawn] = [[] for _ in models]
    for _ in range(steps):
        masks.draw()
        for k, own in enumerate(layers):
            for place in own:
                found = masks.of(k, place)
                if found is not None:
                    drawn[k].append((found.levels > found.threshold) * torch.tensor(found.scale))
    settle(streams, layers)
    return drawn, [stream_of(model).get_state() for model in models]


def alone(rate: float, seed: int, rows: int, steps: int) -> tuple[Drawn, torch.Tensor]:
    stream = generator(seed, "dropout")
    shapes = [torch.Size((rows, width)) for width in WIDTHS] * steps
    drawn = [mask(each, rate, device=torch.device("cpu"), generator=stream) for each in shapes if rate]
    return drawn, stream.get_state()


def stream_of(model: nn.Module) -> torch.Generator:
    return next(each.generator for each in model.modules() if isinstance(each, Dropout) and each.generator)


@pytest.mark.parametrize("rows", [1, 3, 16])
def test_each_model_has_the_masks_that_its_layers_draw(rows: int) -> None:
    rates, seeds = [0.3, 0.1, 0.0, 0.3, 0.9, 1e-7], [0, 0, 0, 1, 1, 0]
    drawn, states = stacked(rates, seeds, rows, steps=3)
    for rate, seed, found, state in zip(rates, seeds, drawn, states, strict=True):
        expected, end = alone(rate, seed, rows, steps=3)
        assert len(found) == len(expected)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
        assert torch.equal(state, end)


def test_models_in_one_state_draw_once() -> None:
    networks = [steps_of(perceptron(0, rate), seed=0).network for rate in (0.1, 0.2, 0.0)]
    graph = followed(networks[0], rows_of().numeric.shape[1])
    streams = streams_of([dropout_layers(graph, each.module) for each in networks])
    assert [each.models for each in streams] == [(0, 1)]
