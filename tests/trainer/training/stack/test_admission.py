"""Which rows, losses and models a stack takes, and which models can share one."""

import warnings
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from stacked import CARDINALITIES, FEATURES, by_loop, far, order, perceptron, rows_of, steps_of, trained
from torch import nn

from trainer.data.encoding.shuffled import BLOCK
from trainer.models.deepfm import DeepFM
from trainer.models.linear import LogisticRegression
from trainer.models.mlp import TabularClassifier
from trainer.tasks.losses import ClassLoss
from trainer.tasks.outputs import task_of
from trainer.training.epoch import StepOptions
from trainer.training.stack.stack import key, not_stackable


def own_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return (logits - target).square().mean()


def doubled() -> Any:
    model = perceptron()
    return steps_of(model.double())


def with_streams() -> Any:
    model = perceptron()
    steps = steps_of(model)
    model.layers[2].generator = torch.Generator()
    return steps


def without_a_stream() -> Any:
    model = perceptron()
    steps = steps_of(model)
    for place in (2, 5):
        model.layers[place].generator = None
    return steps


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: steps_of(perceptron(), options=StepOptions(loss=own_loss)), "a loss of your own"),
        (doubled, "of torch.float64"),
        (with_streams, "streams of their own"),
        (without_a_stream, "global random state"),
    ],
)
def test_a_model_that_a_stack_cannot_train_is_refused_with_a_reason(make: Any, reason: str) -> None:
    assert reason in str(not_stackable(make(), rows_of()))


def test_other_numbers_and_batches_larger_than_a_block_of_a_file_are_refused() -> None:
    rows = rows_of()
    large = replace(steps_of(perceptron()), batch_size=BLOCK)
    assert not_stackable(large, rows) is None
    assert not_stackable(large, replace(rows, mapped=True)) == f"batches of {BLOCK} rows in files"
    double = replace(rows, numeric=rows.numeric.double())
    assert not_stackable(steps_of(perceptron()), double) == "features of torch.float64"


def test_models_that_differ_in_what_may_differ_share_a_stack() -> None:
    rows = rows_of()
    smoothed = StepOptions(loss=ClassLoss(task_of(), 0.1, None), clip=1.0, ema=0.9, interval="batch")
    models = [
        steps_of(perceptron()),
        steps_of(perceptron(3, 0.0), seed=4, lr=0.3, weight_decay=0.1, options=smoothed),
        steps_of(perceptron(5, 0.7), betas=(0.5, 0.9), eps=1e-3),
    ]
    assert len({key(each, rows) for each in models}) == 1


@pytest.mark.parametrize(
    "make",
    [
        partial(perceptron, hidden_dims=(16, 8)),
        partial(perceptron, hidden_dims=(16, 9, 4)),
        partial(perceptron, linear_start=True),
        partial(perceptron, numeric_embedding="periodic"),
    ],
)
def test_models_of_another_architecture_do_not(make: Any) -> None:
    rows = rows_of()
    assert key(steps_of(make()), rows) != key(steps_of(perceptron()), rows)


def test_models_of_another_optimizer_or_size_of_batch_do_not() -> None:
    rows, plain = rows_of(), steps_of(perceptron())
    assert key(steps_of(perceptron(), optimizer=torch.optim.SGD), rows) != key(plain, rows)
    assert key(steps_of(perceptron(), batch_size=8), rows) != key(plain, rows)


@pytest.mark.parametrize("make", [LogisticRegression, partial(TabularClassifier, linear_start=True), DeepFM])
def test_rows_without_numeric_features_are_taken(make: Any) -> None:
    rows = rows_of()
    rows = replace(rows, numeric=rows.numeric[:, :0])

    def made() -> Any:
        drawn = torch.Generator().manual_seed(0)
        return steps_of(make(0, cardinalities=CARDINALITIES, generator=drawn), optimizer=torch.optim.SGD)

    stack, looped = made(), made()
    assert not_stackable(stack, rows) is None
    trained([stack], rows, [[order(0)]])
    by_loop(looped, rows, [order(0)])
    assert far(stack, looped) == []


class TooFew(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.last = nn.Embedding(5, 3), nn.Linear(3, 1)

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        return self.last(self.table(categorical[:, 1]))


def test_a_table_with_too_few_rows_is_left_to_the_loop_which_says_so() -> None:
    assert "an embedding of 5 rows" in str(not_stackable(steps_of(TooFew()), rows_of()))


class TooNarrow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(FEATURES + 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(x)


def test_a_model_that_fails_is_left_to_the_loop() -> None:
    steps = steps_of(TooNarrow(), cardinalities=())
    assert "a linear layer of 6 inputs" in str(not_stackable(steps, rows_of(cardinalities=())))


def test_compiled_modules_are_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        compiled = torch.jit.trace(nn.Linear(FEATURES, 1), torch.zeros(2, FEATURES))
    steps = steps_of(nn.Sequential(compiled), cardinalities=())
    assert "module TopLevelTracedModule" in str(not_stackable(steps, rows_of(cardinalities=())))
