"""What stands for tensors while a model is followed, and the list of nodes that is written meanwhile.

A stand-in knows the shape of a row and no numbers, so code that looks at numbers, or at the number of rows, is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any, NoReturn, TypeVar

import torch
from torch import nn

from trainer.training.stack.lowered import Graph, Node, NotLoweredError


class Rows:
    """The number of rows of a batch, which differs from batch to batch."""

    def _refuse(self, *_: object) -> NoReturn:
        raise NotLoweredError("code that depends on the number of rows")

    __index__ = __int__ = __add__ = __mul__ = __rmul__ = __floordiv__ = __lt__ = __gt__ = __bool__ = _refuse


ROWS: Any = Rows()
Function = TypeVar("Function", bound=Callable[..., Any])


class Tape:
    """The nodes of a model so far."""

    def __init__(self, module: nn.Module, cardinalities: Sequence[int] = ()) -> None:
        self.nodes: list[Node] = []
        self.cardinalities = cardinalities
        self.names = {id(each): name for name, each in module.named_parameters(remove_duplicate=False)}

    def feed(self, shape: tuple[int, ...], *options: Any) -> "Traced":
        """Add what comes with a batch, once."""
        node = Node("feed", (), shape, (), None, options)
        if node in self.nodes:
            return Traced(self, self.nodes.index(node), shape)
        return self._added(node)

    def add(
        self,
        layer: str,
        inputs: Sequence["Traced"],
        shape: tuple[int, ...],
        *,
        parameters: Sequence[torch.Tensor] = (),
        module: str | None = None,
        options: tuple[Any, ...] = (),
    ) -> "Traced":
        """Add a layer; return its result."""
        names = tuple(self.name(each) for each in parameters)
        return self._added(Node(layer, tuple(each.place for each in inputs), shape, names, module, options))

    def name(self, parameter: torch.Tensor) -> str:
        """Return the name of a parameter; raise NotLoweredError for another tensor."""
        if id(parameter) not in self.names:
            raise NotLoweredError("a tensor that is no parameter of the model")
        return self.names[id(parameter)]

    def graph(self, result: "Traced") -> Graph:
        """Return the nodes that a result depends on."""
        needed = {result.place}
        for place in reversed(range(result.place + 1)):
            if place in needed:
                needed.update(self.nodes[place].inputs)
        kept = sorted(needed)
        new = {place: number for number, place in enumerate(kept)}
        nodes = []
        for place in kept:
            node = self.nodes[place]
            inputs = tuple(new[each] for each in node.inputs)
            nodes.append(Node(node.layer, inputs, node.shape, node.parameters, node.module, node.options))
        return Graph(tuple(nodes), new[result.place])

    def _added(self, node: Node) -> "Traced":
        self.nodes.append(node)
        return Traced(self, len(self.nodes) - 1, node.shape)


class StandIn:
    """What stands for a tensor; a function of torch, or a method, without an entry in FUNCTIONS is refused."""

    tape: Tape

    def __init__(self, tape: Tape, shape: tuple[int, ...]) -> None:
        self.tape = tape
        self._tail = shape

    @classmethod
    def __torch_function__(
        cls, function: Any, _types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = getattr(function, "__name__", str(function))
        return call(name, args, kwargs or {})

    @property
    def row(self) -> tuple[int, ...]:
        """The shape of a row."""
        return self._tail

    @property
    def shape(self) -> tuple[Any, ...]:
        """The shape, with a number of rows that no code may look at."""
        return (ROWS, *self._tail)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return 1 + len(self._tail)

    @property
    def device(self) -> torch.device:
        """The CPU, where stacks train."""
        return torch.device("cpu")

    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or one number of it."""
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        """Return the number of dimensions."""
        return self.ndim

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in FUNCTIONS:
            raise NotLoweredError(f"operation {name}")
        return partial(_method, self, name)

    def __bool__(self) -> bool:
        raise NotLoweredError("code that depends on numbers")

    def __len__(self) -> int:
        raise NotLoweredError("code that depends on the number of rows")

    def __iter__(self) -> Any:
        raise NotLoweredError("code that goes through the rows")

    def __float__(self) -> float:
        raise NotLoweredError("code that depends on numbers")


