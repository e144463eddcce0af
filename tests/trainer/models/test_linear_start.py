"""A network with a linear start is that linear model at first, and counts beyond it by what it gains."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import nn

from trainer import evaluate, fit, scoring
from trainer.data.splits import by_ratio
from trainer.data.tensors import Dataset, Splits, encode
from trainer.models import linear_start
from trainer.models.linear_start import LinearStart, start_of
from trainer.models.mlp import TabularClassifier
from trainer.models.network import Network, adapt, flatten
from trainer.tasks.outputs import task_of
from trainer.training import validation


class Fixed(nn.Module):
    """Return the same logits for the rows that it is asked for, in their order."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        spare = len(rows) - len(self.logits)
        return torch.cat([self.logits, self.logits.new_zeros(spare, 1)]) if spare else self.logits


def table(kind: str, rows: int = 400, *, bend: float = 0.0, noise: float = 1.0, seed: int = 0) -> Dataset:
    """Return a data set whose target is a line of two numbers and a category, plus a bend of both numbers."""
    draw = np.random.default_rng(seed)
    x, z, city = draw.normal(size=rows), draw.normal(size=rows), draw.choice(["a", "b", "c"], rows)
    score = x - 0.5 * z + (city == "a") + bend * x * z + noise * draw.normal(size=rows)
    target = {
        "regression": score,
        "binary": (score > 0).astype(int),
        "multiclass": np.digitize(score, [-1, 1]),
    }
    columns = {"x": x, "z": z, "city": city, "y": target[kind]}
    parts = by_ratio(
        target[kind] if kind != "regression" else np.zeros(rows), val_fraction=0.2, test_fraction=0.2, seed=0
    )
    splits = Splits.cut(columns, parts, target="y", categorical=["city"])
    return encode(splits, transform="standard", min_frequency=1, task=kind)


def made(data: Dataset, **more: Any) -> TabularClassifier:
    return TabularClassifier(
        data.shape.numeric,
        [16],
        0.0,
        data.labels.outputs,
        cardinalities=data.shape.cardinalities,
        linear_start=True,
        generator=torch.Generator().manual_seed(0),
        **more,
    )


def trained(data: Dataset, *, epochs: int = 5, lr: float = 1e-3, **more: Any) -> TabularClassifier:
    model = made(data)
    fit(model, data, torch.optim.Adam(model.parameters(), lr=lr), epochs=epochs, batch_size=32, **more)
    return model


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_it_starts_as_the_linear_model_of_scikit_learn(kind: str) -> None:
    data = table(kind)
    model = made(data)
    assert model.start is not None
    model.start.fit(data.train, task_of(data.labels).loss)
    x, rows = (
        flatten(each.numeric, each.categorical, data.shape.cardinalities).numpy()
        for each in (data.train, data.test)
    )
    goal = data.train.target.numpy()
    found = evaluate(model, data.test, data=data).probabilities
    if kind == "regression":
        wanted = Ridge().fit(x, goal).predict(rows) * data.labels.scale + data.labels.mean
        assert found == pytest.approx(wanted, abs=2e-3)
    else:
        wanted = LogisticRegression(C=0.5, max_iter=1000).fit(x, goal).predict_proba(rows)
        assert found == pytest.approx(wanted[:, 1] if kind == "binary" else wanted, abs=2e-3)


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_where_the_network_gains_nothing_the_linear_model_alone_counts(kind: str) -> None:
    data = table(kind)
    plain = made(data)
    assert plain.start is not None
    plain.start.fit(data.train, task_of(data.labels).loss)
    plain.start.share.fill_(0)
    model = trained(data, lr=30.0)  # which makes the network useless
    assert start_of(model) is not None
    assert float(model.start.share) == 0
    assert evaluate(model, data.test, data=data).loss == evaluate(plain, data.test, data=data).loss


def test_where_it_gains_much_nearly_all_of_it_counts() -> None:
    data = table("regression", 1500, bend=2.0, noise=0.1)
    model = trained(data, epochs=30, lr=1e-2)
    assert model.start is not None
    assert float(model.start.share) > 0.95
    scores = evaluate(model, data.test, data=data)
    model.start.share.fill_(0)
    assert scores.metric("r2") > 0.9 > 0.6 > evaluate(model, data.test, data=data).metric("r2")


def test_the_share_that_counts_is_saved_with_the_weights_and_does_not_disturb_the_training() -> None:
    data = table("regression", bend=0.5)
    model = trained(data, epochs=3)
    other = made(data)
    other.load_state_dict(copy.deepcopy(model.state_dict()))
    assert evaluate(other, data.test, data=data).loss == evaluate(model, data.test, data=data).loss
    rows = data.test.numeric, data.test.categorical
    assert model.start is not None
    model.train()
    model.start.share.fill_(0)
    whole = model(*rows)
    model.start.share.fill_(1)
    assert torch.equal(model.eval()(*rows), whole)


