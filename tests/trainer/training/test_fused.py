"""Epochs of models that train in one process: the numbers that each gets alone, and how a model comes and goes."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from greenlet import getcurrent, greenlet
from omegaconf import OmegaConf
from torch import nn

from tracking.process.turns import Work, computed, hosted, raised_or
from trainer.checkpoint import State
from trainer.data.load import load
from trainer.data.tensors import Dataset
from trainer.device import cpu_threads
from trainer.models.network import build_module
from trainer.training import fused
from trainer.training.epoch import StepOptions
from trainer.training.loop import Fit, fit
from trainer.training.optim import build_optimizer

CONF = Path(__file__).resolve().parents[3] / "conf" / "data"
MLP = {"_target_": "trainer.models.mlp.TabularClassifier", "hidden_dims": [16, 8]}
ADAM = {"_target_": "torch.optim.Adam"}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load(OmegaConf.to_container(OmegaConf.load(CONF / "breast_cancer.yaml")))


class Meeting:
    """Runs functions in turns, each in a greenlet; those that wait in `together` are computed at once."""

    def __init__(self, functions: Sequence[Callable[[], Any]]) -> None:
        self._hub = getcurrent()
        self._jobs = [greenlet(function) for function in functions]
        self._threads = [torch.get_num_threads()] * len(functions)
        self.met: list[int] = []  # how many took part in each meeting

    def run(self) -> list[Any]:
        """Return what each function returns."""
        results: dict[int, Any] = {}
        asked: dict[int, tuple[Work, Any]] = {}
        gets: dict[int, Any] = {}
        with hosted(self):
            while len(results) < len(self._jobs):
                for place, job in enumerate(self._jobs):
                    if place in results:
                        continue
                    said = self._switched(place, *([gets.pop(place)] if place in gets else []))
                    if job.dead:
                        results[place] = said
                    else:
                        asked[place] = said
                if asked:
                    self.met.append(len(asked))
                    work = next(iter(asked.values()))[0]
                    found = computed(work, [item for _, item in asked.values()])
                    gets, asked = dict(zip(asked, found, strict=True)), {}
        return [results[place] for place in range(len(self._jobs))]

    def _switched(self, place: int, *gets: Any) -> Any:
        """Let a job go on, with its own number of threads."""
        with cpu_threads(self._threads[place]):
            said = self._jobs[place].switch(*gets)
            self._threads[place] = torch.get_num_threads()
        return said

    def has_turn(self) -> bool:
        return getcurrent() in self._jobs

    def meet(self, work: Work, item: Any, *, first: bool = False) -> Any:
        return raised_or(self._hub.switch((work, item)))


def trained(data: Dataset, *, lr: float = 1e-3, dropout: float = 0.2, **settings: Any) -> tuple[Fit, Any]:
    spec = {**MLP, "dropout": dropout, **settings.pop("model", {})}
    module, _ = build_module(spec, data.shape, seed=settings.get("seed", 0))
    optimizer = build_optimizer(ADAM, module, learning_rate=lr, weight_decay=0.0)
    result = fit(module, data, optimizer, **{"epochs": 4, "batch_size": 32, **settings})
    return result, module.state_dict()


def same(one: tuple[Fit, Any], other: tuple[Fit, Any]) -> bool:
    states = one[1].keys() == other[1].keys() and all(
        torch.equal(value, other[1][name]) for name, value in one[1].items()
    )
    return states and one[0].history == other[0].history


SETTINGS: list[dict[str, Any]] = [
    {},
    {"lr": 1e-2, "dropout": 0.5},
    {"seed": 3},
    {"epochs": 2},
    {"epochs": 9, "patience": 1, "lr": 0.1},
    {"batch_size": 64},
    {"options": StepOptions(clip=0.1, ema=0.9)},
    {"model": {"hidden_dims": [5]}},
    {"limit_batches": 2},
]


def test_each_training_gets_the_numbers_that_it_gets_alone(data: Dataset) -> None:
    alone = [trained(data, **settings) for settings in SETTINGS]
    meeting = Meeting([lambda settings=settings: trained(data, **settings) for settings in SETTINGS])
    beside = meeting.run()
    assert meeting.met[0] == len(SETTINGS)
    assert [same(one, other) for one, other in zip(alone, beside, strict=True)] == [True] * len(SETTINGS)


def test_a_training_that_continues_beside_others_gets_the_numbers_of_one_that_was_never_cut(
    data: Dataset,
) -> None:
    kept: list[dict[str, Any]] = []
    whole = trained(data, keep=lambda state: kept.append(state.capture()))

    def begin(state: State) -> None:
        state.load(kept[1])

    others = [
        lambda: trained(data, lr=1e-2),
        lambda: trained(data, begin=begin),
        lambda: trained(data, seed=1),
    ]
    assert same(Meeting(others).run()[1], whole)


def test_a_checkpoint_holds_one_model_and_not_the_stack(data: Dataset) -> None:
    sizes: list[int] = []

    def keep(state: State) -> None:
        model = state.capture()["parts"]["model"]
        sizes.append(
            max(value.untyped_storage().nbytes() // value.nbytes for value in model.values() if value.nbytes)
        )

    Meeting([lambda seed=seed: trained(data, seed=seed, keep=keep) for seed in range(3)]).run()
    assert set(sizes) == {1}


def test_a_model_has_memory_of_its_own_after_its_training(data: Dataset) -> None:
    _, state = Meeting([lambda seed=seed: trained(data, seed=seed) for seed in range(3)]).run()[0]
    assert not fused._stacks
    pointers = {value.untyped_storage().data_ptr() for value in state.values()}
    assert len(pointers) == len(state)


def test_a_training_that_fails_leaves_the_others_as_they_are(data: Dataset) -> None:
    def failing() -> str:
        def log(_metrics: dict[str, float], step: int) -> None:
            if step == 2:
                raise OSError("the disk is full")

        with pytest.raises(OSError, match="disk"):
            trained(data, seed=1, log=log)
        return "failed"

    results = Meeting([lambda: trained(data), failing]).run()
    assert results[1] == "failed"
    assert same(results[0], trained(data))


class Doubling(nn.Module):
    """A network with an operation that no stack knows."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(30, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        return self.line(torch.cumsum(x, dim=1))


