"""Whether a model can be trained in a stack: what it computes, its optimizer and its loss, each with a reason where it cannot."""

from collections.abc import Hashable
from dataclasses import dataclass

import torch
from torch import nn

from trainer.data.encoding.shuffled import BLOCK
from trainer.data.tensors import Split
from trainer.models.dropout import Dropout
from trainer.tasks.losses import ClassLoss
from trainer.tasks.outputs import Multiclass, Regression, Task
from trainer.training.epoch import Steps
from trainer.training.stack.checking import check
from trainer.training.stack.following.follow import followed
from trainer.training.stack.fused_steps import refusal
from trainer.training.stack.lowered import Graph, NotLoweredError

HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)

_checked: set[Hashable] = set()  # the architectures of this process whose graphs are right


@dataclass(frozen=True)
class Admitted:
    """What a stack computes for a model; models of equal `key` can share one."""

    graph: Graph
    key: Hashable


def admitted(steps: Steps, rows: Split) -> Admitted:
    """Return what a stack computes for a model; raise NotLoweredError with the reason where it cannot."""
    _check_rows(rows)
    if rows.mapped and steps.batch_size >= BLOCK:
        raise NotLoweredError(f"batches of {steps.batch_size} rows in files")
    _check_steps(steps)
    _check_modules(steps.network.module)
    _check_parameters(steps)
    graph = followed(steps.network, rows.numeric.shape[1])
    module = steps.network.module
    shapes = tuple((name, tuple(each.shape)) for name, each in module.named_parameters())
    kind = (type(module), graph, shapes)
    if kind not in _checked:
        check(steps.network, graph, rows)
        _checked.add(kind)
    groups = tuple(len(group["params"]) for group in steps.optimizer.param_groups)
    network = (steps.network.cardinalities, steps.network.outputs, steps.network.members)
    return Admitted(
        graph,
        (graph, shapes, network, steps.task.kind, steps.batch_size, type(steps.optimizer), groups),
    )


def _check_rows(rows: Split) -> None:
    if rows.device.type != "cpu":
        raise NotLoweredError(f"device {rows.device.type}")
    if rows.numeric.dtype != torch.float32:
        raise NotLoweredError(f"features of {rows.numeric.dtype}")


def _check_steps(steps: Steps) -> None:
    loss = steps.options.loss
    if loss is not None and type(loss) is not ClassLoss:
        raise NotLoweredError("a loss of your own")
    if type(steps.task) not in (Task, Multiclass, Regression):
        raise NotLoweredError(f"task {type(steps.task).__name__}")
    if reason := refusal(steps.optimizer):
        raise NotLoweredError(reason)


def _check_modules(module: nn.Module) -> None:
    generators = set()
    for each in module.modules():
        name = type(each).__name__
        if any(getattr(each, hooks, None) for hooks in HOOKS):
            raise NotLoweredError(f"module {name} has hooks")
        if type(each).__module__.startswith(("torch.jit", "torch._dynamo", "torch.fx")):
            raise NotLoweredError(f"module {name}")
        if type(each).train is not nn.Module.train or type(each).__call__ is not nn.Module.__call__:
            raise NotLoweredError(f"module {name} has a mode or a call of its own")
        if isinstance(each, Dropout):
            generators.add(id(each.generator))
            if each.generator is None and each.p > 0:
                raise NotLoweredError("dropout that draws from the global random state")
    if len(generators) > 1:
        raise NotLoweredError("layers of dropout with streams of their own")


def _check_parameters(steps: Steps) -> None:
    stepped = {id(each) for group in steps.optimizer.param_groups for each in group["params"]}
    known = set()
    for name, each in steps.network.module.named_parameters():
        known.add(id(each))
        if each.device.type != "cpu" or each.dtype != torch.float32 or each.layout != torch.strided:
            raise NotLoweredError(f"parameter {name} of {each.dtype} on {each.device.type}")
        if not each.requires_grad:
            raise NotLoweredError(f"parameter {name} is frozen")
        if id(each) not in stepped:
            raise NotLoweredError(f"parameter {name}, which the optimizer does not step")
        if type(each) is not nn.Parameter or each._backward_hooks or each._post_accumulate_grad_hooks:
            raise NotLoweredError(f"parameter {name} has hooks")
        if each.grad is not None and each.grad.is_sparse:
            raise NotLoweredError(f"parameter {name} has sparse gradients")
    if stepped - known:
        raise NotLoweredError("an optimizer of parameters that are not the model's")
