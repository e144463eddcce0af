"""How batches become steps: losses, clipping, averaged weights, schedulers, closures, batches of one row."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from own_models import final, only_run
from torch import nn

from trainer import ConfigError, ModelError, evaluate, fit
from trainer.data.target import Target, TaskKind
from trainer.data.tensors import Dataset, Splits, encode
from trainer.models.arguments import settle
from trainer.models.tabular import LogisticRegression
from trainer.task import train
from trainer.tasks.losses import build_loss
from trainer.tasks.outputs import task_of
from trainer.training.epoch import StepOptions, Steps, batches
from trainer.training.loop import Objective
from trainer.training.optim import build_scheduler, warmup_cosine

Compose = Callable[..., DictConfig]
QUICK = ("data.rows=1000", "training.epochs=2", "model=logistic", "device=cpu")


@pytest.fixture(scope="module")
def rare() -> Dataset:
    draw = np.random.default_rng(0)
    x = draw.normal(size=1000)
    y = (x + draw.normal(size=1000) > 2.3).astype(np.float32)
    parts = [np.arange(0, 600), np.arange(600, 800), np.arange(800, 1000)]
    return encode(Splits.cut({"x": x, "y": y}, parts, target="y"), transform="standard", min_frequency=1)


def model_of(data: Dataset) -> LogisticRegression:
    return LogisticRegression(data.shape.numeric, generator=torch.Generator().manual_seed(0))


def trained(data: Dataset, **options: Any) -> nn.Module:
    module = model_of(data)
    settings = {"epochs": 10, "batch_size": 32, "objective": Objective("val_loss", "min", "last"), **options}
    given = StepOptions(**{key: settings.pop(key) for key in ("loss", "ema") if key in settings})
    fit(module, data, torch.optim.Adam(module.parameters(), 3e-2), options=given, **settings)
    return module


def loss_of(data: Dataset, section: Any = None, **settings: Any) -> Any:
    return build_loss(section, settings, task_of(data.labels), data.train.target)


def test_a_weight_of_the_rare_class_finds_more_of_its_rows(rare: Dataset) -> None:
    plain, weighted = (
        evaluate(trained(rare, loss=loss_of(rare, class_weight=weight)), rare.test)
        for weight in (None, "balanced")
    )
    assert weighted.metric("balanced_accuracy") > plain.metric("balanced_accuracy") + 0.1


def test_three_ways_to_say_the_same_weight(rare: Dataset) -> None:
    logits, goal = torch.tensor([0.3, -1.0, 2.0]), torch.tensor([1.0, 0.0, 1.0])
    expected = nn.functional.binary_cross_entropy_with_logits(logits, goal, pos_weight=torch.tensor(10.0))
    assert torch.allclose(loss_of(rare, pos_weight=10)(logits, goal), expected)
    assert torch.allclose(loss_of(rare, class_weight={"1": 10})(logits, goal), expected)
    positive = rare.train.target.mean().item()
    balanced = loss_of(rare, class_weight={"1": 0.5 / positive, "not 1": 0.5 / (1 - positive)})
    assert torch.allclose(loss_of(rare, class_weight="balanced")(logits, goal), balanced(logits, goal))


def test_smoothed_labels_are_those_of_torch(rare: Dataset) -> None:
    logits, goal = torch.tensor([0.3, -1.0]), torch.tensor([1.0, 0.0])
    expected = nn.functional.cross_entropy(
        torch.stack([-logits / 2, logits / 2], dim=1), goal.long(), label_smoothing=0.2
    )
    assert torch.allclose(loss_of(rare, label_smoothing=0.2)(logits, goal), expected)
    task = task_of(Target("y", TaskKind.MULTICLASS, ("a", "b", "c")))
    several = build_loss(None, {"label_smoothing": 0.1}, task, torch.tensor([0, 1, 2]))
    logits, goal = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    assert several is not None
    assert torch.allclose(
        several(logits, goal), nn.functional.cross_entropy(logits, goal, label_smoothing=0.1)
    )


def test_without_weights_and_smoothing_the_loss_is_that_of_the_task(rare: Dataset) -> None:
    assert loss_of(rare, {"_target_": None}, class_weight=None, label_smoothing=0.0) is None


def per_row(logits: torch.Tensor, target: torch.Tensor, power: float = 2.0) -> torch.Tensor:
    return (torch.sigmoid(logits) - target).abs() ** power


@pytest.mark.parametrize(
    "section",
    [
        {"_target_": "torch.nn.BCEWithLogitsLoss"},
        {"_target_": "torch.nn.functional.binary_cross_entropy_with_logits"},
    ],
)
def test_a_loss_of_torch_trains_as_ours_does(rare: Dataset, section: dict[str, Any]) -> None:
    own, plain = (trained(rare, epochs=2, loss=loss) for loss in (loss_of(rare, section), None))
    assert all(map(torch.equal, own.state_dict().values(), plain.state_dict().values()))


def test_a_function_of_the_user_may_return_a_loss_per_row(
    rare: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.nn.functional, "of_mine", per_row, raising=False)
    loss = loss_of(rare, {"_target_": "torch.nn.functional.of_mine", "power": 1.0})
    logits, goal = torch.tensor([0.0, 0.0]), torch.tensor([1.0, 0.0])
    assert loss(logits, goal).item() == 0.5
    assert evaluate(trained(rare, loss=loss), rare.test).auc > 0.8


@pytest.mark.parametrize(
    ("section", "settings", "message"),
    [
        ({"_target_": "torch.nn.HuberLoss", "delt": 1}, {}, r"loss\._target_=torch\.nn\.HuberLoss: .*'delt'"),
        ({"_target_": "nowhere.Loss"}, {}, r"loss\._target_=nowhere\.Loss"),
        ({"_target_": "torch.nn.L1Loss"}, {"pos_weight": 2}, r"cannot be combined with training\.class_weight"),
        (None, {"class_weight": {"2": 3}}, r"training\.class_weight: '2' is no class of 'y'; allowed are 'not 1', '1'"),
        (None, {"class_weight": "balanced", "pos_weight": 2}, r"pos_weight: set one of them"),
    ],
)  # fmt: skip
def test_a_loss_that_does_not_fit_is_named(
    rare: Dataset, section: Any, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        loss_of(rare, section, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_smoothing": 0.1}, r"training\.label_smoothing=0\.1: a regression has no classes"),
        ({"class_weight": "balanced"}, r"training\.class_weight=balanced: is for classes; the task is regression"),
        ({"pos_weight": 2}, r"training\.pos_weight=2: is for two classes; the task is regression"),
    ],
)  # fmt: skip
def test_a_regression_has_no_classes_to_weigh(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_loss(None, settings, task_of(Target("y", TaskKind.REGRESSION)), torch.zeros(3))


def test_gradients_are_clipped_to_the_norm(rare: Dataset) -> None:
    module = model_of(rare)
    steps = Steps.of(
        module,
        rare,
        torch.optim.SGD(module.parameters(), 1.0),
        batch_size=600,
        options=StepOptions(clip=1e-3),
    )
    before = [each.clone() for each in module.parameters()]
    steps.epoch(rare.train)
    moved = torch.cat([(a - b).flatten() for a, b in zip(before, module.parameters(), strict=True)])
    assert moved.norm().item() == pytest.approx(1e-3, rel=1e-3)


def test_averaged_weights_follow_the_weights_and_are_the_ones_that_count(rare: Dataset) -> None:
    module = model_of(rare)
    steps = Steps.of(
        module, rare, torch.optim.SGD(module.parameters(), 0.5), batch_size=300, options=StepOptions(ema=0.9)
    )
    expected = None
    for step in range(120):
        steps.epoch(rare.train.take(slice(0, 300)))
        now = module.linear.weight.detach().clone()
        decay = min(0.9, (1 + step) / (10 + step))  # the first averages are short
        expected = now if expected is None else decay * expected + (1 - decay) * now
    found = steps.scored.module.linear.weight
    assert torch.allclose(found, expected)
    assert not torch.equal(found, module.linear.weight)
    plain, averaged = (trained(rare, ema=ema) for ema in (None, 0.99))
    assert not torch.equal(plain.linear.weight, averaged.linear.weight)


@pytest.mark.parametrize(
    ("rows", "size", "count"), [(10, 4, 3), (9, 4, 2), (1, 4, 1), (5, 1, 5), (8, 4, 2), (1, 1, 1)]
)
def test_a_last_batch_of_one_row_is_a_batch_only_where_every_batch_has_one(
    rows: int, size: int, count: int
) -> None:
    assert batches(rows, size) == count


@pytest.mark.parametrize("size", [1, 2, 7, 256, 599, 600, 1000])
def test_every_row_trains_with_any_batch_size(rare: Dataset, size: int) -> None:
    class Counting(LogisticRegression):
        seen = 0

        def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
            self.seen += len(numeric) * self.training
            return super().forward(numeric, categorical)

    module = Counting(rare.shape.numeric)
    fit(module, rare, torch.optim.SGD(module.parameters(), 1e-2), epochs=1, batch_size=size)
    assert module.seen == len(rare.train)


def test_batches_of_one_row_are_refused_for_a_model_that_normalises_over_rows(rare: Dataset) -> None:
    module = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))
    with pytest.raises(
        ModelError, match=r"batch_size=1: Sequential normalises over the rows of a batch; use 2"
    ):
        fit(module, rare, torch.optim.SGD(module.parameters(), 1e-2), epochs=1, batch_size=1)


@pytest.mark.parametrize(
    ("optimizer", "is_sparse", "message"),
    [
        (
            "SparseAdam",
            False,
            "optimizer SparseAdam: SparseAdam does not support dense gradients, please consider",
        ),
        ("Adam", True, "optimizer Adam: .*[Ss]parse.*; choose another optimizer"),
        ("RMSprop", True, "optimizer RMSprop: .*sparse"),
    ],
)
def test_an_optimizer_that_refuses_the_gradients_is_named(
    rare: Dataset, optimizer: str, is_sparse: bool, message: str
) -> None:
    class Looking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.table = (
                nn.Linear(rare.train.numeric.shape[1], 1),
                nn.Embedding(2, 1, sparse=True),
            )

        def forward(self, numeric: torch.Tensor) -> torch.Tensor:
            out = self.linear(numeric)
            return out + self.table(torch.zeros(len(numeric), dtype=torch.int64)) if is_sparse else out

    module = Looking()
    made = getattr(torch.optim, optimizer)(module.parameters(), lr=0.1)
    with pytest.raises(ConfigError, match=message):
        fit(module, rare, made, epochs=1, batch_size=600)


def test_an_optimizer_that_needs_a_closure_gets_one(rare: Dataset) -> None:
    module = model_of(rare)
    optimizer = torch.optim.LBFGS(module.parameters(), lr=0.5)
    result = fit(module, rare, optimizer, epochs=3, batch_size=600)
    losses = [each["train_loss"] for each in result.history]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("section", "target", "dropped"),
    [
        ("optimizer", "torch.optim.RMSprop", "betas"),
        ("optimizer", "torch.optim.LBFGS", "betas"),
        ("scheduler", "torch.optim.lr_scheduler.ExponentialLR", "factor"),
    ],
)
def test_keys_of_another_class_are_left_out(
    section: str, target: str, dropped: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    value = {"betas": [0.9, 0.99], "factor": 1.0, "interval": "epoch", "gamma": 0.9}
    keys = ("betas",) if section == "optimizer" else ("factor", "interval", "gamma")
    settled = settle({"_target_": target, **{key: value[key] for key in keys}}, section)
    assert set(settled) == {"_target_", *keys} - {dropped}
    assert f"{target} does not take {dropped}: left out" in caplog.text


def test_arguments_of_a_scheduler_that_are_missing_or_unknown_are_named() -> None:
    target = "torch.optim.lr_scheduler.StepLR"
    with pytest.raises(ConfigError, match=r"StepLR.* needs step_size: add \+scheduler\.step_size=\.\.\."):
        settle({"_target_": target, "factor": 1.0}, "scheduler")
    with pytest.raises(ConfigError, match=r"scheduler\.stepsize=1: .*did you mean scheduler\.step_size\?"):
        settle({"_target_": target, "stepsize": 1}, "scheduler")


def test_the_warm_up_rises_then_falls_to_zero() -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), 1.0)
    scheduler = warmup_cosine(optimizer, total_steps=10, warmup=0.3)
    rates = []
    for _ in range(11):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[:4] == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0])
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert rates[10] == pytest.approx(0)


def test_one_cycle_knows_how_often_it_steps() -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), 1.0, momentum=0.9)
    spec = {"_target_": "torch.optim.lr_scheduler.OneCycleLR", "interval": "batch", "max_lr": 0.1}
    assert build_scheduler(spec, optimizer, mode="max", total_steps=7).total_steps == 7


@pytest.mark.parametrize(
    "choices",
    [
        ("scheduler=one_cycle", "training.limit_batches=2"),
        ("scheduler=warmup_cosine", "training.ema=0.9", "training.gradient_clip=1.0"),
        ("training.class_weight=balanced", "training.label_smoothing=0.05"),
        ("training.pos_weight=3",),
        ("+loss._target_=torch.nn.BCEWithLogitsLoss",),
        ("optimizer._target_=torch.optim.LBFGS", "training.batch_size=1000"),
        ("scheduler._target_=torch.optim.lr_scheduler.StepLR", "+scheduler.step_size=1"),
    ],
)
def test_every_choice_trains_in_a_job(composed: Compose, store: Any, choices: tuple[str, ...]) -> None:

    train(composed(*QUICK, *choices))
    assert only_run(store)["status"] == "completed"
    assert "test_auc" in final(only_run(store))


def test_the_loss_of_the_user_leaves_the_validation_loss_alone(rare: Dataset) -> None:
    module = trained(rare, epochs=1, loss=lambda logits, _target: logits.mean() * 0 + 5)
    goal = rare.val.target.numpy()
    chance = evaluate(module, rare.val).probabilities
    expected = -np.mean(goal * np.log(chance) + (1 - goal) * np.log(1 - chance))
    assert evaluate(module, rare.val).loss == pytest.approx(expected)
