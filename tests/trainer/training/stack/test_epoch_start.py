"""An epoch that fails in a stack leaves each of its models as it was, so that those that are well lose nothing."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stacked import Codes, differing, numbers, order, perceptron, rows_of, shown, steps_of, trained
from torch import nn
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR

from trainer.training.epoch import StepOptions, Steps
from trainer.training.stack.stack import Stack, Turn

BATCHES = 5  # of an epoch
PER_BATCH = StepOptions(interval="batch")


def failing(step: int) -> Steps:
    """Return a model whose schedule is over before this step."""
    schedule = partial(OneCycleLR, max_lr=0.05, total_steps=step)
    return steps_of(perceptron(7), scheduler=schedule, options=PER_BATCH)


def cyclic(optimizer: torch.optim.Optimizer) -> Any:
    return CyclicLR(optimizer, 0.01, 0.1, step_size_up=3, mode="exp_range", gamma=0.9)


KINDS: dict[str, Callable[[], list[Steps]]] = {
    "adam": lambda: [steps_of(perceptron(each), lr=0.01 * (1 + each)) for each in range(2)],
    "largest moments": lambda: [steps_of(perceptron(each), amsgrad=True) for each in range(2)],
    "momentum": lambda: [steps_of(perceptron(each), optimizer=SGD, momentum=0.9) for each in range(2)],
    "average": lambda: [steps_of(perceptron(each), options=StepOptions(ema=0.9)) for each in range(2)],
    "clipped": lambda: [steps_of(perceptron(each), options=StepOptions(clip=0.1)) for each in range(2)],
    "schedule": lambda: [
        steps_of(perceptron(0), scheduler=partial(OneCycleLR, max_lr=0.1, total_steps=99), options=PER_BATCH),
        steps_of(perceptron(1), scheduler=cyclic, options=PER_BATCH, betas=(0.8, 0.99)),
    ],
    "normalised": lambda: [steps_of(normalised(each)) for each in range(2)],
    "two groups": lambda: [in_groups(each) for each in range(2)],
}


def normalised(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return shown(Codes(), rows_of())


def in_groups(seed: int) -> Steps:
    steps = steps_of(perceptron(seed))
    parameters = [*steps.network.module.parameters()]
    groups = [{"params": parameters[:2], "lr": 0.1}, {"params": parameters[2:], "weight_decay": 0.1}]
    return steps_of(steps.network.module, optimizer=partial(of_groups, groups))


def of_groups(groups: Any, _parameters: Any, **keys: Any) -> Adam:
    return Adam(groups, **keys)


def everything(steps: Steps) -> tuple[dict[str, torch.Tensor], Any]:
    """Return copies of all that training changes, as tensors and as plain values."""
    found = {name: each.clone() for name, each in numbers(steps).items()}
    for name, each in steps.network.module.named_parameters():
        if each.grad is not None:
            found[f"gradient.{name}"] = each.grad.clone()
    groups = [{k: v for k, v in each.items() if k != "params"} for each in steps.optimizer.param_groups]
    schedule = None if steps.scheduler is None else steps.scheduler.state_dict()
    return found, (copy.deepcopy((groups, schedule)), steps.losses.norm())


def same(one: Any, other: Any) -> bool:
    return (
        one[0].keys() == other[0].keys()
        and all(torch.equal(each, other[0][name]) for name, each in one[0].items())
        and repr(one[1]) == repr(other[1])
    )


def failing_at(batch: int) -> Callable[[int], None]:
    """Return what is told the rows of each batch, and fails at one of them."""
    told: list[int] = []

    def tell(rows: int) -> None:
        told.append(rows)
        if len(told) == batch:
            raise MemoryError

    return tell


@pytest.mark.parametrize("done", [0, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_an_epoch_that_fails_leaves_the_models_as_they_were(kind: str, done: int) -> None:
    rows, models, apart = rows_of(), KINDS[kind](), KINDS[kind]()
    stack = Stack(models, rows)
    for epoch in range(done):
        stack.epoch([Turn(each, order(epoch)) for each in models])
    before = [everything(each) for each in models]
    with pytest.raises(MemoryError):
        stack.epoch([Turn(models[0], order(done)), Turn(models[1], order(done), failing_at(3))])
    assert [same(*each) for each in zip(before, map(everything, models), strict=True)] == [True] * 2
    stack.release()
    logged = trained(models, rows, [[order(done), order(done + 1)]] * 2)
    for one, other, own in zip(models, apart, logged, strict=True):
        assert trained([other], rows, [[order(each) for each in range(done + 2)]])[0][done:] == own
        assert differing(one, other) == []


@settings(max_examples=15, deadline=None)
@given(fails_at=st.integers(1, 3 * BATCHES), count=st.integers(2, 6), place=st.integers(0, 5))
def test_whenever_one_fails_the_others_go_on_to_their_own_numbers(
    fails_at: int, count: int, place: int
) -> None:
    rows, orders = rows_of(), [order(each) for each in range(4)]
    models, apart = ([steps_of(perceptron(each)) for each in range(count)] for _ in range(2))
    members = [*models]
    members.insert(min(place, count), failing(fails_at))
    stack = Stack(members, rows)
    for each in orders:
        try:
            stack.epoch([Turn(member, each) for member in members])
        except ValueError:
            stack.release()
            members = models
            stack = Stack(members, rows)
            stack.epoch([Turn(member, each) for member in members])
    stack.release()
    assert members is models
    for one, other in zip(models, apart, strict=True):
        trained([other], rows, [orders])
        assert differing(one, other) == []


def test_models_that_are_stopped_in_an_epoch_are_left_as_they_were_too() -> None:
    rows, models = rows_of(), [steps_of(perceptron(each)) for each in range(2)]
    stack = Stack(models, rows)
    before = [everything(each) for each in models]

    def stopped(_rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stack.epoch([Turn(models[0], order(0)), Turn(models[1], order(0), stopped)])
    assert [same(*each) for each in zip(before, map(everything, models), strict=True)] == [True] * 2
