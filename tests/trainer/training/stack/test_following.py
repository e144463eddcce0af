"""Which models are followed into a stack, and why others are not."""

import copy
import cProfile
import gc
import math
import pstats
import random
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from stacked import FEATURES, Codes, OneInput, order, perceptron, rows_of, steps_of, trained
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from trainer.models.dropout import Dropout
from trainer.models.ft_transformer import FTTransformer
from trainer.training.stack import admission, checking
from trainer.training.stack.layers.catalogue import LAYERS
from trainer.training.stack.stack import not_stackable

FACTOR = 2.0


class Plain(nn.Module):
    """Two layers, and between them whatever a test asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(FEATURES, 6), nn.Linear(6, 1)
        self.calls = 0
        self.seen: list[int] = []
        self.register_buffer("scale", torch.ones(6))

    def between(self, h: torch.Tensor) -> torch.Tensor:
        return torch.relu(h)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.between(self.first(x)))


class Counts(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return h


class WritesInPlace(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        h = h * 1
        h[:, 0] = 0
        return h


class Imports(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        import math

        return h * math.pi


class Remembers(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        self.seen.append(1)
        return h


class Prints(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        print("forward")  # noqa: T201 - what the test is about
        return h


class ReadsAGlobal(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        return h * FACTOR


class ReadsTheClock(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        return h * (1 + time.time() % 1)


class Draws(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        return h * random.random()


class AddsNoise(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        return h + torch.randn_like(h)


class Decides(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        return h if h.mean() > 0 else -h


class DecidesByRows(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        return h if h.shape[0] > 8 else -h


class CountsRows(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        return h / len(h)


class Scales(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        return h * self.scale


class ReadsATensor(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        return h * self.scale.sum().item()


class Softmax(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        return torch.softmax(h, dim=1)


class OverTheRows(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        return h - h.mean(dim=0)


class DropsByTorch(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        return functional.dropout(h, 0.5, self.training)


class UsesALayerTwice(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x) + self.first(x))


class LeavesALayerOut(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(3, 3)


class ReturnsTwo(Plain):
    def forward(self, x: torch.Tensor) -> Any:
        return self.last(self.first(x)), x


class Fails(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        return h.numpy_of_mine()


class Closure(Plain):
    """A function with a counter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.step = counter()

    def between(self, h: torch.Tensor) -> torch.Tensor:
        return h * self.step()


class Collects(Closure):
    def __init__(self) -> None:
        super().__init__()
        self.step = collector()


