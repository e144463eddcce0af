"""A winner's value is as much too good as choosing it made it."""

import math

import numpy as np
import pytest

from tracking import InvalidValueError
from tracking.statistics.selection import expected_largest, overestimate


@pytest.mark.parametrize(
    ("count", "mean"), [(1, 0.0), (2, 0.56419), (3, 0.84628), (10, 1.53875), (16, 1.76599)]
)
def test_the_expected_largest_of_normal_numbers(count: int, mean: float) -> None:
    assert expected_largest(count) == pytest.approx(mean, abs=1e-5)  # Harter's table, 1961


@pytest.mark.parametrize(("mode", "sign"), [("max", 1), ("min", -1)])
def test_a_drop_that_all_candidates_have_is_not_due_to_choosing(mode: str, sign: int) -> None:
    val = [sign * each for each in (0.80, 0.79, 0.78, 0.77)]
    test = [sign * each for each in (0.76, 0.77, 0.76, 0.75)]
    found = overestimate(val, test, 0, mode)
    assert found is not None
    assert (found.jobs, found.drop, found.usual, found.by_choosing) == pytest.approx((4, 0.04, 0.02, 0.02))
    assert found.error == pytest.approx(0)


def test_the_best_of_equal_candidates_is_overestimated_by_what_is_expected() -> None:
    stream = np.random.default_rng(0)
    drops, expected, errors = [], [], []
    for _ in range(2000):
        val, test = stream.normal(size=(2, 16))
        found = overestimate(val.tolist(), test.tolist(), int(val.argmax()), "max")
        assert found is not None
        assert found.error is not None
        assert found.expected is not None
        drops.append(found.by_choosing)
        expected.append(found.expected)
        errors.append(found.error)
    # The others' values are the less than average ones that were not chosen.
    assert np.mean(drops) == pytest.approx(1.76599 * 16 / 15, abs=0.08)
    assert np.mean(expected) == pytest.approx(1.766 * 0.983, abs=0.04)
    assert np.mean(errors) == pytest.approx(1.4, abs=0.15)


def test_few_candidates_have_no_error_and_a_winner_without_values_no_answer() -> None:
    found = overestimate([0.8, 0.7], [0.7, 0.7], 0, "max")
    assert found is not None
    assert (found.by_choosing, found.error, found.expected) == (pytest.approx(0.1), None, None)
    only = overestimate([0.8], [0.7], 0, "max")
    assert only is not None
    assert only.by_choosing == pytest.approx(0.1)
    assert overestimate([math.nan, 0.7], [0.7, 0.7], 0, "max") is None
    assert overestimate([0.9, math.nan, 0.7], [0.7, 0.7, 0.7], 0, "max") == overestimate(
        [0.9, 0.7], [0.7, 0.7], 0, "max"
    )
    with pytest.raises(InvalidValueError, match="do not belong together"):
        overestimate([0.8], [0.7], 1, "max")
