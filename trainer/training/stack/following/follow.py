"""Follows a model's forward method once with stand-ins for tensors, and returns the layers that it computes.

Whatever it does beyond that, or that a stack does not know, raises NotLoweredError with a reason for the user.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from trainer.models.network import Network
from trainer.training.stack.following.modules import intercepted, one_hot, unknown_parameters
from trainer.training.stack.following.purity import watched
from trainer.training.stack.following.traced import Codes, Tape, Traced
from trainer.training.stack.lowered import Graph, NotLoweredError

FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def followed(network: Network, numeric: int) -> Graph:
    """Return the graph of a network for rows of so many numeric features."""
    module = network.module
    tape = Tape(module, network.cardinalities)
    x = tape.feed((numeric,), "numeric")
    columns = len(network.cardinalities)
    codes = Codes(tape, tuple(range(columns)), (0,) * columns)
    with _training(module), _leaves(module), watched(module):
        result = _called(network, x, codes)
    if not isinstance(result, Traced):
        raise NotLoweredError(f"a forward method that returns {type(result).__name__}")
    inner = () if network.members is None else (network.members,)
    shapes = [inner, (*inner, 1)] if network.outputs == 1 else [(*inner, network.outputs)]
    if result.row not in shapes:
        raise NotLoweredError(f"logits of shape {result.row} for a row")
    graph = tape.graph(result)
    _check_parameters(module, graph)
    return graph


def _called(network: Network, x: Traced, codes: Codes) -> object:
    """Return what the forward method makes of stand-ins; code that needs tensors fails on them in many ways."""
    try:
        if network.takes_codes:
            return network.module(x, codes)
        return network.module(one_hot(x, codes, network.cardinalities))
    except FAILURES as error:
        name = type(network.module).__name__
        raise NotLoweredError(f"the forward method of {name}, which needs tensors ({error})") from error


def _check_parameters(module: nn.Module, graph: Graph) -> None:
    used = graph.parameters
    twice = {each for each in used if used.count(each) > 1}
    if twice:
        raise NotLoweredError(f"parameter {min(twice)} is used more than once")
    if left := unknown_parameters(module, set(used)):
        raise NotLoweredError(f"parameter {left[0]} takes no part")
    if not graph.needs_gradient()[graph.output]:
        raise NotLoweredError("a model without parameters")


@contextmanager
def _leaves(module: nn.Module) -> Iterator[None]:
    """Let the modules that are one layer be followed as such inside the block."""
    replaced = intercepted(module)
    for each in replaced:
        if "forward" in vars(each):
            raise NotLoweredError(f"{type(each).__name__} with a forward method of its own")
    try:
        for each, forward in replaced.items():
            each.forward = forward
        yield
    finally:
        for each in replaced:
            vars(each).pop("forward", None)


@contextmanager
def _training(module: nn.Module) -> Iterator[None]:
    """Let a module be in the mode of training inside the block."""
    modes = [(each, each.training) for each in module.modules()]
    try:
        for each, _ in modes:
            each.training = True
        yield
    finally:
        for each, mode in modes:
            each.training = mode
