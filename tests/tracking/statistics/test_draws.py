"""A measure of many weightings at once is the measure of each."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import simulated
from hypothesis import given
from hypothesis import strategies as st

from tracking.statistics import draws
from tracking.statistics.measures import MEASURES, Measure, Task, own_measure

CASES = {
    Task.BINARY: simulated.two_classes,
    Task.MULTICLASS: simulated.several_classes,
    Task.REGRESSION: simulated.numbers,
}
EVERY = [(task, name) for task, measures in MEASURES.items() for name in measures]


@pytest.mark.parametrize(("task", "name"), EVERY)
@given(seed=st.integers(0, 10_000), rows=st.integers(2, 60), digits=st.integers(1, 5))
def test_each_draw_has_the_value_of_its_rows(
    task: Task, name: str, seed: int, rows: int, digits: int
) -> None:
    stream = np.random.default_rng(seed)
    target, predictions, *_ = CASES[task](stream, rows)
    predictions = np.round(predictions, digits)
    check(MEASURES[task][name], target, predictions, stream.integers(0, 3, (5, rows)))
    check(MEASURES[task][name], target, predictions, stream.random((3, rows)))


def check(measure: Measure, target: Any, predictions: Any, weights: Any) -> None:
    found = measure.drawn(target, predictions)(weights.astype(float))
    for value, weight in zip(found, weights, strict=True):
        there = weight > 0
        if there.any():  # as in every draw
            wanted = measure.value(target[there], predictions[there], weight[there].astype(float))
            assert value == pytest.approx(wanted, nan_ok=True, abs=1e-9)


@pytest.mark.parametrize("draw", [draws.of_f1, draws.of_recall])
def test_counts_of_many_classes_are_those_of_few(
    draw: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, predictions, *_ = simulated.several_classes(np.random.default_rng(0), 50)
    weights = np.random.default_rng(1).integers(0, 3, (6, 50)).astype(float)
    few = draw(target, predictions)(weights)
    monkeypatch.setattr(draws, "_MANY_CLASSES", 2)
    np.testing.assert_allclose(draw(target, predictions)(weights), few)


def test_a_function_of_the_user_gets_weights_or_rows_again() -> None:
    target, predictions, *_ = simulated.numbers(np.random.default_rng(0), 30)
    weights = np.random.default_rng(1).integers(0, 3, (6, 30)).astype(float)
    weights[3] = 0

    def weighted(target: Any, predictions: Any, sample_weight: Any = None) -> Any:
        return np.average(np.abs(target - predictions), weights=sample_weight)

    def plain(target: Any, predictions: Any) -> Any:
        return np.mean(np.abs(target - predictions))

    found = [
        own_measure("mae", "min", each).drawn(target, predictions)(weights) for each in (weighted, plain)
    ]
    np.testing.assert_allclose(found[0], found[1])
    assert np.isnan(found[0][3])
    assert np.isfinite(found[0]).sum() == 5
