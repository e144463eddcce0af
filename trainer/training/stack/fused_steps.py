"""Steps of Adam, AdamW and SGD by torch's own fused kernels, one call for all parameters of a group.

The kernels are called directly: `Optimizer.step` loads torch's compiler, which takes most of a second. The optimizer's state is
what torch would leave, so a plain loop continues from it, and this from that of a plain loop.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim import SGD, Adam, AdamW, Optimizer

from trainer.training.epoch import needs_closure
from trainer.training.stack.flat_storage import Flat, Home

KNOWN = (Adam, AdamW, SGD)
MOMENTS = {"exp_avg": "exp_avgs", "exp_avg_sq": "exp_avg_sqs", "max_exp_avg_sq": "max_exp_avg_sqs"}
Kernel = Callable[..., Any]


def refusal(optimizer: Optimizer) -> str | None:
    """Return why an optimizer cannot step in a stack, or None."""
    name = type(optimizer).__name__
    if needs_closure(optimizer):
        return f"optimizer {name} computes the loss itself"
    if type(optimizer) not in KNOWN:
        return f"optimizer {name}"
    hooks = (optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks)
    if any(hooks) or not _is_step_of_torch(optimizer):
        return f"optimizer {name} has hooks"
    for group in optimizer.param_groups:
        if group.get("differentiable") or group.get("capturable"):
            return f"optimizer {name} is differentiable or capturable"
        if getattr(optimizer, "grad_scale", None) is not None:
            return f"optimizer {name} scales gradients"
        states = [optimizer.state.get(each, {}) for each in group["params"]]
        if len({float(state.get("step", 0)) for state in states}) > 1:
            return f"optimizer {name} has stepped some parameters more often than others"
    return None


def _is_step_of_torch(optimizer: Optimizer) -> bool:
    """Whether the step is that of the class, in nothing but wrappers of torch, such as those of schedulers, and ours."""
    step: Any = getattr(optimizer.step, "__func__", optimizer.step)
    while hasattr(step, "__wrapped__"):
        if step.__globals__["__name__"].split(".")[0] not in ("torch", "trainer"):
            return False
        step = step.__wrapped__
    return step is inspect.unwrap(type(optimizer).step)


class Stepper:
    """Steps all parameters of a model, which are in a `home` in the order of the optimizer's groups."""

    def __init__(self, optimizer: Optimizer, home: Home) -> None:
        self._optimizer, self._home = optimizer, home
        self._groups: list[_Group] = []
        first = 0
        for group in optimizer.param_groups:
            last = first + len(group["params"])
            kind = _Sgd if isinstance(optimizer, SGD) else _Adam
            self._groups.append(kind(optimizer, group, home, first, last))
            first = last

    @property
    def memory(self) -> list[torch.Tensor]:
        """All numbers of the optimizer's state that steps change in place; none before the first `adopt`."""
        return [memory for each in self._groups for memory in each.memory]

    def adopt(self) -> None:
        """Take the optimizer's state into memory of this stepper, unless it is there."""
        for each in self._groups:
            each.adopt()

    def step(self) -> None:
        """Take one step by the present gradients."""
        for each in self._groups:
            each.step()
        vars(self._optimizer)["_opt_called"] = True  # schedulers look for it

    def leave(self) -> None:
        """Give the optimizer's state memory of its own."""
        for state in self._optimizer.state.values():
            for name, value in state.items():
                if isinstance(value, torch.Tensor):
                    state[name] = value.clone()


class _Group(ABC):
    """The parameters of one group of the optimizer."""

    def __init__(
        self, optimizer: Optimizer, group: dict[str, Any], home: Home, first: int, last: int
    ) -> None:
        self._optimizer, self._group = optimizer, group
        self._parameters = home.parameters[first:last]
        self._value = home.values.range(first, last)
        self._gradient = home.gradients.range(first, last)
        self._kept: dict[str, Flat] = {}

    @property
    def memory(self) -> list[torch.Tensor]:
        """All numbers of the state that steps change in place."""
        return [each.whole for each in self._kept.values()]

    @abstractmethod
    def adopt(self) -> None:
        """Take the optimizer's state into memory of this group, unless it is there."""

    @abstractmethod
    def step(self) -> None:
        """Take one step by the present gradients."""

    def _states(self) -> list[dict[str, Any]]:
        return [self._optimizer.state[each] for each in self._parameters]

    def _flat(self, name: str) -> torch.Tensor:
        """Return a state of all parameters as one tensor; a state that is not there yet is zero."""
        flat = self._kept.get(name)
        states = self._states()
        if flat is None or any(
            state.get(name) is not view for state, view in zip(states, flat.views, strict=True)
        ):
            flat = self._kept[name] = Flat(self._parameters)
            for state, view in zip(states, flat.views, strict=True):
                if state.get(name) is not None:
                    view.copy_(state[name])
                state[name] = view
        return flat.whole


class _Adam(_Group):
    _steps: torch.Tensor | None = None

    @property
    def memory(self) -> list[torch.Tensor]:
        """All numbers of the state that steps change in place."""
        return super().memory + ([] if self._steps is None else [self._steps])

    def adopt(self) -> None:
        self._steps = counts = self._step_counts()
        self._count = counts[0]  # the kernel takes one of them for all
        self._counts: Any = counts.numpy()
        names = ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if self._group["amsgrad"] else [])]
        self._moments = [self._flat(name) for name in names]
        decoupled = self._group.get("decoupled_weight_decay", isinstance(self._optimizer, AdamW))
        self._kernel: Kernel = torch._fused_adamw_ if decoupled else torch._fused_adam_

    def step(self) -> None:
        group, (first, second, *largest) = self._group, self._moments
        self._counts += 1
        beta1, beta2 = group["betas"]
        self._kernel(
            [self._value],
            [self._gradient],
            [first],
            [second],
            largest,
            [self._count],
            amsgrad=group["amsgrad"],
            lr=float(group["lr"]),
            beta1=float(beta1),
            beta2=float(beta2),
            weight_decay=float(group["weight_decay"]),
            eps=group["eps"],
            maximize=group["maximize"],
        )

    def _step_counts(self) -> torch.Tensor:
        """Return the number of steps of each parameter, which are equal, in elements that the states are views of."""
        counts = self._steps
        states = self._states()
        if counts is None or any(
            getattr(state.get("step"), "data_ptr", int)() != count.data_ptr()
            for state, count in zip(states, counts, strict=True)
        ):
            done = [float(state["step"]) if "step" in state else 0.0 for state in states]
            counts = torch.tensor(done, dtype=torch.float32)
            for state, count in zip(states, counts, strict=True):
                state["step"] = count
        return counts


class _Sgd(_Group):
    def adopt(self) -> None:
        self._is_first = False
        self._buffers: Sequence[torch.Tensor] = []
        if self._group["momentum"]:
            self._is_first = all(state.get("momentum_buffer") is None for state in self._states())
            self._buffers = [self._flat("momentum_buffer")] if not self._is_first else []

    def step(self) -> None:
        group = self._group
        if self._is_first:
            self._buffers = [self._flat("momentum_buffer")]
        torch._fused_sgd_(
            [self._value],
            [self._gradient],
            [*self._buffers],
            weight_decay=float(group["weight_decay"]),
            momentum=float(group["momentum"]),
            lr=float(group["lr"]),
            dampening=float(group["dampening"]),
            nesterov=group["nesterov"],
            maximize=group["maximize"],
            is_first_step=self._is_first,
        )
        self._is_first = False
