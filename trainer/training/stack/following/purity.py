"""Whether a forward method does nothing but compute: a stack calls it once, and computes the rest without it.

While a model is followed, each function of the user that it calls is looked at before it runs: code that stores what outlives the
call, reads names that may change, or calls what is not known is refused there and then, so that it has no effect. A model whose
attributes, or whose random streams, differ afterwards is refused, too.
"""

import dis
import gc
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import nn

from trainer.training.stack.lowered import NotLoweredError

TRUSTED = ("torch", "trainer")  # packages whose code is not looked at
STANDARD = ("contextlib", "weakref")  # modules whose code runs when something ends
STORES = {
    "STORE_ATTR",
    "DELETE_ATTR",
    "STORE_GLOBAL",
    "DELETE_GLOBAL",
    "STORE_SUBSCR",
    "DELETE_SUBSCR",
    "IMPORT_NAME",
}
READS = {"LOAD_GLOBAL", "LOAD_NAME"}
BUILTINS = {"len", "isinstance", "sum", "min", "max", "abs", "any", "all", "getattr", "hasattr", "sorted"}
LOOKS = {
    "get",
    "items",
    "keys",
    "values",
    "index",
    "count",
    "copy",
}  # methods of containers that change nothing
CONSTANT = (ModuleType, FunctionType, BuiltinFunctionType, type)
CONTAINERS = (list, dict, set)
VALUES = (*CONTAINERS, tuple, str, int, float)
DEPTH = 4  # of containers in containers


@contextmanager
def watched(module: nn.Module) -> Iterator[None]:
    """Refuse side effects of the code inside the block by NotLoweredError."""
    before, streams = _attributes(module), _streams()
    watch, earlier = _Watch(_containers(module)), sys.getprofile()
    collects = gc.isenabled()
    gc.disable()  # what is called when rubbish is collected is not the model's
    sys.setprofile(watch)
    try:
        yield
    finally:
        _profile_again(earlier)
        if collects:
            gc.enable()
        drew = random.getstate() != streams[1] or not torch.equal(torch.get_rng_state(), streams[0])
        torch.set_rng_state(streams[0])
        random.setstate(streams[1])
    if watch.fault is not None:
        raise NotLoweredError(watch.fault)
    if drew:
        raise NotLoweredError("a forward method that draws random numbers")
    if _attributes(module) != before:
        raise NotLoweredError("a forward method that changes attributes")


def _profile_again(earlier: Any) -> None:
    """Let the profiler go on that ran before; that of cProfile is no function, and begins anew."""
    sys.setprofile(earlier if callable(earlier) else None)
    if hasattr(earlier, "enable"):
        earlier.enable()


def _streams() -> tuple[torch.Tensor, Any]:
    return torch.get_rng_state(), random.getstate()


def _attributes(module: nn.Module) -> list[tuple[str, str, Any]]:
    """Return the attributes of all modules, and what those that hold others hold."""
    found = []
    for path, each in module.named_modules():
        for name, value in vars(each).items():
            if name == "forward":
                continue
            held: Any = id(value)
            if isinstance(value, list | tuple | set):
                held = [id(item) for item in value]
            elif isinstance(value, dict):
                held = [(key, id(item)) for key, item in value.items()]
            elif hasattr(type(value), "__next__"):
                raise NotLoweredError(f"attribute {name}, which gives something else each time")
            found.append((path, name, held))
    return found


def _containers(module: nn.Module) -> set[int]:
    """Return the identities of all containers that the attributes of a module lead to."""
    found: set[int] = set()
    layer: list[Any] = [vars(each) for each in module.modules()]
    for _ in range(DEPTH):
        layer = [each for each in layer if isinstance(each, (*CONTAINERS, tuple)) and id(each) not in found]
        found.update(id(each) for each in layer)
        layer = [item for each in layer for item in (each.values() if isinstance(each, dict) else each)]
    return found


class _Watch:
    """A profiler that refuses calls of the user's code before they are made, and remembers the first fault."""

    def __init__(self, containers: set[int]) -> None:
        self.fault: str | None = None
        self._containers = containers
        self._seen: set[CodeType] = set()

    def __call__(self, frame: FrameType, event: str, called: Any) -> None:
        if self.fault is not None or _is_trusted(frame):
            return
        if event == "call" and frame.f_code not in self._seen:
            self.fault = _looked_at(frame, self._seen)
            self._seen.add(frame.f_code)
        elif event == "c_call":
            self.fault = _called(frame, called, self._containers)
        if self.fault is not None:
            raise NotLoweredError(self.fault)


def _is_trusted(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    return name.split(".")[0] in TRUSTED or name in STANDARD


def _looked_at(frame: FrameType, seen: set[CodeType]) -> str | None:
    """Return what is refused in the code of a function, or None; `seen` is that of the functions before."""
    code = frame.f_code
    where = code.co_qualname
    for each in dis.get_instructions(code):
        if each.opname in STORES:
            return f"{where}, which {_done(each)}"
        if each.opname in ("STORE_DEREF", "DELETE_DEREF") and each.argval in code.co_freevars:
            return f"{where}, which stores {each.argval}"
        if each.opname in READS:
            value = frame.f_globals.get(each.argval, frame.f_builtins.get(each.argval))
            if not isinstance(value, CONSTANT):
                return f"{where}, which reads the global name {each.argval}"
    is_inner = any(code in each.co_consts for each in seen)
    if set(code.co_freevars) - {"__class__"} and not is_inner:
        return f"{where}, which reads names of the function around it"
    return None


def _done(instruction: dis.Instruction) -> str:
    """Return what an instruction that is refused does, in words."""
    if instruction.opname.endswith("_SUBSCR"):
        return "writes into a tensor or a collection"
    return f"{'imports' if instruction.opname == 'IMPORT_NAME' else 'stores'} {instruction.argval}"


def _called(frame: FrameType, called: Any, containers: set[int]) -> str | None:
    """Return why a call of a function that is not written in Python is refused, or None."""
    name = getattr(called, "__name__", str(called))
    owner = getattr(called, "__self__", None)
    where = frame.f_code.co_qualname
    if id(owner) in containers and name not in LOOKS:
        return f"{where}, which changes an attribute by {name}"
    if isinstance(owner, ModuleType):
        is_known = owner.__name__.startswith(("math", "torch"))
        is_known |= owner.__name__ == "builtins" and name in {*BUILTINS, "__build_class__"}
    else:
        is_known = owner is None or isinstance(owner, VALUES) or isinstance(called, MethodType)
        is_known |= isinstance(owner, type) and owner.__module__.startswith(("torch", "builtins"))
        is_known |= isinstance(owner, torch.Tensor) and name in ("size", "dim", "numel")
    return None if is_known else f"{where}, which calls {name}"
