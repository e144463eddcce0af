"""Optimizers of torch without its compiler.

Some methods of an optimizer import `torch._dynamo`, sympy and 800 other modules at their first call, which takes nearly as
long as torch itself, only to tell a compiler that is not in use to leave them alone. A process that has loaded the compiler
is left as it is, and so is a torch that is built otherwise: it imports its compiler as ever.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

import torch
from torch.optim import Optimizer

COMPILER = "torch._dynamo"
_METHODS = ("add_param_group", "state_dict", "load_state_dict", "zero_grad")
_KEPT = "__dynamo_disable"  # where torch keeps the form of a method that the compiler does not touch
_STEP = "_use_grad"  # the function around a step that tells the compiler to pause


@contextmanager
def without_compiler() -> Iterator[None]:
    """Let optimizers be built, saved and loaded inside the block without importing torch's compiler."""
    found = [getattr(getattr(Optimizer, name), "__wrapped__", None) for name in _METHODS]
    plain = [each for each in found if each is not None and not hasattr(each, _KEPT)]
    if COMPILER in sys.modules:
        plain = []
    for each in plain:
        setattr(each, _KEPT, each)
    try:
        yield
    finally:
        for each in plain:
            delattr(each, _KEPT)


def step_without_compiler(optimizer: Optimizer) -> None:
    """Let the step of one of torch's own optimizers import no compiler; it runs the same kernels and hooks."""
    kind = type(optimizer)
    if COMPILER in sys.modules or not kind.__module__.startswith("torch.optim."):
        return
    paused: Any = getattr(kind.step, "__wrapped__", None)  # inside what calls the hooks
    inner: Any = getattr(paused, "__wrapped__", None)
    code = getattr(paused, "__code__", None)
    if inner is None or code is None or code.co_name != _STEP or optimizer.defaults.get("differentiable"):
        return
    step: Any = Optimizer.profile_hook_step(torch.no_grad()(inner))
    vars(optimizer)["step"] = MethodType(step, optimizer)  # as schedulers of torch set it
