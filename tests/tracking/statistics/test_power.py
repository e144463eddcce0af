"""What a split is said to tell is what it tells."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tracking.statistics.difference import Difference
from tracking.statistics.power import detectable, units_to_tell
from tracking.statistics.tails import Tail

TIMES = 4000


def seen(rows: int, gain: float = 0.0, **more: object) -> Difference:
    """Return the difference of rows whose own gains have a deviation of 1."""
    known = {"freedom": rows - 1.0, **more}
    return Difference("mae", "min", 1 - gain, 1.0, gain, 1 / math.sqrt(rows), "bootstrap", rows, **known)


def promoted(gain: float, rows: int, level: float, margin: float = 0.0) -> float:
    """Return how often a true gain of normal differences with a deviation of 1 has a bound above the margin."""
    stream = np.random.default_rng(3)
    means = gain + stream.normal(size=TIMES) / math.sqrt(rows)
    errors = np.sqrt(stream.chisquare(rows - 1, size=TIMES) / (rows - 1) / rows)
    bounds = [
        Tail(mean, error, rows - 1.0, 0.0, None, 0).lower(level)
        for mean, error in zip(means, errors, strict=True)
    ]
    return float(np.mean(np.array(bounds) > margin))


@pytest.mark.parametrize("rows", [3, 6, 30, 2000])
@pytest.mark.parametrize("level", [0.0304, 0.0076, 0.0001])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_the_detectable_gain_is_promoted_with_its_power(rows: int, level: float, power: float) -> None:
    gain = detectable(seen(rows), level, power)
    assert promoted(gain, rows, level) == pytest.approx(power, abs=0.03)


@pytest.mark.parametrize(("rows", "gain"), [(500, 0.08), (3, 1.0), (5, 0.3)])
def test_so_many_further_rows_promote_a_gain_with_its_power(rows: int, gain: float) -> None:
    level = 0.0304
    further = units_to_tell(seen(rows, gain), level)
    assert further is not None
    assert promoted(gain, rows + further, level) > 0.78
    assert promoted(gain, rows + further - 1, level) < 0.82
    assert promoted(gain, rows, level) < 0.65
    margin = gain / 4
    beyond = units_to_tell(seen(rows, gain), level, margin=margin)
    assert beyond is not None
    assert promoted(gain, rows + beyond, level, margin=margin) > 0.78
    assert promoted(gain, rows + beyond - 1, level, margin=margin) < 0.82


@pytest.mark.parametrize("freedom", [1.0, 2.0, 7.0, 500.0, None])
@pytest.mark.parametrize("skew", [0.0, -0.4])
@pytest.mark.parametrize("level", [0.2, 0.0304, 0.0001])
def test_a_gain_that_the_bound_does_not_tell_is_not_called_detectable(
    freedom: float | None, skew: float, level: float
) -> None:
    found = seen(300, freedom=freedom, skew=skew)
    found = replace(found, gain=0.999 * found.width(level) * found.error)
    assert found.lower(level) < 0
    assert detectable(found, level) > found.gain
    assert (units_to_tell(found, level) or 0) > 0


def test_draws_that_are_wider_than_the_error_count_as_in_the_bound() -> None:
    narrow = seen(300)
    draws = tuple(np.quantile(np.random.default_rng(1).normal(size=9999) * 0.1, np.arange(201) / 200))
    wide = replace(narrow, quantiles=draws, draws=2000)
    assert wide.lower(0.03) < narrow.lower(0.03)
    assert detectable(wide, 0.03) > detectable(narrow, 0.03)


def test_where_there_are_clusters_they_are_counted() -> None:
    few = seen(300, 0.1, clusters=3, freedom=2.0)
    told = units_to_tell(few, 0.0304)
    assert told is not None
    assert 0 < told < 300


def test_a_split_that_tells_enough_needs_no_rows() -> None:
    assert units_to_tell(seen(1000, 1.0), 0.05) == 0


@pytest.mark.parametrize(
    ("gain", "error", "level"), [(0.0, 0.1, 0.05), (-1.0, 0.1, 0.05), (0.1, math.inf, 0.05), (0.1, 0.1, 0.0)]
)
def test_where_no_number_of_rows_tells_none_is_said(gain: float, error: float, level: float) -> None:
    assert units_to_tell(replace(seen(1000, gain), error=error), level) is None


def test_without_an_error_or_a_level_no_gain_can_be_detected() -> None:
    assert detectable(replace(seen(1000), error=math.inf), 0.05) == math.inf
    assert detectable(seen(1000), 0.0) == math.inf
