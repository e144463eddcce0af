"""What a split is said to tell is what it tells."""

import math

import numpy as np
import pytest

from tracking.statistics.power import detectable, rows_to_tell
from tracking.statistics.tails import Tail


def promoted(gain: float, rows: int, level: float, margin: float = 0.0) -> float:
    """Return how often a true gain of normal differences with a deviation of 1 has a bound above the margin."""
    stream = np.random.default_rng(3)
    means = gain + stream.normal(size=4000) / math.sqrt(rows)
    errors = np.sqrt(stream.chisquare(rows - 1, size=4000) / (rows - 1) / rows)
    bounds = [
        Tail(mean, error, rows - 1.0, 0.0, None, 0).lower(level)
        for mean, error in zip(means, errors, strict=True)
    ]
    return float(np.mean(np.array(bounds) > margin))


@pytest.mark.parametrize("level", [0.0304, 0.0076, 0.0001])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_the_detectable_gain_is_promoted_with_its_power(level: float, power: float) -> None:
    rows = 2000
    gain = detectable(1 / math.sqrt(rows), level, power)
    assert promoted(gain, rows, level) == pytest.approx(power, abs=0.025)


def test_so_many_further_rows_promote_a_gain_with_its_power() -> None:
    rows, gain, level = 500, 0.08, 0.0304
    further = rows_to_tell(gain, 1 / math.sqrt(rows), rows, level)
    assert further is not None
    assert 300 < further < 800
    assert promoted(gain, rows + further, level) == pytest.approx(0.8, abs=0.025)
    assert promoted(gain, rows, level) < 0.65
    beyond = rows_to_tell(gain, 1 / math.sqrt(rows), rows, level, margin=0.02)
    assert beyond is not None
    assert promoted(gain, rows + beyond, level, margin=0.02) == pytest.approx(0.8, abs=0.025)


def test_a_split_that_tells_enough_needs_no_rows() -> None:
    assert rows_to_tell(1.0, 0.01, 1000, 0.05) == 0


@pytest.mark.parametrize(
    ("gain", "error", "level"), [(0.0, 0.1, 0.05), (-1.0, 0.1, 0.05), (0.1, math.inf, 0.05), (0.1, 0.1, 0.0)]
)
def test_where_no_number_of_rows_tells_none_is_said(gain: float, error: float, level: float) -> None:
    assert rows_to_tell(gain, error, 1000, level) is None


def test_without_an_error_or_a_level_no_gain_can_be_detected() -> None:
    assert detectable(math.inf, 0.05) == math.inf
    assert detectable(0.1, 0.0) == math.inf
