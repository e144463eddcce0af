"""The masks of dropout of each step, bit for bit those that the layers would draw.

Models whose random streams are in one state draw the same bits, so these are drawn once and compared with the rate of each. When
they are through, all their streams are where their own draws would have left them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from trainer.models.dropout import Dropout, thresholds
from trainer.training.stack.lowered import Graph
from trainer.training.stack.slots import Call

Layers = dict[int, Dropout]  # by their places in the graph


def dropout_layers(graph: Graph, module: nn.Module) -> Layers:
    """Return the layers of dropout of a model, in the order of their draws."""
    found: Layers = {}
    for place, node in enumerate(graph.nodes):
        if node.layer == "dropout" and node.module is not None:
            layer = module.get_submodule(node.module)
            if isinstance(layer, Dropout):
                found[place] = layer
    return found


@dataclass(frozen=True)
class Stream:
    """Models that draw the same bits."""

    generator: torch.Generator
    draws: tuple[int, ...]  # places of the layers that draw
    models: tuple[int, ...]


def streams_of(layers: Sequence[Layers]) -> list[Stream]:
    """Return the streams of some models, by the present states of their generators."""
    groups: dict[tuple[bytes, tuple[int, ...]], list[int]] = {}
    for k, each in enumerate(layers):
        drawing = tuple(place for place, layer in each.items() if layer.p > 0)
        state = _generator(each).get_state().numpy().tobytes() if drawing else b""
        groups.setdefault((state, drawing), []).append(k)
    return [
        Stream(_generator(layers[models[0]]), drawing, tuple(models))
        for (_, drawing), models in groups.items()
        if drawing
    ]


def settle(streams: Sequence[Stream], layers: Sequence[Layers], only: Sequence[int] | None = None) -> None:
    """Put the streams of all models, or of some, where that of the first model with the same draws is."""
    for stream in streams:
        state = stream.generator.get_state()
        for k in stream.models:
            if only is None or k in only:
                own = _generator(layers[k])
                if own is not stream.generator:
                    own.set_state(state)


def _generator(layers: Layers) -> torch.Generator:
    for each in layers.values():
        if each.generator is not None:
            return each.generator
    return torch.default_generator


@dataclass(frozen=True, eq=False)
class Mask:
    """What a layer of dropout keeps of a model in a step: elements whose level is above the threshold, times the scale."""

    levels: torch.Tensor  # of the present step
    threshold: float
    scale: float

    def same(self, other: "Mask") -> bool:
        """Whether two masks are equal in each step."""
        return self.levels is other.levels and self.threshold == other.threshold


class Masks:
    """The masks of one size of batch."""

    def __init__(
        self, graph: Graph, layers: Sequence[Layers], streams: Sequence[Stream], rows: int, dtype: torch.dtype
    ) -> None:
        self._of: dict[tuple[int, int], Mask] = {}
        self._calls: list[Call] = []
        for stream in streams:
            shapes = [torch.Size((rows, *graph.nodes[place].shape)) for place in stream.draws]
            sizes = [(each.numel() + 3) // 4 for each in shapes]
            words = torch.zeros(sum(sizes), dtype=torch.int64)
            levels = torch.zeros(4 * len(words), dtype=dtype)
            # One draw for all layers: the words of each follow those of the layer before.
            self._calls.append(partial(words.random_, -(2**63), None, generator=stream.generator))
            self._calls.append(partial(levels.copy_, words.view(torch.int16)))
            parts = torch.split(levels, [4 * each for each in sizes])
            for place, shape, part in zip(stream.draws, shapes, parts, strict=True):
                own = part[: shape.numel()].view(shape)
                for k in stream.models:
                    lowest, scale = thresholds(layers[k][place].p)
                    self._of[k, place] = Mask(own, lowest - 0.5, scale)

    def draw(self) -> None:
        """Draw the bits of a step."""
        for call in self._calls:
            call()

    def of(self, model: int, place: int) -> Mask | None:
        """Return the mask of a layer; None for one that does nothing."""
        return self._of.get((model, place))
