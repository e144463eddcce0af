"""The bounds of a gain in accuracy agree with the exact test of McNemar."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from tracking.statistics import mcnemar
from tracking.statistics.compare import compare
from tracking.statistics.measures import measure_of

ACCURACY = measure_of("accuracy", "binary")
COUNTS = st.integers(0, 40)


@given(COUNTS, COUNTS, st.integers(1, 500))
def test_the_p_value_is_that_of_statsmodels_and_scipy(better: int, worse: int, others: int) -> None:
    witness = pytest.importorskip("statsmodels.stats.contingency_tables").mcnemar
    rows = better + worse + others
    one_sided = mcnemar.p_value(better, worse, rows, 0.0)
    if better + worse:
        assert one_sided == pytest.approx(binomtest(better, better + worse, alternative="greater").pvalue)
        two_sided = witness([[others, better], [worse, 0]], exact=True).pvalue
        assert min(1.0, 2 * min(one_sided, mcnemar.p_value(worse, better, rows, 0.0))) == pytest.approx(
            two_sided
        )


@given(COUNTS, COUNTS, st.integers(0, 500), st.floats(1e-7, 0.5))
def test_the_bound_is_above_zero_exactly_where_the_test_rejects(
    better: int, worse: int, others: int, level: float
) -> None:
    rows = better + worse + others
    if rows == 0:
        return
    p = mcnemar.p_value(better, worse, rows, 0.0)
    if abs(p - level) > 1e-12:
        assert (mcnemar.lower(better, worse, rows, level) > 1e-12) == (p < level)


@given(COUNTS, COUNTS, st.integers(1, 300), st.floats(-0.4, 0.4))
def test_the_p_value_of_a_margin_is_the_level_whose_bound_it_is(
    better: int, worse: int, others: int, margin: float
) -> None:
    rows = better + worse + others
    p = mcnemar.p_value(better, worse, rows, margin)
    if 1e-12 < p < 0.45:
        assert mcnemar.lower(better, worse, rows, p) == pytest.approx(margin, abs=1e-6)


@given(COUNTS, COUNTS, st.integers(1, 300))
def test_a_bound_grows_with_the_level(better: int, worse: int, others: int) -> None:
    rows = better + worse + others
    bounds = [
        mcnemar.lower(better, worse, rows, level)
        for level in (1e-9, 1e-4, 0.01, 0.2, 0.5, 0.6, 0.99, 1 - 1e-9)
    ]
    assert bounds == sorted(bounds)
    assert bounds[0] >= -1.5
    assert bounds[-1] <= 1.5


def test_models_that_are_right_about_the_same_rows_may_differ_on_others() -> None:
    target = np.tile([0, 1], 50)
    ours, theirs = np.where(target, 0.9, 0.2), np.where(target, 0.6, 0.4)
    found = compare(ACCURACY, target, ours, theirs)
    assert (found.method, found.gain, found.error, found.discordant) == ("mcnemar", 0, 0, (0, 0))
    assert found.lower(0.05) == pytest.approx(-(1 - 0.05 ** (1 / 100)))
    assert found.p_value() == 1
    assert found.p_value(-0.1) == pytest.approx(0.9**100, rel=1e-6)
    labels = (ours > 0.5).astype(int)
    assert compare(ACCURACY, target, labels, labels.copy()).method == "mcnemar"


def test_five_rows_to_none_are_not_enough_at_the_first_look() -> None:
    target = np.ones(200)
    ours, theirs = np.full(200, 0.9), np.full(200, 0.9)
    theirs[:5] = 0.1
    found = compare(ACCURACY, target, ours, theirs)
    assert found.p_value() == pytest.approx(2**-5)
    assert found.lower(0.0304) < 0
    theirs[5] = 0.1
    assert compare(ACCURACY, target, ours, theirs).lower(0.0304) > 0


@pytest.mark.parametrize(("better", "worse"), [(0.1, 0.1), (0.15, 0.05), (0.2, 0.0), (0.02, 0.05)])
def test_intervals_hold_the_true_gain_also_where_one_model_is_much_better(
    better: float, worse: float
) -> None:
    counts = np.random.default_rng(1).multinomial(400, [better, worse, 1 - better - worse], size=1000)
    held = [
        mcnemar.lower(int(b), int(c), 400, 0.025)
        <= better - worse
        <= -mcnemar.lower(int(c), int(b), 400, 0.025)
        for b, c, _ in counts
    ]
    assert 0.93 <= np.mean(held) <= 0.985  # exact bounds of whole numbers are a little wider