class Traced(StandIn):
    """A value of numbers: the result of a node."""

    def __init__(self, tape: Tape, place: int, shape: tuple[int, ...]) -> None:
        super().__init__(tape, shape)
        self.place = place

    @property
    def dtype(self) -> torch.dtype:
        """Numbers of single precision."""
        return torch.float32

    @property
    def is_empty(self) -> bool:
        """Whether a row holds nothing."""
        return prod(self.row) == 0

    def __getitem__(self, index: Any) -> "Traced":
        return _traced("getitem", (self, index), {})

    def __add__(self, other: Any) -> "Traced":
        return _traced("add", (self, other), {})

    __radd__ = __add__

    def __mul__(self, other: Any) -> "Traced":
        return _traced("mul", (self, other), {})

    __rmul__ = __mul__

    def __sub__(self, other: Any) -> "Traced":
        return _traced("sub", (self, other), {})

    def __rsub__(self, other: Any) -> "Traced":
        return _traced("add", (-self, other), {})

    def __neg__(self) -> "Traced":
        return _traced("mul", (self, -1), {})

    def __truediv__(self, other: Any) -> "Traced":
        return _traced("div", (self, other), {})

    def __matmul__(self, other: Any) -> "Traced":
        return _traced("matmul", (self, other), {})

    def __pow__(self, other: Any) -> "Traced":
        return _traced("pow", (self, other), {})


class Codes(StandIn):
    """Numbers of categories: some columns of the table, each plus an offset; `row` is (columns,), or () for one column."""

    def __init__(
        self, tape: Tape, columns: tuple[int, ...], offsets: tuple[int, ...], *, is_one: bool = False
    ) -> None:
        super().__init__(tape, () if is_one else (len(columns),))
        self.columns, self.offsets = columns, offsets

    @property
    def dtype(self) -> torch.dtype:
        """Whole numbers."""
        return torch.int64

    def __getitem__(self, index: Any) -> "Codes":
        everything = slice(None)
        if isinstance(index, tuple) and len(index) == 2 and index[0] in (everything, ...) and self.row:
            if isinstance(index[1], int):
                return Codes(self.tape, (self.columns[index[1]],), (self.offsets[index[1]],), is_one=True)
            if isinstance(index[1], slice):
                return Codes(self.tape, self.columns[index[1]], self.offsets[index[1]])
        raise NotLoweredError("an index of categories")

    def __add__(self, other: Any) -> "Codes":
        if not isinstance(other, torch.Tensor) or tuple(other.shape) not in (self.row, ()):
            raise NotLoweredError("a sum with categories")
        offsets = other.expand(len(self.columns)).tolist()
        both = tuple(a + b for a, b in zip(self.offsets, offsets, strict=True))
        return Codes(self.tape, self.columns, both, is_one=not self.row)

    def vectors(self, table: torch.Tensor) -> Traced:
        """Return the rows of a table that the numbers name."""
        ends = [self.tape.cardinalities[each] for each in self.columns]
        if any(offset + end > len(table) for offset, end in zip(self.offsets, ends, strict=True)):
            raise NotLoweredError(
                f"an embedding of {len(table)} rows, which are fewer than there are categories"
            )
        width = table.shape[1]
        if not self.columns:
            return self.tape.feed((0, width), "empty")
        numbers = self.tape.feed(self.row, "numbers", self.columns, self.offsets)
        places = self.tape.feed((*self.row, width), "places", self.columns, self.offsets)
        return self.tape.add("lookup", [numbers, places], (*self.row, width), parameters=[table])


def _method(on: StandIn, name: str, *args: Any, **kwargs: Any) -> Any:
    return call(name, (on, *args), kwargs)


def _traced(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Traced:
    found = call(name, args, kwargs)
    if not isinstance(found, Traced):
        raise NotLoweredError(f"operation {name}")
    return found


FUNCTIONS: dict[str, Callable[..., Any]] = {}  # by the name that torch has for them


def follows(*names: str) -> Callable[[Function], Function]:
    """Return a decorator that makes a function the one for operations of these names."""

    def noted(function: Function) -> Function:
        FUNCTIONS.update(dict.fromkeys(names, function))
        return function

    return noted


def call(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Follow an operation; raise NotLoweredError for one that is not known, or not with these arguments."""
    plain = name.strip("_") if name.startswith("__") else name
    function = FUNCTIONS.get(plain)
    if function is None:
        raise NotLoweredError(f"operation {plain}")
    try:
        return function(*args, **kwargs)
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise NotLoweredError(f"operation {plain} with these arguments ({error})") from error
