"""The calls that compute a batch for a block of models: all of the forward pass, then all of the backward pass.

A program is made once for a number of models and a number of rows, and then called for each batch; what changes from step to
step comes in buffers.
"""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from trainer.training.stack.flat_storage import Home
from trainer.training.stack.layers.catalogue import LAYERS
from trainer.training.stack.layers.setting import Setting, Sink
from trainer.training.stack.lowered import Graph
from trainer.training.stack.masks import Mask
from trainer.training.stack.memory_plan import VIEW, planned
from trainer.training.stack.slots import Call, Pool, Slot

Inputs = Callable[[int, int], torch.Tensor]  # of a model and a node: what is fed to it
MasksOf = Callable[[int, int], Mask | None]


class Program:
    """The forward and the backward pass of some models; `logits` and `gradient` are the values at the loss."""

    def __init__(
        self,
        graph: Graph,
        models: Sequence[nn.Module],
        homes: Sequence[Home],
        *,
        rows: int,
        pool: Pool,
        inputs: Inputs,
        masks: MasksOf,
    ) -> None:
        self._graph, self._models, self._homes = graph, models, homes
        self._rows, self._pool, self._inputs, self._masks = rows, pool, inputs, masks
        self._plan, self._trained = planned(graph), graph.needs_gradient()
        self._slots: list[Slot] = []
        for place in range(len(graph.nodes)):
            self._slots.append(self._value(place))
        self._gradients = self._all_gradients()
        self.logits, self.gradient = self._slots[graph.output], self._gradients[graph.output]
        self.forward, self.backward = self._calls()

    def _value(self, place: int) -> Slot:
        """Return the memory of a node's result."""
        node = self._graph.nodes[place]
        if node.layer == "feed":
            return Slot([self._inputs(k, place) for k in range(len(self._models))], None)
        if node.layer == VIEW:
            return self._slots[node.inputs[0]].view(self._rows, *node.shape)
        shared = self._plan.values[place]
        if shared is not None and self._slots[shared].whole is not None:
            return self._slots[shared].view(self._rows, *node.shape)
        return self._pool.slot((place, "value"), len(self._models), (self._rows, *node.shape))

    def _all_gradients(self) -> dict[int, Slot]:
        """Return the memory of the gradients of all nodes that have one; each after the node that it may share that of."""
        found: dict[int, Slot] = {}
        sharing = {each: place for place, each in enumerate(self._plan.gradients) if each is not None}
        for place in reversed(range(len(self._graph.nodes))):
            if not self._trained[place]:
                continue
            node = self._graph.nodes[place]
            first, last = self._plan.columns[place]
            shape = (*node.shape[:-1], last - first) if node.shape else ()
            if place in sharing and sharing[place] in found:
                found[place] = found[sharing[place]].view(self._rows, *shape)
            else:
                found[place] = self._pool.slot((place, "gradient"), len(self._models), (self._rows, *shape))
        return found

    def _calls(self) -> tuple[list[Call], list[Call]]:
        forward: dict[int, list[Call]] = {}
        backward: list[Call] = []
        written: set[int] = set()
        for place in reversed(range(len(self._graph.nodes))):
            node = self._graph.nodes[place]
            if node.layer == "feed":
                continue
            sinks = [self._sink(place, number, written) for number in range(len(node.inputs))]
            forward[place], calls = LAYERS[node.layer](self._setting(place, sinks))
            backward += calls if self._trained[place] else []
        return [call for place in sorted(forward) for call in forward[place]], backward

    def _sink(self, place: int, number: int, written: set[int]) -> Sink | None:
        """Return where a node writes the gradient of one of its inputs."""
        source = self._graph.nodes[place].inputs[number]
        if not self._trained[source]:
            return None
        slot = self._gradients[source]
        first, last = self._plan.columns[source]
        if source not in written:
            written.add(source)
            return Sink(slot, None, first, last - first)
        shape = slot.each[0].shape
        apart = self._pool.slot((place, number, "apart"), len(self._models), shape)
        return Sink(apart, slot, first, last - first)

    def _setting(self, place: int, sinks: Sequence[Sink | None]) -> Setting:
        node, count = self._graph.nodes[place], range(len(self._models))
        source = node.inputs[0] if node.inputs else place
        masked = place if node.layer == "dropout" else source if self._plan.unscaled[source] else None
        return Setting(
            node=node,
            place=place,
            rows=self._rows,
            models=self._models,
            pool=self._pool,
            inputs=[self._slots[each] for each in node.inputs],
            output=self._slots[place],
            gradient=self._gradients.get(place),
            first_column=self._plan.columns[place][0],
            sinks=sinks,
            values=[[home.value(name) for home in self._homes] for name in node.parameters],
            gradients=[[home.gradient(name) for home in self._homes] for name in node.parameters],
            masks=[None if masked is None else self._masks(k, masked) for k in count],
            is_unscaled=self._plan.unscaled[place],
            before=self._graph.nodes[source].layer,
        )


def run(calls: Sequence[Call]) -> None:
    """Make the calls, one after another."""
    for call in calls:
        call()