def test_with_a_loss_of_ones_own_the_layers_train_alone_and_all_of_them_counts() -> None:
    from trainer.training.epoch import StepOptions
    from trainer.training.loop import Objective

    data = table("regression", noise=2.0)
    high = lambda logits, goal: torch.maximum(0.9 * (goal - logits), 0.1 * (logits - goal)).mean()  # noqa: E731 - a quantile
    last = Objective("val_r2", at="last")  # the best by R2 would be nearer to the mean
    model = trained(data, epochs=20, lr=1e-2, options=StepOptions(high), objective=last).eval()
    assert model.start is not None
    assert float(model.start.share) == 1
    assert not model.start.numeric.any()
    above = (data.test.target < model(data.test.numeric, data.test.categorical)).float().mean()
    assert 0.8 < above < 0.98


def test_a_loss_without_a_finite_minimum_leaves_the_start_at_zero() -> None:
    data = table("regression")
    start = LinearStart(2, data.shape.cardinalities, 1)
    start.fit(data.train, lambda logits, _goal: logits.mean() * torch.nan)
    assert not any(each.any() for each in (start.numeric, start.codes, start.bias))


def test_it_is_fitted_to_rows_spread_over_a_large_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_start, "ROWS", 100)
    data = table("regression")
    seen: list[int] = []

    def loss(logits: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
        seen.append(len(goal))
        return (logits - goal).square().mean()

    LinearStart(2, data.shape.cardinalities, 1).fit(data.train, loss)
    assert set(seen) == {80}


def test_each_epoch_passes_once_over_the_validation_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    data, passes = table("binary", bend=1.0), list[int]()
    inner = validation.infer

    def counted(network: Network, numeric: torch.Tensor, *more: Any, **named: Any) -> torch.Tensor:
        passes.append(len(numeric))
        return inner(network, numeric, *more, **named)

    monkeypatch.setattr(validation, "infer", counted)
    monkeypatch.setattr(scoring, "infer", counted)
    trained(data, epochs=4)
    assert passes == [len(data.val)] * 5  # one for the linear model alone


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_the_logged_scores_are_those_of_the_saved_weights_to_the_last_digit(kind: str) -> None:
    data = table(kind, bend=1.0, noise=0.3)
    logged: list[dict[str, float]] = []
    model = made(data)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    result = fit(
        model, data, optimizer, epochs=6, batch_size=32, log=lambda each, _epoch: logged.append(each)
    )
    assert model.start is not None
    assert 0 < float(model.start.share) < 1
    assert evaluate(model, data.val, data=data).loss == logged[result.epoch - 1]["val_loss"]


def test_where_ranks_are_the_objective_the_share_is_the_mean_of_what_loss_and_ranks_say() -> None:
    """A network that orders a rare class right but is too sure of it gains no loss."""
    draw = np.random.default_rng(0)
    target = (draw.random(600) < 0.05).astype(int)
    data = table("binary", 600)
    val = replace(data.val, target=torch.as_tensor(target[: len(data.val)], dtype=torch.float32))
    good = (
        torch.where(val.target > 0.5, 3.0, -1.0)[:, None] * 5
    )  # but as sure of every fifth one that is wrong
    good[::20] *= -3
    shares = []
    for objective in ("val_auc", "val_loss"):
        model = made(data)
        assert model.start is not None
        network = adapt(model, data.shape.cardinalities)
        alone = validation.Validation.of(network, val, task_of(data.labels), objective, has_start=True)
        model.layers = Fixed(good)  # type: ignore[assignment]
        alone.scores(network)
        shares.append(float(model.start.share))
    assert shares[1] == 0
    assert 0.3 < shares[0] <= 0.5


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_what_the_same_rows_led_to_is_found_again_to_the_last_bit(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data, fitted, plain = table(kind), [], linear_start._fitted
    monkeypatch.setattr(linear_start, "_fitted", lambda *given: fitted.append(1) or plain(*given))
    starts = [start_of(made(data)) for _ in range(3)]
    task = task_of(data.labels)
    own = lambda *given: task.loss(*given)  # noqa: E731 - a loss of nobody's, of which nothing is kept
    for start, loss in zip(starts, (task.loss, task.loss, own), strict=True):
        assert start is not None
        start.fit(data.train, loss)
    assert len(fitted) == 2
    for name in ("numeric", "codes", "bias"):
        first, again, alone = (getattr(start, name) for start in starts)
        assert torch.equal(first, again)
        assert torch.equal(first, alone)
        assert first.abs().sum() > 0
    other = table(kind, seed=1)
    start = start_of(made(other))
    assert start is not None
    start.fit(other.train, task_of(other.labels).loss)
    assert len(fitted) == 3


def test_rows_without_a_finite_minimum_leave_the_start_as_it_is_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data = table("regression")
    rows = replace(data.train, numeric=torch.full_like(data.train.numeric, torch.inf))
    for _ in range(2):
        start = start_of(made(data))
        assert start is not None
        start.fit(rows, task_of(data.labels).loss)
        assert start.bias.abs().sum() == 0
