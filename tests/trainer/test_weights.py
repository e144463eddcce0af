"""Rows that count for more or less than one: a weight of 2 is as two rows, in the loss and in every metric."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import DictConfig
from own_models import final, only_run

from tracking import ExperimentTracker
from tracking.statistics.formulas import by_class
from trainer import ConfigError, DataError, load_model
from trainer.data.load import load
from trainer.data.target import Target
from trainer.data.tensors import Dataset, Split
from trainer.models.network import adapt
from trainer.models.tabular import LogisticRegression
from trainer.scoring import evaluate
from trainer.task import train
from trainer.tasks.losses import build_loss
from trainer.tasks.outputs import task_of
from trainer.training.epoch import Steps

Compose = Callable[..., DictConfig]
TARGETS = ("won", "kind", "price")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    x, z = draw.normal(size=(2, 300)).round(3)
    noisy = x + draw.normal(size=300)
    return pd.DataFrame(
        {
            "x": x,
            "z": z,
            "w": draw.integers(0, 4, 300),
            "won": np.where(noisy > 0.5, "yes", "no"),
            "kind": np.array(["ash", "birch", "cedar"])[np.digitize(noisy, [-0.5, 0.8])],
            "price": (100 * noisy).round(2),
        }
    )


@pytest.fixture(scope="module")
def file(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    table.to_csv(path, index=False)
    return path


def loaded(file: Path, target: str, **changes: Any) -> Dataset:
    section = {
        "_target_": "trainer.data.table.load",
        "path": str(file),
        "target": target,
        "drop": [each for each in TARGETS if each != target],
        "val_fraction": 0.2,
        "test_fraction": 0.2,
        "data_seed": 0,
        **changes,
    }
    return load(section)


def model_of(data: Dataset) -> LogisticRegression:
    generator = torch.Generator().manual_seed(0)
    return LogisticRegression(data.shape.numeric, output_dim=data.labels.outputs, generator=generator)


def repeated(split: Split, weights: list[int]) -> Split:
    """Return a split without weights, with each row as often as its weight says."""
    rows = torch.repeat_interleave(torch.arange(len(split)), torch.tensor(weights))
    return Split(split.numeric[rows], split.categorical[rows], split.target[rows])


def whole(split: Split) -> list[int]:
    """Return weights of mean 1 as the whole numbers they were made of."""
    assert split.weight is not None
    smallest = split.weight[split.weight > 0].min()
    return (split.weight / smallest).round().int().tolist()


@pytest.mark.parametrize("target", TARGETS)
def test_every_metric_is_that_of_rows_repeated(file: Path, target: str) -> None:
    data = loaded(file, target, weight_column="w")
    module, task = model_of(data), task_of(data.labels)
    scores = evaluate(module, data.test, task=task)
    expected = evaluate(module, repeated(data.test, whole(data.test)), task=task)
    found, known = scores.named(), expected.named()
    assert found == pytest.approx(known)
    assert found.keys() == known.keys()
    plain = evaluate(module, Split(data.test.numeric, data.test.categorical, data.test.target), task=task)
    assert found != pytest.approx(plain.named())
    if target == "kind":
        tables = (by_class(each.target, each.probabilities, data.labels.classes, each.weight)
                  for each in (scores, expected))  # fmt: skip
        for one, other in zip(*tables, strict=True):
            assert one.pop("rows") != other.pop("rows")  # which counts the rows there are
            assert one == pytest.approx(other)


@pytest.mark.parametrize(
    ("target", "settings"),
    [
        (target, settings)
        for target in TARGETS
        for settings in ({}, {"class_weight": "balanced"}, {"label_smoothing": 0.1})
        if target != "price" or not settings  # a regression has no classes
    ],
)
def test_the_gradient_of_weighted_rows_is_that_of_rows_repeated(
    file: Path, target: str, settings: dict[str, Any]
) -> None:
    data = loaded(file, target, weight_column="w")
    task = task_of(data.labels)
    gradients = []
    for rows in (data.train, repeated(data.train, whole(data.train))):
        module = model_of(data)
        # Classes are counted by their rows, whatever these count for, so that both losses weight them alike.
        loss = build_loss(None, settings, task, data.train.target) or task.loss
        logits = adapt(module, (), data.labels.outputs)(rows.numeric, rows.categorical)
        torch.autograd.backward(loss(logits, rows.target, *rows.weights))
        gradients.append([each.grad for each in module.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_an_ensemble_weights_the_rows_of_each_member() -> None:
    labels = Target("y", classes=("0", "1"))
    task, logits = task_of(labels), torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    goal, weight = torch.tensor([0.0, 1, 1, 0, 1]), torch.tensor([0.0, 1, 2, 1, 1])
    alone = torch.stack([task.loss(logits[:, member], goal, weight) for member in range(3)])
    assert torch.allclose(task.loss(logits, goal, weight), alone.mean())


def test_a_split_without_weights_has_none_and_the_same_rows(file: Path) -> None:
    plain, weighted = loaded(file, "won", drop=["kind", "price", "w"]), loaded(file, "won", weight_column="w")
    assert plain.train.weight is None
    assert torch.equal(plain.train.numeric, weighted.train.numeric)
    assert weighted.fingerprint != plain.fingerprint  # its metrics are of other rows, as it were
    assert weighted.train.weight is not None
    assert weighted.train.weight.mean().item() == pytest.approx(1)
    assert weighted.encoder == plain.encoder


def test_weights_travel_with_their_rows(file: Path) -> None:
    rows = loaded(file, "won", weight_column="w").train
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    assert rows.weight is not None
    moved = rows.take(order).to(torch.device("cpu")).take(slice(10, 20)).weight
    assert moved is not None
    assert torch.equal(moved, rows.weight[order][10:20])


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda t: t.assign(w=-t.w), {}, r"data\.weight_column='w' is negative in \d+ of 300 rows \(rows [\d, ]+, \.\.\.\); allowed"),
        (lambda t: t.assign(w=t.w.where(t.index != 4)), {}, r"'w' is missing or infinite in 1 of 300 rows \(row 5\)"),
        (lambda t: t.assign(w=t.w.astype(float).where(t.index != 6, np.inf)), {}, r"missing or infinite in 1 of 300 rows \(row 7\)"),
        (lambda t: t.assign(w=0), {}, r"data\.weight_column='w' is 0 in all 300 rows"),
        (lambda t: t.assign(w=np.where(t.x > 0, "much", "little")), {}, r"data\.weight_column='w' holds '\w+'; allowed are numbers"),
        (lambda t: t.assign(w=np.where(t.won == "yes", 0, 1)), {}, r"one class in the training split: all \d+ rows are 'not yes'"),
        (pd.DataFrame.copy, {"weight_column": "ww"}, r"data\.weight_column: .*no column 'ww' \(did you mean 'w'"),
        (pd.DataFrame.copy, {"weight_column": "won"}, r"'won' is named in both data\.target and data\.weight_column"),
    ],
)  # fmt: skip
def test_what_is_no_weight_is_refused_with_its_rows(
    tmp_path: Path, table: pd.DataFrame, change: Any, options: dict[str, Any], message: str
) -> None:
    change(table).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=message):
        loaded(tmp_path / "t.csv", "won", **{"weight_column": "w", **options})


def test_a_split_whose_rows_count_for_nothing_is_refused(tmp_path: Path, table: pd.DataFrame) -> None:
    late = table.assign(day=range(300), w=[1] * 240 + [0] * 60)
    late.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="the weight of the test split is 0 in all 60 rows"):
        loaded(tmp_path / "t.csv", "price", weight_column="w", time_column="day")


def test_a_test_file_has_weights_of_its_own(tmp_path: Path, file: Path, table: pd.DataFrame) -> None:
    table.head(40).assign(w=[1, 3] * 20).to_csv(tmp_path / "test.csv", index=False)
    data = loaded(file, "won", weight_column="w", test_path=str(tmp_path / "test.csv"))
    assert data.test.weight is not None
    assert torch.allclose(data.test.weight, torch.tensor([0.5, 1.5] * 20))


OVERRIDES = ("data=csv", "data.target=won", "data.drop=[kind,price]", "data.weight_column=w", "training.epochs=2",
             "training.batch_size=32", "device=cpu", "objective=default")  # fmt: skip


def test_a_weighted_model_scores_again_and_predicts_without_the_weights(
    composed: Compose, store: Path, file: Path, table: pd.DataFrame
) -> None:
    train(composed(*OVERRIDES, f"data.path={file}"))
    run = only_run(store)
    predictor = load_model(run)
    assert {name: final(run)[name] for name in predictor.evaluate().named()} == predictor.evaluate().named()
    chances = predictor.predict(table[["x", "z"]])
    assert np.array_equal(chances, predictor.predict(table))


def test_a_loss_of_the_users_returns_one_value_per_row(composed: Compose, store: Path, file: Path) -> None:
    alone = (f"data.path={file}", "model.linear_start=false")  # which a loss of one's own has not
    own = ("+loss._target_=torch.nn.BCEWithLogitsLoss", *alone)
    with pytest.raises(ConfigError, match=r"returned one loss for 32 rows; .*\+loss\.reduction=none"):
        train(composed(*OVERRIDES, *own))
    train(composed(*OVERRIDES, *own, "+loss.reduction=none"))
    train(composed(*OVERRIDES, *alone))
    tracker = ExperimentTracker(store)
    refused, *others = tracker.records()
    assert (refused.status, len(others)) == ("failed", 2)
    assert others[0].last_values == pytest.approx(others[1].last_values)


def test_the_accuracy_while_training_is_weighted(file: Path) -> None:
    data = loaded(file, "won", weight_column="w")
    module = model_of(data)
    still = torch.optim.SGD(module.parameters(), lr=0.0)
    found = Steps.of(module, data, still, batch_size=64).epoch(data.train)
    scores = evaluate(module, data.train)
    assert (found["train_acc"], found["train_loss"]) == pytest.approx((scores.accuracy, scores.loss))