class TakesTurns(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.turns = iter([1.0, 2.0] * 99)

    def between(self, h: torch.Tensor) -> torch.Tensor:
        for each in self.turns:
            return h * each
        return h


class UpdatesItself(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        self.__dict__.update(calls=self.calls + 1)
        return h


def collector() -> Callable[[], int]:
    calls: list[int] = []

    def step() -> int:
        calls.append(1)
        return len(calls)

    return step


def counter() -> Callable[[], int]:
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return count

    return step


class TrainsInItsOwnWay(Plain):
    def train(self, mode: bool = True) -> "TrainsInItsOwnWay":
        return super().train(False)


def hooked() -> nn.Module:
    module = Plain()
    module.first.register_forward_hook(lambda *_: None)
    return module


def hooked_parameter() -> nn.Module:
    module = Plain()
    module.first.weight.register_hook(lambda gradient: gradient * 2)
    return module


def frozen() -> nn.Module:
    module = Plain()
    module.first.weight.requires_grad_(False)
    return module


def normed() -> nn.Module:
    module = Plain()
    weight_norm(module.first)
    return module


def with_layer(layer: nn.Module) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(nn.Linear(FEATURES, 6), layer, nn.Linear(6, 1))


REFUSED: list[tuple[Callable[[], nn.Module], str]] = [
    (Counts, "stores calls"),
    (WritesInPlace, "writes into a tensor"),
    (Imports, "imports math"),
    (Remembers, "changes an attribute by append"),
    (Prints, "calls print"),
    (ReadsAGlobal, "global name FACTOR"),
    (ReadsTheClock, "calls time"),
    (Draws, "calls random"),
    (AddsNoise, "operation randn_like"),
    (Decides, "a sum over the rows|operation gt"),
    (DecidesByRows, "number of rows"),
    (CountsRows, "number of rows"),
    (Scales, "a tensor that is no number of the rows"),
    (ReadsATensor, "calls (sum|item)"),
    (Softmax, "operation softmax"),
    (OverTheRows, "a sum over the rows"),
    (DropsByTorch, "trainer.models.dropout.Dropout"),
    (UsesALayerTwice, "used more than once"),
    (LeavesALayerOut, "spare.weight takes no part"),
    (ReturnsTwo, "returns tuple"),
    (Fails, "operation numpy_of_mine"),
    (Closure, "stores count"),
    (Collects, "names of the function around it"),
    (TakesTurns, "turns, which gives something else each time"),
    (UpdatesItself, "changes an attribute by update"),
    (TrainsInItsOwnWay, "a mode or a call of its own"),
    (hooked, "Linear has hooks"),
    (hooked_parameter, "first.weight has hooks"),
    (frozen, "first.weight is frozen"),
    (normed, "no parameter|hooks|calls"),
    (with_layer(nn.Dropout(0.5)), "torch's dropout"),
    (with_layer(nn.Softplus()), "operation softplus"),
    (with_layer(nn.GroupNorm(2, 6)), "operation group_norm"),
    (with_layer(nn.InstanceNorm1d(6)), "InstanceNorm1d"),
    (lambda: FTTransformer(FEATURES, embedding_dim=8, heads=2), "FTTransformer"),
    (lambda: nn.EmbeddingBag(9, 1), "EmbeddingBag|operation|needs tensors"),
]


@pytest.mark.parametrize(("make", "reason"), REFUSED, ids=lambda each: getattr(each, "__name__", str(each)))
def test_what_a_stack_cannot_compute_is_refused_with_a_reason(
    make: Callable[[], nn.Module], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of(cardinalities=())
    module = make()
    before = {name: copy.copy(each) for name, each in vars(module).items()}
    found = not_stackable(steps_of(module, cardinalities=()), rows)
    assert capsys.readouterr().out == ""
    assert vars(module).keys() == before.keys()
    for name, each in vars(module).items():
        assert (
            name.startswith("_")
            or name in ("turns", "step", "row")
            or each is before[name]
            or each == before[name]
        )
    assert found is not None
    assert re.search(reason, found), found


class Residual(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        outs = []
        for scale in range(1, 3):
            outs.append(torch.relu(h * scale * math.sqrt(0.5)))
        return sum(outs) + h


def in_place() -> nn.Module:
    return nn.Sequential(nn.Linear(FEATURES, 6), nn.ReLU(inplace=True), Dropout(0.3), nn.Linear(6, 1))


@pytest.mark.parametrize("make", [Plain, Residual, in_place, lambda: OneInput(FEATURES), perceptron, Codes])
def test_a_model_of_the_user_trains_as_in_the_loop(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    sizes = (4, 6) if make in (perceptron, Codes) else ()
    rows = rows_of(cardinalities=sizes)
    first, second = make(), make()
    second.load_state_dict(first.state_dict())
    keys = {"optimizer": torch.optim.SGD, "cardinalities": sizes, "lr": 0.1}
    stack, looped = steps_of(first, **keys), steps_of(second, **keys)
    assert not_stackable(stack, rows) is None
    logged = trained([stack], rows, [[order(0)]])[0][0]
    assert logged == pytest.approx(looped.epoch(rows.take(order(0))), abs=1e-5)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


class Squares(Plain):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        return h * h


@pytest.mark.parametrize(
    ("forward", "backward", "reason"),
    [("relu", "square", "other logits"), ("square", "relu", "another gradient")],
)
def test_a_layer_that_computes_something_else_is_found_before_it_is_trusted(
    monkeypatch: pytest.MonkeyPatch, forward: str, backward: str, reason: str
) -> None:
    first, second = LAYERS[forward], LAYERS[backward]
    monkeypatch.setitem(LAYERS, "square", lambda at: (first(at)[0], second(at)[1]))
    monkeypatch.setattr(admission, "_checked", set())
    assert reason in str(not_stackable(steps_of(Squares(), cardinalities=()), rows_of(cardinalities=())))


def test_a_model_is_left_as_it_was() -> None:
    module = perceptron()
    module.eval()
    steps = steps_of(module)
    state = module.layers[2].generator.get_state()
    ambient = torch.get_rng_state()
    assert not_stackable(steps, rows_of()) is None
    assert all("forward" not in vars(each) and not each.training for each in module.modules())
    assert all(each.grad is None for each in module.parameters())
    assert torch.equal(module.layers[2].generator.get_state(), state)
    assert torch.equal(torch.get_rng_state(), ambient)


def test_code_that_python_runs_when_it_collects_rubbish_is_not_taken_for_the_models() -> None:
    phases: list[str] = []

    def note(phase: str, _info: dict[str, int]) -> None:
        phases[:] = [phase]

    limits = gc.get_threshold()
    gc.callbacks.append(note)
    gc.set_threshold(1)
    try:
        found = not_stackable(steps_of(Plain(), cardinalities=()), rows_of(cardinalities=()))
    finally:
        gc.set_threshold(*limits)
        gc.callbacks.remove(note)
    assert phases == ["stop"]
    assert found is None


def test_a_large_model_is_compared_in_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "LARGE", 10)
    monkeypatch.setattr(admission, "_checked", set())
    assert not_stackable(steps_of(perceptron(linear_start=True)), rows_of()) is None


def test_a_model_is_followed_under_a_profiler_which_goes_on_afterwards() -> None:
    with cProfile.Profile() as profiler:
        assert not_stackable(steps_of(perceptron()), rows_of()) is None
        order(0)
    assert any(name == "order" for _, _, name in pstats.Stats(profiler).stats)  # type: ignore[attr-defined]
