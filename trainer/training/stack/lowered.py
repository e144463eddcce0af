"""What a model computes, as a list of layers that can be compared: models of equal graphs can share a stack."""

from dataclasses import dataclass
from typing import Any


class NotLoweredError(Exception):
    """A model does something that a stack does not compute; the message says what, in words for a user."""


@dataclass(frozen=True)
class Node:
    """A layer applied to the results of earlier nodes; `shape` is that of its result for one row.

    `parameters` are names in the model; `module` is the name of the module whose other values, such as a rate of dropout or
    running means, may differ between models of one stack. `options` are what must be equal.
    """

    layer: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    parameters: tuple[str, ...] = ()
    module: str | None = None
    options: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Graph:
    """The nodes of a model, each after its inputs, and the place of the one that returns the logits."""

    nodes: tuple[Node, ...]
    output: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of all parameters, in the order of the nodes."""
        return tuple(name for node in self.nodes for name in node.parameters)

    def consumers(self) -> list[list[int]]:
        """Return the places of the nodes that take the result of each node; the logits have one more, the loss."""
        found: list[list[int]] = [[] for _ in self.nodes]
        for place, node in enumerate(self.nodes):
            for each in node.inputs:
                found[each].append(place)
        found[self.output].append(len(self.nodes))
        return found

    def needs_gradient(self) -> list[bool]:
        """Return whether the result of each node depends on a parameter."""
        found: list[bool] = []
        for node in self.nodes:
            found.append(bool(node.parameters) or any(found[each] for each in node.inputs))
        return found
