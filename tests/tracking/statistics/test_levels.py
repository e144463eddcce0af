"""Levels of several tests add up to no more than what one may err."""

import math
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtr

from tracking import InvalidValueError
from tracking.statistics.levels import holm, look_level


@given(st.integers(1, 20_000), st.floats(0.001, 0.5))
def test_any_number_of_looks_has_no_more_than_alpha_in_all(looks: int, alpha: float) -> None:
    assert math.fsum(look_level(look, alpha=alpha) for look in range(1, looks + 1)) < alpha


def test_the_levels_of_endless_looks_use_alpha_up() -> None:
    assert look_level(1) == pytest.approx(0.0304, abs=5e-5)
    assert look_level(2) == pytest.approx(0.0076, abs=5e-5)
    assert math.fsum(look_level(look) for look in range(1, 100_000)) == pytest.approx(0.05, abs=1e-6)


@given(st.integers(1, 300))
def test_planned_looks_share_alpha_and_further_ones_have_none(planned: int) -> None:
    levels = [look_level(look, planned=planned) for look in range(1, planned + 1)]
    assert math.fsum(levels) == pytest.approx(0.05)
    assert look_level(planned + 1, planned=planned) == 0


def test_a_look_that_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="looks count from 1"):
        look_level(0)
    with pytest.raises(InvalidValueError, match="between 0 and 1"):
        look_level(1, alpha=1.5)
    with pytest.raises(InvalidValueError, match="must be 1 or more"):
        look_level(1, planned=0)


P_VALUES = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.025, 0.05, 1.0]), min_size=1, max_size=12)


@given(P_VALUES, st.sampled_from([0.05, 0.01, 0.0076]))
def test_holm_is_that_of_statsmodels(p_values: list[float], alpha: float) -> None:
    found = holm(p_values, alpha)
    witness = pytest.importorskip("statsmodels.stats.multitest")
    with patch("gc.collect"):  # which it does each time, among all that the tests have loaded
        rejected, adjusted, *_ = witness.multipletests(p_values, alpha=alpha, method="holm")
    assert [each.p for each in found] == p_values
    assert [each.adjusted for each in found] == pytest.approx(adjusted.tolist())
    off = [abs(each.adjusted - alpha) > 1e-12 for each in found]  # a tie is a matter of rounding
    assert [each.rejected for each, sure in zip(found, off, strict=True) if sure] == rejected[off].tolist()


def test_a_p_value_that_is_not_known_is_never_rejected() -> None:
    found = holm([math.nan, 0.001], 0.05)
    assert [each.rejected for each in found] == [False, True]
    assert [each.level for each in found] == [0.05, 0.025]
    assert holm([], 0.05) == []


def promoted_falsely(looks: int, sequences: int, rows: int = 300) -> float:
    """Return how often any of several challengers that are no better, and are like each other, is promoted."""
    stream = np.random.default_rng(20)
    common = stream.normal(size=(sequences, 1))
    # Means and standard deviations of normal gains of rows: those of one split move together.
    means = (math.sqrt(0.5) * common + math.sqrt(0.5) * stream.normal(size=(sequences, looks))) / math.sqrt(
        rows
    )
    deviations = np.sqrt(stream.chisquare(rows - 1, size=(sequences, looks)) / (rows - 1))
    p_values = stdtr(rows - 1, -means / deviations * math.sqrt(rows))
    levels = [look_level(look) for look in range(1, looks + 1)]
    return float((p_values < levels).any(axis=1).mean())


def test_ten_sweeps_in_a_row_promote_falsely_at_most_once_in_twenty() -> None:
    assert 0.03 < promoted_falsely(10, 10_000) <= 0.05


def test_a_year_of_weekly_sweeps_promotes_falsely_at_most_once_in_twenty() -> None:
    assert promoted_falsely(52, 10_000) <= 0.05
