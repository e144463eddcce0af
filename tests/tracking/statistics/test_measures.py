"""Measures are found by the names that metrics have."""

from typing import Any

import numpy as np
import pytest

from tracking import InvalidValueError
from tracking.objective import Direction
from tracking.statistics.measure_names import MEASURE_NAMES
from tracking.statistics.measures import MEASURES, Task, measure_of, own_measure


@pytest.mark.parametrize(
    ("name", "task", "found", "mode"),
    [
        ("auc", "binary", "auc", "max"),
        ("val_auc", "multiclass", "auc", "max"),
        ("test_log_loss", "binary", "log_loss", "min"),
        ("val/acc", "multiclass", "accuracy", "max"),
        ("ece", "binary", "calibration_error", "min"),
        ("max_calibration_error", "binary", "max_calibration_error", "min"),
        ("brier", "binary", "brier", "min"),
        ("rmse", "regression", "rmse", "min"),
        ("val_r2", "regression", "r2", "max"),
    ],
)
def test_a_metric_of_any_split_names_its_measure(name: str, task: str, found: str, mode: str) -> None:
    measure = measure_of(name, task)
    assert (measure.name, str(measure.mode)) == (found, mode)


def test_the_names_that_need_no_library_are_those_of_the_measures() -> None:
    assert {task: (*MEASURE_NAMES[task],) for task in Task} == {task: (*MEASURES[task],) for task in Task}


def test_what_is_not_known_is_said_with_what_is() -> None:
    with pytest.raises(
        InvalidValueError,
        match="no measure of regression predictions is called 'auc'; there are rmse, mse, mae, r2",
    ):
        measure_of("auc", "regression")
    with pytest.raises(InvalidValueError, match="it must be one of binary, multiclass, regression"):
        measure_of("auc", "ranking")


def test_a_measure_of_the_user_has_the_direction_that_is_given_or_that_its_name_says() -> None:
    def cost(target: Any, predictions: Any) -> float:
        return float(np.abs(target - predictions).sum())

    assert own_measure("cost", "min", cost).mode is Direction.MIN
    assert own_measure("my_loss", None, cost).mode is Direction.MIN
    assert own_measure("profit", None, cost).mode is Direction.MAX
    with pytest.raises(InvalidValueError, match="mode"):
        own_measure("cost", "down", cost)
    with pytest.raises(InvalidValueError, match="cost takes no weights, and the rows have some"):
        own_measure("cost", "min", cost).value(np.ones(2), np.ones(2), np.array([1.0, 2.0]))


def test_a_third_argument_of_another_use_gets_no_weights() -> None:
    def quantile_loss(target: Any, predictions: Any, quantile: float = 0.9) -> float:
        return float(np.mean(np.abs(target - predictions) * quantile))

    measure = own_measure("quantile_loss", None, quantile_loss)
    assert measure.value(np.zeros(2), np.ones(2), None) == pytest.approx(0.9)
    with pytest.raises(InvalidValueError, match="takes no weights"):
        measure.value(np.zeros(2), np.ones(2), np.array([1.0, 2.0]))