def test_a_model_that_cannot_be_in_a_stack_trains_beside_others_and_says_why(
    data: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    def own() -> Fit:
        torch.manual_seed(0)
        module = Doubling()
        optimizer = torch.optim.Adam(module.parameters())
        return fit(module, data, optimizer, epochs=2, batch_size=32)

    alone = own()
    with caplog.at_level(logging.INFO, "trainer"):
        results = Meeting([own, lambda: trained(data)]).run()
    assert results[0].history == alone.history
    assert same(results[1], trained(data))
    assert any(each.startswith("not fused: ") and "cumsum" in each for each in caplog.messages)


def test_where_stacks_are_not_exact_each_model_trains_alone_and_the_process_says_so(
    data: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fused, "self_test", lambda: "layers.0.weight differs")
    made: list[int] = []
    stack = fused.Stack

    def counted(models: Sequence[Any], rows: Any) -> Any:
        made.append(len(models))
        return stack(models, rows)

    monkeypatch.setattr(fused, "Stack", counted)
    results = Meeting([lambda seed=seed: trained(data, seed=seed) for seed in range(2)]).run()
    assert set(made) == {1}
    assert same(results[1], trained(data, seed=1))
    assert "layers.0.weight differs" in caplog.text


def test_a_stack_computes_on_the_threads_of_its_jobs_and_not_on_those_of_the_process(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    epoch = fused.Stack.epoch

    def noting(self: Any, turns: Sequence[Any]) -> Any:
        seen.append(torch.get_num_threads())
        return epoch(self, turns)

    monkeypatch.setattr(fused.Stack, "epoch", noting)

    def job(seed: int) -> tuple[Fit, Any]:
        with cpu_threads(1):
            return trained(data, seed=seed)

    with cpu_threads(2):
        alone = job(1)
        seen.clear()
        beside = Meeting([lambda: job(0), lambda: job(1)]).run()
    assert set(seen) == {1}
    assert same(alone, beside[1])


def ends_early(data: Dataset) -> Fit:
    """Train with a schedule that is over in the second epoch, which raises in the middle of it."""
    module, _ = build_module({**MLP, "dropout": 0.2}, data.shape, seed=0)
    optimizer = build_optimizer(ADAM, module, learning_rate=1e-3, weight_decay=0.0)
    steps = len(data.train) // 32 + 3
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=steps)
    options = StepOptions(interval="batch")
    return fit(module, data, optimizer, epochs=4, batch_size=32, scheduler=schedule, options=options)


def error_of(function: Callable[[], Any]) -> str:
    with pytest.raises(ValueError, match="Tried to step") as caught:
        function()
    return str(caught.value)


def test_an_error_in_the_epoch_of_one_model_is_its_own_and_the_others_get_the_numbers_that_they_get_alone(
    data: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    own = [{}, {"lr": 1e-2, "dropout": 0.5}, {"seed": 3, "options": StepOptions(clip=0.1, ema=0.9)}]
    alone, failure = [trained(data, **settings) for settings in own], error_of(lambda: ends_early(data))
    jobs = [lambda settings=settings: trained(data, **settings) for settings in own]
    meeting = Meeting([jobs[0], lambda: error_of(lambda: ends_early(data)), *jobs[1:]])
    first, said, *others = meeting.run()
    assert said == failure
    assert [same(*each) for each in zip(alone, [first, *others], strict=True)] == [True] * 3
    assert meeting.met == [4, 4, 3, 3]
    (told,) = caplog.messages
    assert told.startswith("4 models trained this epoch alone after it failed in a stack (ValueError('Tried")
    assert told.endswith("; 1 failed again")


def test_the_models_that_are_well_share_a_stack_again_after_the_epoch_of_the_one_that_failed(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    stack = fused.Stack

    def noting(models: Sequence[Any], rows: Any) -> Any:
        sizes.append(len(models))
        return stack(models, rows)

    jobs = [lambda seed=seed: trained(data, seed=seed) for seed in range(2)]
    monkeypatch.setattr(fused, "Stack", noting)
    Meeting([*jobs, lambda: error_of(lambda: ends_early(data))]).run()
    assert sizes == [3, 1, 1, 1, 2]


def test_models_that_have_no_memory_for_a_stack_train_alone_from_then_on(
    data: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alone = [trained(data, seed=seed) for seed in range(3)]
    epoch, sizes, waiting = fused.Stack.epoch, [], []

    def short(self: Any, turns: Sequence[Any]) -> Any:
        sizes.append(len(turns))
        waiting.append(len(fused._stacks))
        if len(turns) > 1:
            raise MemoryError
        return epoch(self, turns)

    monkeypatch.setattr(fused.Stack, "epoch", short)
    beside = Meeting([lambda seed=seed: trained(data, seed=seed) for seed in range(3)]).run()
    assert [same(*each) for each in zip(alone, beside, strict=True)] == [True] * 3
    assert sizes == [3] + [1] * 12
    assert set(waiting) == {1}  # no memory is kept for a model that has not its turn
    assert [each.endswith("(MemoryError()); they go on alone") for each in caplog.messages] == [True]
    assert not fused._apart
