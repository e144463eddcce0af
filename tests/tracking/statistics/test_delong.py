"""The error of a gain in AUC is DeLong's, by published figures and by all pairs of rows."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.statistics import delong, ranked
from tracking.statistics.compare import compare
from tracking.statistics.measures import measure_of

AUC = measure_of("auc", "binary")
# Patients of DeLong, DeLong and Clarke-Pearson (1988), as in the SAS/STAT User's Guide, "Comparing Receiver Operating
# Characteristic Curves": albumin, total protein, K-G score, outcome.
OVARIAN_CANCER = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1
3.7 6.7 6 1   3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
4.0 6.6 6 0   3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1
4.3 6.5 4 1   3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
2.9 5.7 9 0   2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""


def patients() -> tuple[Any, dict[str, Any]]:
    albumin, protein, score, outcome = np.array(OVARIAN_CANCER.split(), dtype=float).reshape(-1, 4).T
    return outcome, {"albumin": albumin, "protein": protein, "score": 10 - score}


@pytest.mark.parametrize(
    ("test", "area", "gain", "error", "low", "high", "chi_square"),
    [
        ("albumin", 0.7366, 0.0108, 0.0953, -0.1761, 0.1976, 0.0127),
        ("protein", 0.6478, -0.0780, 0.1046, -0.2830, 0.1271, 0.5554),
    ],
)
def test_the_published_example(
    test: str, area: float, gain: float, error: float, low: float, high: float, chi_square: float
) -> None:
    outcome, tests = patients()
    found = compare(AUC, outcome, tests[test], tests["score"])
    assert found.method == "delong"
    assert (found.challenger, found.champion) == pytest.approx((area, 0.7258), abs=5e-5)
    assert (found.gain, found.error) == pytest.approx((gain, error), abs=5e-5)
    normal = found.gain - 1.959964 * found.error, found.gain + 1.959964 * found.error
    assert normal == pytest.approx((low, high), abs=5e-5)
    assert (found.gain / found.error) ** 2 == pytest.approx(chi_square, abs=5e-5)
    careful = found.interval()  # few patients: a t-quantile, and so wider than the normal interval
    assert careful[0] < normal[0]
    assert careful[1] > normal[1]


def by_pairs(target: Any, ours: Any, theirs: Any) -> tuple[Fraction, Fraction]:
    """Return the gain and its variance, from all pairs of rows and without rounding."""

    def wins(one: Any, other: Any) -> Fraction:
        return Fraction(1) if one > other else Fraction(1, 2) if one == other else Fraction(0)

    positive, negative = ([row for row, code in enumerate(target) if code == which] for which in (1, 0))
    gains = {
        (one, other): wins(ours[one], ours[other]) - wins(theirs[one], theirs[other])
        for one in positive
        for other in negative
    }
    of_rows = (
        [sum((gains[one, other] for other in negative), Fraction()) / len(negative) for one in positive],
        [sum((gains[one, other] for one in positive), Fraction()) / len(positive) for other in negative],
    )
    gain = sum(gains.values(), Fraction()) / len(gains)
    variance = Fraction()
    for components in of_rows:
        squares = sum(((each - gain) ** 2 for each in components), Fraction())
        variance += squares / (len(components) - 1) / len(components)
    return gain, variance


SCORES = st.lists(st.integers(0, 6), min_size=6, max_size=14)


@given(SCORES, st.randoms(use_true_random=False))
def test_the_gain_and_its_variance_are_those_of_all_pairs_also_under_ties(
    scores: list[int], random: Any
) -> None:
    others = [random.randint(0, 6) for _ in scores]
    target = np.array([1, 1, 0, 0, *(random.randint(0, 1) for _ in scores[4:])])
    gain, variance = by_pairs(target, scores, others)
    spread = delong.gain_spread(target == 1, np.array(scores, float), np.array(others, float))
    assert spread.error**2 == pytest.approx(float(variance), abs=1e-15)
    found = ranked.roc_area(target == 1, np.array(scores)) - ranked.roc_area(target == 1, np.array(others))
    assert found == pytest.approx(float(gain), abs=1e-15)


@given(st.integers(0, 10_000), st.integers(5, 60), st.integers(0, 2))
def test_the_areas_are_those_of_scikit_learn(seed: int, rows: int, digits: int) -> None:
    witness = pytest.importorskip("sklearn.metrics").roc_auc_score
    stream = np.random.default_rng(seed)
    target = np.append([0, 1], stream.integers(0, 2, rows - 2))
    ours, theirs = np.round(stream.random((2, rows)), digits)
    found = compare(AUC, target, ours, theirs)
    assert found.challenger == pytest.approx(witness(target, ours))
    assert found.champion == pytest.approx(witness(target, theirs))


def test_the_error_is_that_of_the_bootstrap() -> None:
    stream = np.random.default_rng(0)
    target = (stream.random(2000) < 0.2).astype(int)
    common = target + stream.normal(size=2000)
    ours, theirs = common + 0.3 * stream.normal(size=(2, 2000))
    exact = compare(AUC, target, ours, theirs)
    weight = np.where(np.arange(2000) < 1000, 1.0, 1 + 1e-12)  # not all the same: the bootstrap
    drawn = compare(AUC, target, ours, theirs, weight=weight)
    assert (exact.method, drawn.method) == ("delong", "bootstrap")
    assert drawn.gain == pytest.approx(exact.gain)
    assert drawn.error == pytest.approx(exact.error, rel=0.06)


@given(st.integers(0, 1000))
def test_a_rising_transform_of_scores_changes_nothing(seed: int) -> None:
    stream = np.random.default_rng(seed)
    target, ours, theirs = stream.integers(0, 2, 40), *stream.integers(0, 15, (2, 40))
    target[:4] = 0, 0, 1, 1
    plain = compare(AUC, target, ours, theirs)
    assert compare(AUC, target, np.exp(ours / 3.0), theirs**3 - 8.0) == plain
    assert compare(AUC, target, ours, ours * 2.0 + 1).method == "identical"


def test_two_areas_of_one_leave_the_bound_to_the_rows_that_are_not_there() -> None:
    target = np.repeat([0, 1], [30, 20])
    ours = np.arange(50.0)
    theirs = np.append(np.arange(30.0)[::-1], np.arange(30.0, 50))
    found = compare(AUC, target, ours, theirs)
    assert (found.challenger, found.champion, found.gain, found.error) == (1, 1, 0, 0)
    assert found.lower(0.05) == pytest.approx(-(1 - 0.05 ** (1 / 20)))
    assert found.p_value() == 1
    assert found.p_value(-0.2) == pytest.approx(0.8**20)


def test_an_area_of_one_against_chance_is_no_proof_on_three_rows() -> None:
    found = compare(AUC, [0, 0, 1], [0.1, 0.2, 0.9], [0.5, 0.5, 0.5])
    assert found.gain == 0.5
    assert (found.error, found.lower(0.01), found.p_value()) == (np.inf, -1, 1)
    assert found.note == "a class has fewer than two rows"
    rows = np.repeat([0, 1], 3)
    found = compare(AUC, rows, rows, np.full(6, 0.5))
    assert found.error == 0  # each row says the same
    assert found.lower(0.05) < 0
    assert compare(AUC, np.repeat([0, 1], 50), np.repeat([0, 1], 50), np.full(100, 0.5)).lower(0.05) > 0.4


def test_a_single_row_that_tells_the_models_apart_promotes_nothing() -> None:
    target = np.repeat([0, 1], [500, 500])
    theirs = np.arange(1000.0)
    theirs[999] = -1  # the champion is wrong about one row
    found = compare(AUC, target, np.arange(1000.0), theirs)
    assert found.gain == pytest.approx(1 / 500)
    assert found.freedom == pytest.approx(2, abs=0.1)
    assert found.lower(0.03) < 0
