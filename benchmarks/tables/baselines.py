"""What scikit-learn reaches on the same rows: a linear model, a perceptron, gradient-boosted trees.

All get the splits that the trainer reads, with the settings that scikit-learn has by default. The linear model and the
perceptron get standardised numbers, with the median and a flag where one is missing, and one-hot coded categories; the trees
get numbers with their gaps, and categories as such. The perceptron is fitted with and without early stopping, and the one
that is better on the validation rows counts.
"""

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits

from benchmarks.tables.runs import Scored
from tracking.statistics.formulas import auc, macro_auc, r2
from trainer.data.encode import Array, numbers
from trainer.data.load import read_splits
from trainer.data.target import TaskKind
from trainer.data.tensors import Dataset, Splits, encode
from trainer.models.network import flatten

MOST_CATEGORIES = 255  # of a column that the trees take as categories
SCORES = {TaskKind.BINARY: auc, TaskKind.MULTICLASS: macro_auc, TaskKind.REGRESSION: r2}


@dataclass(frozen=True)
class Rows:
    """The inputs of train, val and test for one kind of model, and the targets."""

    inputs: Sequence[Array]
    targets: Sequence[Array]
    task: TaskKind


def baselines(section: Mapping[str, Any], task: str | None, *, seed: int) -> Iterator[tuple[str, Scored]]:
    """Yield the name and the scores of each model on the data of a config."""
    splits = read_splits(section, task=task)
    data = encode(splits, transform="standard", min_frequency=1, task=task)
    kind = data.labels.task
    parts = (data.train, data.val, data.test)
    targets = [each.target.numpy() for each in parts]
    coded = [flatten(each.numeric, each.categorical, data.shape.cardinalities) for each in parts]
    flat = Rows([each.numpy().astype(np.float64) for each in coded], targets, kind)
    yield from _plain(flat, seed)
    trees = Rows(_with_gaps(splits, data), targets, kind)
    as_categories = [False] * len(splits.numeric) + [
        size <= MOST_CATEGORIES for size in data.shape.cardinalities
    ]
    boosting = (
        HistGradientBoostingRegressor if kind is TaskKind.REGRESSION else HistGradientBoostingClassifier
    )
    yield (
        "HistGradientBoosting",
        _fitted(boosting(random_state=seed, categorical_features=as_categories), trees),
    )


def facts(section: Mapping[str, Any], task: str | None) -> dict[str, Any]:
    """Return the rows of each split, and the task."""
    data = encode(read_splits(section, task=task), transform="standard", min_frequency=1, task=task)
    rows = [len(each) for each in (data.train, data.val, data.test)]
    return {"rows": rows, "task": data.labels.task.value}


def _plain(rows: Rows, seed: int) -> Iterator[tuple[str, Scored]]:
    is_regression = rows.task is TaskKind.REGRESSION
    yield "linear", _fitted(Ridge() if is_regression else LogisticRegression(max_iter=2000), rows)
    perceptron = MLPRegressor if is_regression else MLPClassifier
    made = [_fitted(perceptron(random_state=seed, early_stopping=early), rows) for early in (False, True)]
    yield "MLP", max(made, key=lambda each: each.val)


def _fitted(model: Any, rows: Rows) -> Scored:
    started = time.perf_counter()
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # at its own default number of iterations
        model.fit(rows.inputs[0], rows.targets[0])
    seconds = time.perf_counter() - started
    val, test = (
        SCORES[rows.task](target, _predictions(model, inputs, rows.task))
        for inputs, target in zip(rows.inputs[1:], rows.targets[1:], strict=True)
    )
    return Scored(test, val, seconds)


def _predictions(model: Any, inputs: Array, task: TaskKind) -> Array:
    if task is TaskKind.REGRESSION:
        return np.asarray(model.predict(inputs))
    chances = np.asarray(model.predict_proba(inputs))
    return chances[:, 1] if task is TaskKind.BINARY else chances


def _with_gaps(splits: Splits, data: Dataset) -> list[Array]:
    """Return the features of each split for trees: numbers as they were read, then the codes of the categories."""
    return [
        np.concatenate(
            [*(numbers(table, name)[:, None] for name in splits.numeric), part.categorical.numpy()], axis=1
        )
        for table, part in zip(splits.tables, (data.train, data.val, data.test), strict=True)
    ]
