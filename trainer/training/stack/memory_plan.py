"""Which values of a graph share memory: a layer that only rescales or cuts numbers works in place."""

from dataclasses import dataclass

from trainer.training.stack.lowered import Graph, Node

VIEW = "reshape"
IN_PLACE = ("relu", "dropout", "add")
NEEDS_SIGN = (
    "relu",
)  # in the backward pass, of their result; a mask that makes it 0 makes the gradient 0, too
GRADIENT_IN_PLACE = ("relu", "curved", "dropout", "scale", "square", "add", VIEW)


@dataclass(frozen=True)
class Plan:
    """For each node: the input whose memory it writes to, the input whose gradient is in that of the result, and the columns of
    the result that a gradient is computed for.
    """

    values: tuple[int | None, ...]
    gradients: tuple[int | None, ...]
    columns: tuple[tuple[int, int], ...]
    unscaled: tuple[bool, ...]  # layers of dropout whose scale the next layer takes over


def planned(graph: Graph) -> Plan:
    """Return what can share memory."""
    consumers, trained = graph.consumers(), graph.needs_gradient()
    values: list[int | None] = []
    gradients: list[int | None] = []
    for place, node in enumerate(graph.nodes):
        alone = [each for each in node.inputs if consumers[each] == [place]]
        fits = [
            each for each in alone if node.layer in IN_PLACE and _may_change(graph, each, node, consumers)
        ]
        values.append(fits[0] if fits else None)
        learn = [each for each in alone if trained[each] and node.layer in GRADIENT_IN_PLACE]
        gradients.append(learn[0] if learn else None)
    columns = tuple(_columns(graph, place, consumers, trained) for place in range(len(graph.nodes)))
    for place, node in enumerate(graph.nodes):
        first, last = columns[place]
        if node.layer == "concatenate":
            parts = [each for each in node.inputs if trained[each] and consumers[each] == [place]]
            if parts and graph.nodes[parts[0]].shape[-1] == last - first:
                gradients[place] = parts[0]
    layers = [*(node.layer for node in graph.nodes), "loss"]
    unscaled = tuple(
        node.layer == "dropout" and [layers[each] for each in consumers[place]] == ["linear"]
        for place, node in enumerate(graph.nodes)
    )
    return Plan(tuple(values), tuple(gradients), columns, unscaled)


def _may_change(graph: Graph, place: int, by: Node, consumers: list[list[int]]) -> bool:
    """Whether a layer may write over a result that only it takes."""
    node = graph.nodes[place]
    if node.layer == VIEW:
        source = node.inputs[0]
        return len(consumers[source]) == 1 and _may_change(graph, source, by, consumers)
    if node.layer in NEEDS_SIGN:
        return by.layer == "dropout"
    takes_result = node.layer == "curved" and node.options[0] in ("sigmoid", "tanh")
    return node.layer not in ("feed", "dropout") and not takes_result


def _columns(graph: Graph, place: int, consumers: list[list[int]], trained: list[bool]) -> tuple[int, int]:
    """Return the first column that needs a gradient, and the end of the last one."""
    node = graph.nodes[place]
    width = node.shape[-1] if node.shape else 1
    is_narrow = node.layer == "concatenate" and all(
        each < len(graph.nodes) and graph.nodes[each].layer == "linear" for each in consumers[place]
    )
    if not is_narrow:
        return 0, width
    spans, start = [], 0
    for each in node.inputs:
        end = start + graph.nodes[each].shape[-1]
        spans += [(start, end)] if trained[each] else []
        start = end
    return (spans[0][0], spans[-1][1]) if spans else (0, width)
