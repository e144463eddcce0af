"""A network with a linear start is that linear model at first, and counts beyond it by what it gains."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from trainer import evaluate, fit
from trainer.data.splits import by_ratio
from trainer.data.target import TaskKind
from trainer.data.tensors import Dataset, Splits, encode
from trainer.models import linear_start
from trainer.models.linear_start import LinearStart, start_of
from trainer.models.mlp import TabularClassifier
from trainer.models.network import flatten
from trainer.scoring import Scores
from trainer.tasks.outputs import task_of


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
    from trainer.epoch import StepOptions
    from trainer.loop import Objective

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


@pytest.mark.parametrize(
    ("gains", "share"),
    [
        ([1, 1, 1, 1], 1.0),
        ([0, 0, 0, 0], 0.0),
        ([-1, -1, 0, 0], 0.0),
        ([3, -3, 1, -1], 0.0),
        ([3, 1, 3, 1], 0.9375),
    ],
)
def test_the_share_grows_with_the_gain_and_shrinks_with_its_standard_error(
    gains: list[float], share: float
) -> None:
    target = np.zeros(4)

    def scores(losses: Any) -> Scores:
        return Scores(1.0, 0.0, 0.0, np.sqrt(losses), target, TaskKind.REGRESSION)

    better = np.full(4, 4.0)
    assert scores(better).gain_over(scores(better + gains)) == pytest.approx(share)
