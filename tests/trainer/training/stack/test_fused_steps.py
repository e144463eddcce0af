"""Optimizers in a stack: which are taken, and that they step as torch's own do and leave the same state."""

import functools
import inspect
from types import MethodType
from typing import Any

import pytest
import torch
from stacked import by_loop, far, order, perceptron, rows_of, steps_of, trained
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import ConstantLR

from trainer.training.stack.stack import not_stackable


@pytest.mark.parametrize(
    ("optimizer", "keys"),
    [
        (Adam, {}),
        (Adam, {"fused": True, "weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-4}),
        (Adam, {"amsgrad": True, "maximize": True, "eps": 1e-4}),
        (Adam, {"lr": torch.tensor(0.02)}),
        (AdamW, {"weight_decay": 0.1}),
        (AdamW, {"fused": True}),
        (SGD, {}),
        (SGD, {"momentum": 0.9, "weight_decay": 0.1, "fused": True}),
        (SGD, {"momentum": 0.9, "nesterov": True}),
        (SGD, {"momentum": 0.5, "dampening": 0.3, "maximize": True}),
    ],
)
def test_an_optimizer_steps_and_keeps_its_state_as_in_the_loop(
    optimizer: type[Optimizer], keys: dict[str, Any]
) -> None:
    rows, orders = rows_of(), [order(0), order(1)]
    stack, looped = (steps_of(perceptron(), optimizer=optimizer, **keys) for _ in range(2))
    trained([stack], rows, [orders])
    by_loop(looped, rows, orders)
    assert far(stack, looped, 1e-3) == []
    first, second = (each.optimizer.state_dict() for each in (stack, looped))
    assert first["param_groups"] == second["param_groups"]
    for place, state in second["state"].items():
        assert first["state"][place].keys() == state.keys()
        for name, value in state.items():
            kept = first["state"][place][name]
            assert (value is None) == (kept is None)
            assert value is None or (kept.shape, kept.dtype) == (value.shape, value.dtype)


def test_groups_of_parameters_have_their_own_rates() -> None:
    rows, orders = rows_of(), [order(0)]

    def made() -> Any:
        model = perceptron()
        steps = steps_of(model)
        biases = [each for each in model.parameters() if each.ndim == 1]
        weights = [each for each in model.parameters() if each.ndim == 2]
        groups = [{"params": biases, "lr": 0.1, "weight_decay": 0.0}, {"params": weights, "lr": 0.001}]
        vars(steps)["optimizer"] = AdamW(groups, weight_decay=0.1)
        vars(steps.losses)["_optimizer"] = steps.optimizer
        return steps

    stack, looped = made(), made()
    trained([stack], rows, [orders])
    by_loop(looped, rows, orders)
    assert far(stack, looped, 1e-3) == []


class Mine(Adam):
    """An optimizer of the user."""


def with_hook() -> Any:
    steps = steps_of(perceptron())
    steps.optimizer.register_step_post_hook(lambda *_: None)
    return steps


def partly_stepped() -> Any:
    steps = steps_of(perceptron())
    next(steps.network.module.parameters()).grad = torch.zeros(10, 8)
    steps.optimizer.step()
    return steps


def without_a_parameter() -> Any:
    model = perceptron()
    steps = steps_of(model)
    vars(steps)["optimizer"] = Adam([*model.parameters()][1:])
    return steps


def with_own_step() -> Any:
    steps = steps_of(perceptron())
    inner = steps.optimizer.step

    @functools.wraps(inner)
    def step(*values: Any) -> Any:
        return inner(*values)

    vars(steps.optimizer)["step"] = step
    return steps


def test_a_step_in_wrappers_of_torch_alone_is_taken() -> None:
    steps = steps_of(perceptron(), scheduler=lambda made: ConstantLR(made, 1.0))
    assert not_stackable(steps, rows_of()) is None
    inner = inspect.unwrap(Adam.step)
    vars(steps.optimizer)["step"] = MethodType(torch.no_grad()(inner), steps.optimizer)
    assert not_stackable(steps, rows_of()) is None


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda: steps_of(perceptron(), optimizer=torch.optim.LBFGS),
            "optimizer LBFGS computes the loss itself",
        ),
        (lambda: steps_of(perceptron(), optimizer=torch.optim.RMSprop), "optimizer RMSprop"),
        (lambda: steps_of(perceptron(), optimizer=Mine), "optimizer Mine"),
        (lambda: steps_of(perceptron(), differentiable=True), "optimizer Adam is differentiable"),
        (with_hook, "optimizer Adam has hooks"),
        (with_own_step, "optimizer Adam has hooks"),
        (partly_stepped, "more often than others"),
        (without_a_parameter, "which the optimizer does not step"),
    ],
)
def test_an_optimizer_that_a_stack_cannot_step_is_refused(make: Any, reason: str) -> None:
    assert reason in str(not_stackable(make(), rows_of()))
