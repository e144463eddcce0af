"""Repeats of one setting are grouped by everything but their seeds, and summed up by mean and deviation."""

import math

import pytest

from tracking.repeats import Spread, group_by, key_of, without_repeats


@pytest.mark.parametrize(
    ("values", "mean", "std"),
    [
        ([], math.nan, math.nan),
        ([2.0], 2.0, math.nan),
        ([1.0, 3.0], 2.0, math.sqrt(2)),
        ([0.1] * 10, 0.1, 0.0),
        ([1e308, 1e308], 1e308, 0.0),
        ([math.inf, 1.0], math.inf, math.nan),
        ([math.inf, -math.inf], math.nan, math.nan),
        ([math.nan, 1.0], math.nan, math.nan),
    ],
)
def test_a_spread_is_the_mean_and_the_deviation_of_a_sample(
    values: list[float], mean: float, std: float
) -> None:
    spread = Spread.of(values)
    assert (spread.mean, spread.std) == pytest.approx((mean, std), nan_ok=True)
    assert spread.n == len(values)


def test_groups_and_their_members_keep_the_order_in_which_they_are_met() -> None:
    assert group_by([3, 1, 4, 1, 5, 9], lambda number: number % 2) == [[3, 1, 1, 5, 9], [4]]


def test_seeds_are_left_aside_at_any_depth() -> None:
    params = {"lr": 1, "seed": 1, "data": {"split_seed": 2, "rows": 3, "a.seed": 4}, "seeds": 5}
    assert without_repeats(params) == {"lr": 1, "data": {"rows": 3}, "seeds": 5}


def test_folds_are_left_aside_and_numbers_of_folds_are_not() -> None:
    params = {"lr": 1, "fold": 2, "folds": 5, "n_fold": 5, "data": {"fold": 1}, "data.fold": 3}
    assert without_repeats(params) == {"lr": 1, "folds": 5, "n_fold": 5, "data": {}}


def test_equal_values_share_a_key_and_a_value_of_another_kind_has_another() -> None:
    assert key_of(1) == key_of(1.0)
    assert key_of(math.nan) == key_of(math.nan)
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert len({key_of(value) for value in (1, True, "1", None, "None", [1], object())}) == 7
