"""Figures of merit by their names: how each is computed, which direction is better, and how it is drawn again and again."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

import numpy as np

from tracking.errors import InvalidValueError, quoted
from tracking.objective import Direction, Objective
from tracking.statistics import draws, formulas
from tracking.statistics.draws import Drawn
from tracking.statistics.measure_names import standard_name

Array = np.ndarray[Any, Any]
Value = Callable[[Array, Array, Array | None], float]


class Task(StrEnum):
    """What is predicted: one of two classes, one of several, or a number."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class Reads(StrEnum):
    """What a measure reads of predictions: their order, probabilities, the classes they stand for, or plain values."""

    ORDER = "order"
    CHANCES = "chances"
    LABELS = "labels"
    VALUES = "values"


@dataclass(frozen=True)
class Measure:
    """A figure of merit of predictions.

    `value` takes the target, the predictions and the rows' weights or None. For two classes the target is 0 or 1 and the
    predictions are the probability of 1, shape [rows]; for several they are codes and probabilities [rows, classes]. A
    measure that `reads` labels takes the class above 0.5 or the likeliest one; whoever has another threshold passes labels.
    """

    name: str
    mode: Direction
    value: Value
    drawn: Drawn  # many values at once, one for each row of a matrix of weights
    per_row: Callable[[Array, Array], Array] | None = None  # what each row adds to a mean, or the root of it
    reads: Reads = Reads.VALUES
    within_classes: bool = False  # whether only the classes' distributions count, not how many rows they have
    span: float | None = None  # the largest gain that there can be; None without a limit


def _plain(name: str, value: Value, drawn: Drawn, reads: Reads = Reads.VALUES, **more: Any) -> Measure:
    return Measure(name, Objective.of(name).mode, value, drawn, None, reads, **more)


def _mean(
    name: str,
    value: Value,
    per_row: Callable[[Array, Array], Array],
    reads: Reads = Reads.VALUES,
    *,
    span: float | None = None,
    root: bool = False,
) -> Measure:
    drawn = partial(draws.of_mean, per_row, root=root)
    return Measure(name, Objective.of(name).mode, value, drawn, per_row, reads, span=span)


def _right(target: Array, predictions: Array) -> Array:
    return np.asarray(formulas.decided(predictions) == target, dtype=np.float64)


def _squares(target: Array, predictions: Array) -> Array:
    return np.asarray((target - predictions) ** 2)


def _distances(target: Array, predictions: Array) -> Array:
    return np.asarray(np.abs(target - predictions))


def _named(*measures: Measure) -> dict[str, Measure]:
    return {each.name: each for each in measures}


_ACCURACY = _mean("accuracy", formulas.accuracy, _right, Reads.LABELS, span=1.0)
_LOG_LOSS = _mean("log_loss", formulas.log_loss, formulas.log_losses, Reads.CHANCES)
_BALANCED = _plain(
    "balanced_accuracy",
    formulas.balanced_accuracy,
    draws.of_recall,
    Reads.LABELS,
    within_classes=True,
    span=1.0,
)
_LARGEST_GAP = partial(draws.of_bins, largest=True)
MEASURES: dict[Task, dict[str, Measure]] = {
    Task.BINARY: _named(
        _plain("auc", formulas.auc, draws.of_area, Reads.ORDER, within_classes=True, span=1.0),
        _plain("average_precision", formulas.average_precision, draws.of_precision, Reads.ORDER, span=1.0),
        _ACCURACY,
        _BALANCED,
        _plain("f1", formulas.f1, draws.of_f1, Reads.LABELS, span=1.0),
        _LOG_LOSS,
        _mean("brier", formulas.brier, _squares, Reads.CHANCES, span=1.0),
        _plain("calibration_error", formulas.calibration_error, draws.of_bins, Reads.CHANCES, span=1.0),
        _plain(
            "max_calibration_error", formulas.max_calibration_error, _LARGEST_GAP, Reads.CHANCES, span=1.0
        ),
    ),
    Task.MULTICLASS: _named(
        _plain("auc", formulas.macro_auc, draws.of_areas, within_classes=True, span=1.0),
        _ACCURACY,
        _BALANCED,
        _plain("f1", formulas.macro_f1, draws.of_f1, Reads.LABELS, span=1.0),
        _LOG_LOSS,
    ),
    Task.REGRESSION: _named(
        _mean("rmse", formulas.rmse, _squares, root=True),
        _mean("mse", formulas.mse, _squares),
        _mean("mae", formulas.mae, _distances),
        _plain("r2", formulas.r2, draws.of_r2),
    ),
}


def measure_of(name: str, task: Task | str) -> Measure:
    """Return the measure of a metric's name, where val_auc and test_auc are auc too.

    Raise InvalidValueError for a task or a name that is not known; it says which are.
    """
    if task not in [*Task]:
        raise InvalidValueError(f"the task is {quoted(task)}; it must be one of {', '.join(Task)}")
    known = MEASURES[Task(task)]
    found = known.get(standard_name(name))
    if found is None:
        raise InvalidValueError(
            f"no measure of {Task(task)} predictions is called {quoted(name)}; there are {', '.join(known)}"
        )
    return found


def own_measure(name: str, mode: Direction | str | None, function: Callable[..., Any]) -> Measure:
    """Return a measure of the user: any function of the target, the predictions and, if it takes a third, the weights.

    Without a mode, the name decides. A function that takes no weights is called with rows repeated instead, and its value
    raises InvalidValueError for rows that have weights. Its value may be any number; NaN stands for undefined.
    """
    objective = Objective.of(name, None if mode is None else str(mode))
    takes_weights = _takes_weights(function)

    def value(target: Array, predictions: Array, weight: Array | None) -> float:
        if weight is None:
            return float(function(target, predictions))
        if not takes_weights:
            raise InvalidValueError(f"{name} takes no weights, and the rows have some")
        return float(function(target, predictions, weight))

    drawn = partial(draws.of_value if takes_weights else draws.of_repeated_rows, value)
    return Measure(name, objective.mode, value, drawn)


def _takes_weights(function: Callable[..., Any]) -> bool:
    """Return whether a third positional argument may be given, and is none of another use."""
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return False  # written in C
    places = [each for each in parameters if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}]
    return len(places) > 2 and places[2].name in {"weight", "weights", "sample_weight", "w"}
