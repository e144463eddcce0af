"""A stack: each model gets the bits that it gets alone, and about the numbers that the loop gives it."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stacked import (
    CARDINALITIES,
    FEATURES,
    LABELS,
    by_loop,
    differing,
    far,
    order,
    perceptron,
    rows_of,
    shown,
    steps_of,
    trained,
)
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR, OneCycleLR

from trainer.data.target import TaskKind
from trainer.models.dcn import DCN
from trainer.models.deepfm import DeepFM
from trainer.models.linear import LogisticRegression
from trainer.models.resnet import ResNet
from trainer.models.tabm import TabM
from trainer.tasks.losses import ClassLoss
from trainer.tasks.outputs import task_of
from trainer.training.epoch import StepOptions, Steps
from trainer.training.stack import criteria, feeding
from trainer.training.stack.stack import Stack, Turn, key, not_stackable, self_test

EPOCHS = 3


def various(number: int) -> Steps:
    """Return a model that differs from the others in all that may differ in a stack."""
    smoothed = ClassLoss(task_of(), 0.1, torch.tensor([1.0, 1.5]) if number % 4 else None)
    options = StepOptions(
        loss=smoothed if number % 3 == 1 else None,
        clip=0.5 if number % 4 == 1 else None,
        ema=0.9 if number % 5 == 1 else None,
        interval="batch" if number % 2 else "epoch",
    )
    return steps_of(
        perceptron(number % 5, (0.0, 0.1, 0.5)[number % 3]),
        seed=number % 2,
        lr=0.003 * (1 + number),
        weight_decay=0.01 * (number % 3),
        scheduler=partial(OneCycleLR, max_lr=0.05, total_steps=100) if number % 2 else None,
        options=options,
    )


def orders_of(number: int) -> list[torch.Tensor]:
    return [order(10 * (number % 3 == 2) + epoch) for epoch in range(EPOCHS)]


@pytest.mark.parametrize("count", [1, 3, 16])
def test_a_model_of_a_stack_gets_the_bits_that_it_gets_alone(count: int) -> None:
    rows = rows_of()
    together, apart = ([various(each) for each in range(count)] for _ in range(2))
    logged = trained(together, rows, [orders_of(each) for each in range(count)])
    for number, (one, other) in enumerate(zip(together, apart, strict=True)):
        assert trained([other], rows, [orders_of(number)])[0] == logged[number]
        assert differing(one, other) == []


@settings(max_examples=15, deadline=None)
@given(
    widths=st.lists(st.integers(1, 300), max_size=3),
    batch_size=st.integers(2, 140),
    count=st.integers(2, 9),
    members=st.integers(2, 5),
)
def test_sizes_do_not_matter_to_that(widths: list[int], batch_size: int, count: int, members: int) -> None:
    rows = rows_of(count=batch_size * 2 + count)

    def made() -> list[Steps]:
        models = [perceptron(each, 0.1 * each, hidden_dims=widths) for each in range(members)]
        return [steps_of(each, batch_size=batch_size, seed=0) for each in models]

    together, apart = made(), made()
    orders = [[order(each % 2, len(rows))] for each in range(members)]
    logged = trained(together, rows, orders)
    for place, (one, other) in enumerate(zip(together, apart, strict=True)):
        assert trained([other], rows, [orders[place]])[0] == logged[place]
        assert differing(one, other) == []


ARCHITECTURES: dict[str, Any] = {
    "mlp": partial(perceptron, linear_start=False),
    "mlp that starts linear": partial(perceptron, linear_start=True),
    "mlp of pieces": partial(perceptron, numeric_embedding="piecewise"),
    "mlp of waves": partial(perceptron, numeric_embedding="periodic"),
    "linear": LogisticRegression,
    "linear with curves": partial(LogisticRegression, numeric_embedding="piecewise"),
    "resnet": partial(ResNet, width=12, dropout=0.1, residual_dropout=0.1),
    "tabm": partial(TabM, members=4, hidden_dims=(12, 8)),
    "tabm of waves": partial(TabM, members=4, hidden_dims=(12, 8), numeric_embedding="periodic"),
    "dcn": partial(DCN, hidden_dims=(12, 8)),
    "stacked dcn": partial(DCN, hidden_dims=(12, 8), structure="stacked", rank=3),
    "deepfm": partial(DeepFM, hidden_dims=(12, 8)),
}


def built(name: str, kind: TaskKind, cardinalities: tuple[int, ...], seed: int) -> nn.Module:
    options = {"output_dim": 3 if kind is TaskKind.MULTICLASS else 1, "cardinalities": cardinalities}
    if name.startswith("mlp"):
        model: nn.Module = ARCHITECTURES[name](seed, **options)
    else:
        model = ARCHITECTURES[name](FEATURES, generator=torch.Generator().manual_seed(seed), **options)
    start = getattr(model, "start", None)
    if start is not None:
        start.numeric.normal_(generator=torch.Generator().manual_seed(2))
        start.codes.fill_(0.3)
    return shown(model, rows_of(kind, cardinalities=cardinalities))


@pytest.mark.parametrize("cardinalities", [CARDINALITIES, ()], ids=["with categories", "numbers alone"])
@pytest.mark.parametrize("kind", list(TaskKind))
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_architecture_trains_as_in_the_loop_and_as_alone(
    name: str, kind: TaskKind, cardinalities: tuple[int, ...]
) -> None:
    rows = rows_of(kind, cardinalities=cardinalities, is_weighted=True)

    def made(seed: int) -> Steps:
        # Plain steps: Adam divides gradients that are nothing but rounding by themselves.
        model = built(name, kind, cardinalities, seed)
        keys = {"optimizer": torch.optim.SGD, "lr": 0.004 * (1 + seed), "momentum": 0.9}
        return steps_of(model, kind=kind, cardinalities=cardinalities, seed=seed, **keys)

    orders = [order(0), order(1)]
    together, apart, looped = ([made(seed) for seed in range(3)] for _ in range(3))
    assert not_stackable(together[0], rows) is None
    assert len({key(each, rows) for each in together}) == 1
    logged = trained(together, rows, [orders] * 3)
    for place in range(3):
        assert trained([apart[place]], rows, [orders])[0] == logged[place]
        assert differing(together[place], apart[place]) == []
        for one, other in zip(by_loop(looped[place], rows, orders), logged[place], strict=True):
            assert other == pytest.approx(one, abs=1e-4)
        assert far(together[place], looped[place]) == []


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (TaskKind.BINARY, StepOptions(ema=0.9)),
        (TaskKind.BINARY, StepOptions(clip=0.05)),
        (TaskKind.BINARY, StepOptions(interval="batch")),
        (TaskKind.BINARY, StepOptions(loss=ClassLoss(task_of(), 0.2, torch.tensor([1.0, 3.0])))),
        (TaskKind.MULTICLASS, StepOptions(loss=ClassLoss(task_of(LABELS[TaskKind.MULTICLASS]), 0.2, None))),
        (
            TaskKind.MULTICLASS,
            StepOptions(
                loss=ClassLoss(task_of(LABELS[TaskKind.MULTICLASS]), 0.0, torch.tensor([1.0, 3.0, 2.0]))
            ),
        ),
    ],
)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_each_option_does_what_it_does_in_the_loop(
    kind: TaskKind, options: StepOptions, is_weighted: bool
) -> None:
    rows = rows_of(kind, is_weighted=is_weighted)

    def made() -> Steps:
        model = perceptron(output_dim=3 if kind is TaskKind.MULTICLASS else 1)
        schedule = partial(OneCycleLR, max_lr=0.2, total_steps=30)
        return steps_of(model, kind=kind, options=options, scheduler=schedule, optimizer=torch.optim.SGD)

    stack, looped, orders = made(), made(), [order(0), order(1)]
    logged = trained([stack], rows, [orders])[0]
    for one, other in zip(by_loop(looped, rows, orders), logged, strict=True):
        assert other == pytest.approx(one, abs=1e-5)
    assert far(stack, looped, 1e-5) == []


def test_a_model_that_leaves_and_one_that_joins_change_nothing_for_the_others() -> None:
    rows = rows_of()
    together, apart = ([various(each) for each in range(4)] for _ in range(2))
    orders = [order(each) for each in range(4)]
    first = Stack(together[:3], rows)
    first.epoch([Turn(each, orders[0]) for each in together[:3]])
    first.release()
    second = Stack(together[1:], rows)  # the first one has left, the last one joins
    for epoch in (1, 2):
        second.epoch([Turn(each, orders[epoch]) for each in together[1:]])
    second.release()
    spans = [(0, 1), (0, 3), (0, 3), (1, 3)]
    for one, other, (begin, end) in zip(together, apart, spans, strict=True):
        trained([other], rows, [orders[begin:end]])
        assert differing(one, other) == []


def test_a_state_that_was_saved_in_a_stack_continues_in_another_one() -> None:
    rows = rows_of()
    whole, first, second = various(4), various(4), various(4)
    orders = [order(each) for each in range(4)]
    trained([whole], rows, [orders])
    stack = Stack([first, various(5)], rows)
    for each in orders[:2]:
        stack.epoch([Turn(first, each), Turn(various(5), each)])
    saved = {"model": first.network.module.state_dict(), "optimizer": first.optimizer.state_dict()}
    stream = first.network.module.layers[2].generator.get_state()
    second.network.module.load_state_dict(saved["model"])
    second.optimizer.load_state_dict(saved["optimizer"])
    second.network.module.layers[2].generator.set_state(stream)
    trained([various(6), second], rows, [orders[2:], orders[2:]])
    assert differing(whole, second) == []


@pytest.mark.parametrize("is_loop_first", [True, False])
def test_a_training_of_the_loop_continues_in_a_stack_and_the_other_way_round(is_loop_first: bool) -> None:
    rows, orders = rows_of(), [order(each) for each in range(4)]
    mixed, whole = (steps_of(perceptron(), momentum=0.9, optimizer=torch.optim.SGD) for _ in range(2))
    by_loop(whole, rows, orders)
    if is_loop_first:
        by_loop(mixed, rows, orders[:2])
        trained([mixed], rows, [orders[2:]])
    else:
        trained([mixed], rows, [orders[:2]])
        by_loop(mixed, rows, orders[2:])
    assert far(mixed, whole) == []


def test_a_model_that_diverges_leaves_the_epoch_as_alone_and_the_others_go_on() -> None:
    rows, orders = rows_of(TaskKind.REGRESSION), [order(0)]

    def made(seed: int) -> Steps:
        rate = 1e12 if seed == 1 else 0.01
        return steps_of(
            perceptron(seed), kind=TaskKind.REGRESSION, optimizer=torch.optim.SGD, lr=rate, seed=0
        )

    together, apart, looped = ([made(seed) for seed in range(3)] for _ in range(3))
    logged = trained(together, rows, [orders] * 3)
    for place, (one, other) in enumerate(zip(together, apart, strict=True)):
        assert repr(trained([other], rows, [orders])[0]) == repr(logged[place])
        assert [name for name in differing(one, other) if name.startswith("stream") or place != 1] == []
    by_loop(looped[1], rows, orders)
    fault, expected = together[1].losses.fault, looped[1].losses.fault
    assert fault is not None
    assert expected is not None
    assert (fault.batch, fault.batches, fault.norm_batch, fault.rate) == (
        expected.batch,
        expected.batches,
        expected.norm_batch,
        expected.rate,
    )
    assert fault.norm == pytest.approx(expected.norm, rel=1e-3)
    before = dict(looped[1].network.module.named_parameters())
    for name, each in together[1].network.module.named_parameters():
        assert torch.equal(each.isfinite(), before[name].isfinite())
    assert all(each.isfinite().all() for each in before.values())


def test_no_gradient_is_there_before_the_first_step() -> None:
    rows = rows_of()
    rows.numeric[:] = torch.inf
    steps = steps_of(perceptron())
    trained([steps], rows, [[order(0)]])
    assert steps.losses.fault is not None
    assert steps.losses.fault.norm is None


@pytest.mark.parametrize("count", [70, 64, 65, 9, 1])
def test_batches_are_those_of_the_loop(count: int) -> None:
    rows = rows_of(count=count)
    seen: list[int] = []
    expected: list[int] = []
    stack, looped = steps_of(perceptron(), seed=3), steps_of(perceptron(), seed=3)
    found = Stack([stack], rows).epoch([Turn(stack, order(0, count), seen.append)])[0]
    assert found == pytest.approx(looped.epoch(rows.take(order(0, count)), expected.append), abs=1e-5)
    assert seen == expected


def test_models_of_a_stack_may_take_different_numbers_of_rows() -> None:
    rows = rows_of()
    together, apart = ([steps_of(perceptron(each)) for each in range(3)] for _ in range(2))
    orders = [order(0), order(0)[:40], order(1)]
    logged = Stack(together, rows).epoch(
        [Turn(each, own) for each, own in zip(together, orders, strict=True)]
    )
    for place, (one, other) in enumerate(zip(together, apart, strict=True)):
        assert trained([other], rows, [[orders[place]]])[0][0] == logged[place]
        assert differing(one, other) == []


def test_a_scheduler_per_epoch_gives_its_rates_without_a_warning() -> None:
    rows, rates = rows_of(), []
    steps = steps_of(perceptron(), scheduler=partial(ExponentialLR, gamma=0.5))
    stack = Stack([steps], rows)
    for each in range(3):
        stack.epoch([Turn(steps, order(each))])
        steps.advance(0.0)
        rates.append(steps.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.005, 0.0025, 0.00125])


def test_each_model_has_memory_of_its_own_after_the_release() -> None:
    rows, steps = rows_of(), [steps_of(perceptron(each)) for each in range(2)]
    trained(steps, rows, [[order(0)]] * 2)
    for each in steps:
        tensors = [*each.network.module.parameters()]
        tensors += [value for state in each.optimizer.state.values() for value in state.values()]
        tensors += [value.grad for value in each.network.module.parameters() if value.grad is not None]
        places = [value.untyped_storage().data_ptr() for value in tensors if value.numel()]
        assert len(set(places)) == len(places)
        assert all(value.untyped_storage().nbytes() == value.nbytes for value in tensors)


def test_this_machine_passes_the_self_test() -> None:
    assert self_test() is None


def test_the_self_test_tells_what_depends_on_company(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    exact = criteria.softplus

    def drifting(logits: torch.Tensor, *, out: torch.Tensor) -> None:
        nonlocal calls
        calls += 1
        exact(logits, out=out)
        out.add_(calls * 1e-3)

    monkeypatch.setattr(criteria, "softplus", drifting)
    assert "differ from those alone" in str(self_test.__wrapped__())


def test_rows_in_files_are_brought_a_block_at_a_time_in_each_order_of_a_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = rows_of()
    orders = [[order(seed), order(seed + 7)] for seed in range(3)]
    in_memory = [steps_of(perceptron(seed)) for seed in range(3)]
    stack = Stack(in_memory, rows)
    logged = [
        stack.epoch([Turn(each, orders[k][epoch]) for k, each in enumerate(in_memory)]) for epoch in range(2)
    ]
    monkeypatch.setattr(feeding, "BLOCK", 41)  # in the middle of a batch
    in_files = [steps_of(perceptron(seed)) for seed in range(3)]
    stack = Stack(in_files, replace(rows, mapped=True))
    for epoch in range(2):
        turns = [Turn(each, orders[k][epoch]) for k, each in enumerate(in_files)]
        assert stack.epoch(turns) == logged[epoch]
    assert [differing(*each) for each in zip(in_memory, in_files, strict=True)] == [[]] * 3
