"""The training loop: what it logs, which epoch counts, when it ends."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from trainer.data.load import load
from trainer.data.tensors import Dataset
from trainer.errors import ConfigError, DivergedError
from trainer.models.network import build_module
from trainer.scoring import evaluate
from trainer.training.loop import Fit, Objective, Stop, fit, shown
from trainer.training.optim import build_optimizer, build_scheduler

CONF = Path(__file__).resolve().parents[3] / "conf" / "data"
SGD = {"_target_": "torch.optim.SGD"}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load(OmegaConf.to_container(OmegaConf.load(CONF / "breast_cancer.yaml")))


def run(
    data: Dataset, *, lr: float = 0.05, optimizer: Any = SGD, **options: Any
) -> tuple[Fit, Any, nn.Module]:
    module, _ = build_module({"_target_": "trainer.models.tabular.LogisticRegression"}, data.shape, seed=0)
    made = build_optimizer(optimizer, module, learning_rate=lr, weight_decay=0.0)
    history: list[dict[str, float]] = []
    settings = {"epochs": 6, "batch_size": 32, **options}
    scheduler = settings.pop("scheduler", None)
    if scheduler:
        settings["scheduler"] = build_scheduler(scheduler, made, mode="max")
    result = fit(
        module, data, made, log=lambda metrics, step: history.append({**metrics, "step": step}), **settings
    )
    return result, history, module


def test_each_epoch_logs_its_five_metrics_from_step_one(data: Dataset) -> None:
    _, history, _ = run(data)
    assert [each["step"] for each in history] == [1, 2, 3, 4, 5, 6]
    assert set(history[0]) == {"train_loss", "train_acc", "val_loss", "val_acc", "val_auc", "step"}
    assert history[-1]["train_loss"] < history[0]["train_loss"]


def test_the_model_is_left_with_the_weights_of_the_best_epoch(data: Dataset) -> None:
    result, history, module = run(data, lr=5.0, objective=Objective("val_loss", "min"), epochs=10)
    best = min(history, key=lambda each: each["val_loss"])
    assert (result.value, result.epoch) == (best["val_loss"], best["step"])
    assert evaluate(module, data.val).loss == best["val_loss"]


def test_the_last_epoch_counts_when_the_objective_says_so(data: Dataset) -> None:
    result, history, module = run(data, lr=5.0, objective=Objective("val_loss", "min", "last"), epochs=10)
    assert (result.value, result.epoch) == (history[-1]["val_loss"], 10)
    assert evaluate(module, data.val).loss == history[-1]["val_loss"]


def test_it_stops_after_patience_epochs_without_a_better_objective(data: Dataset) -> None:
    result, history, _ = run(data, lr=5.0, objective=Objective("val_loss", "min"), epochs=100, patience=3)
    assert result.stop is Stop.PATIENCE
    assert result.epochs == len(history) == result.epoch + 3


def test_it_stops_at_the_end_of_the_epoch_in_which_it_is_asked_to(data: Dataset) -> None:
    answers = iter([False, True])
    result, history, _ = run(data, should_stop=lambda: next(answers))
    assert (result.stop, len(history)) == (Stop.ASKED, 2)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.47534, "0.4753"),
        (-12.5, "-12.5000"),
        (0.0, "0.0000"),
        (1.2e-05, "1.200e-05"),
        (-1234567.0, "-1.235e+06"),
        (math.nan, "nan"),
    ],
)
def test_a_number_of_the_log_is_short_and_never_rounded_to_nothing(value: float, text: str) -> None:
    assert shown({"val_loss": value}) == f"val_loss {text}"


def test_the_values_of_later_epochs_stand_below_those_before() -> None:
    widths: dict[str, int] = {}
    assert shown({"a": 112.0, "b": 1.0}, widths) == "a 112.0000  b 1.0000"
    assert shown({"a": 1.2, "b": 1.0}, widths) == "a   1.2000  b 1.0000"


def test_the_epoch_that_diverges_has_no_line_beside_the_error(
    data: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"), pytest.raises(DivergedError):
        run(data, lr=1e38, epochs=5)
    assert "epoch" not in caplog.text


def test_a_loss_that_is_not_finite_ends_it_with_the_epoch_and_advice(data: Dataset) -> None:
    with pytest.raises(
        DivergedError,
        match=r"train_loss became (inf|nan) in epoch 1 at batch 2 of \d+ \(step 2\), with a gradient norm of [\d.]+ at the batch before and a learning rate of 1e\+38; try a smaller training",
    ):
        run(data, lr=1e38, epochs=5)


def test_a_last_batch_of_one_row_joins_the_one_before_it(data: Dataset) -> None:
    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.BatchNorm1d(30), nn.Linear(30, 1))
            self.sizes: list[int] = []

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                self.sizes.append(len(x))
            return self.net(x)

    module, rows = Normed(), len(data.train)
    size = next(each for each in range(32, rows) if rows % each == 1)
    fit(module, data, torch.optim.SGD(module.parameters(), 0.1), epochs=1, batch_size=size)
    assert sum(module.sizes) == rows
    assert module.sizes[-1] == size + 1


def test_a_limit_trains_on_the_first_batches_of_each_shuffle(data: Dataset) -> None:
    class Watched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(30, 1)
            self.batches: list[torch.Tensor] = []

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                self.batches.append(x)
            return self.net(x)

    def batches(limit: int | None) -> list[torch.Tensor]:
        module = Watched()
        optimizer = torch.optim.SGD(module.parameters(), 0.1)
        fit(module, data, optimizer, epochs=2, batch_size=32, limit_batches=limit)
        return module.batches

    every = batches(None)
    first_of_each_epoch = [*every[:2], *every[len(every) // 2 :][:2]]
    limited = batches(2)
    assert len(limited) == 4
    assert all(map(torch.equal, limited, first_of_each_epoch))
    assert all(map(torch.equal, batches(1000), every))


def test_a_plateau_scheduler_hears_the_objective(data: Dataset) -> None:
    seen = []
    plateau = {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "factor": 0.1, "patience": 0}
    module, _ = build_module({"_target_": "trainer.models.tabular.LogisticRegression"}, data.shape, seed=0)
    optimizer = build_optimizer(SGD, module, learning_rate=1e-6, weight_decay=0.0)
    scheduler = build_scheduler(plateau, optimizer, mode="max")
    fit(
        module, data, optimizer, epochs=3, batch_size=64, scheduler=scheduler,
        log=lambda _metrics, _step: seen.append(optimizer.param_groups[0]["lr"]),
    )  # fmt: skip
    assert seen[-1] < seen[0]


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD"])
def test_optimizers_are_fused_and_get_rate_and_decay(data: Dataset, name: str) -> None:
    module = nn.Linear(2, 1)
    made = build_optimizer({"_target_": f"torch.optim.{name}"}, module, learning_rate=0.3, weight_decay=0.2)
    group = made.param_groups[0]
    assert (group["fused"], group["lr"], group["weight_decay"]) == (True, 0.3, 0.2)


def test_an_optimizer_that_is_none_is_refused() -> None:
    for target in ("torch.optim.Adamm", "builtins.dict", "torch.nn.ReLU"):
        with pytest.raises(ConfigError, match=rf"optimizer\._target_={target}"):
            build_optimizer({"_target_": target}, nn.Linear(2, 1), learning_rate=0.1, weight_decay=0.0)


def test_a_scheduler_that_is_none_is_refused() -> None:
    optimizer = torch.optim.SGD(nn.Linear(2, 1).parameters(), 0.1)
    for target in ("torch.optim.lr_scheduler.Nothing", "torch.nn.ReLU"):
        with pytest.raises(ConfigError, match=rf"scheduler\._target_={target}"):
            build_scheduler({"_target_": target}, optimizer, mode="max")


def test_nan_is_never_better_and_anything_beats_nothing() -> None:
    up, down = Objective("val_auc", "max"), Objective("val_loss", "min")
    assert not up.is_better(math.nan, None)
    assert up.is_better(0.1, None)
    assert up.is_better(0.2, 0.1)
    assert not up.is_better(0.1, 0.1)
    assert down.is_better(0.1, 0.2)
