"""A gain of one model over another counts by how sure it is."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.statistics.formulas import auc
from trainer.data.target import TaskKind
from trainer.tasks import gains

CHANCES = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.7]), min_size=8, max_size=8)
TARGET = np.array([0, 1, 0, 1, 1, 0, 0, 0])


@pytest.mark.parametrize(
    ("each", "share"),
    [
        ([1, 1, 1, 1], 1.0),
        ([0, 0, 0, 0], 0.0),
        ([-1, -1, 0, 0], 0.0),
        ([3, -3, 1, -1], 0.0),
        ([3, 1, 3, 1], 0.9375),
    ],
)
def test_the_share_grows_with_the_gain_and_shrinks_with_its_standard_error(
    each: list[float], share: float
) -> None:
    better = np.full(4, 4.0)
    found = gains.in_loss(TaskKind.REGRESSION, np.zeros(4), np.sqrt(better), np.sqrt(better + each))
    assert found == pytest.approx(share)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_predictions_have_no_gain_over_themselves_and_a_sure_one_over_much_worse_ones(kind: str) -> None:
    draw = np.random.default_rng(0)
    target = draw.integers(0, 2, 500)
    right, wrong = np.where(target == 1, 0.9, 0.1), draw.random(500)
    pair: tuple[Any, Any] = (right, wrong)
    if kind == "multiclass":
        pair = tuple(np.stack([1 - each, each], axis=1) for each in pair)  # type: ignore[assignment]
    ours, theirs = pair
    task = TaskKind(kind)
    assert gains.in_loss(task, target, ours, ours) == 0
    assert gains.in_loss(task, target, ours, theirs) > 0.98
    assert gains.in_loss(task, target, theirs, ours) == 0


def by_pairs(target: Any, ours: Any, theirs: Any, weight: Any) -> tuple[float, float]:
    """Return the gain in AUC and its variance by DeLong, from all pairs of rows."""
    positive, negative = np.flatnonzero(target == 1), np.flatnonzero(target == 0)

    def wins(scores: Any) -> Any:
        differences = scores[positive][:, None] - scores[negative][None, :]
        return (differences > 0) + 0.5 * (differences == 0)

    gain = wins(ours) - wins(theirs)
    of_positive, of_negative = (weight[rows] / weight[rows].sum() for rows in (positive, negative))
    mean = float(of_positive @ gain @ of_negative)
    variance = of_positive**2 @ (gain @ of_negative - mean) ** 2
    return mean, float(variance + of_negative**2 @ (of_positive @ gain - mean) ** 2)


@given(ours=CHANCES, theirs=CHANCES, weight=st.lists(st.integers(1, 3), min_size=8, max_size=8))
def test_a_gain_in_ranks_is_that_of_all_pairs_of_rows(
    ours: list[float], theirs: list[float], weight: list[int]
) -> None:
    a, b, counts = np.array(ours), np.array(theirs), np.array(weight, float)
    gain, variance = by_pairs(TARGET, a, b, counts)
    assert gain == pytest.approx(auc(TARGET, a, counts) - auc(TARGET, b, counts))
    wanted = max(0.0, 1 - variance / gain**2) if gain > 1e-9 else 0.0
    assert gains.in_ranks(TARGET, a, b, counts) == pytest.approx(wanted, abs=1e-6)


def test_ranks_do_not_see_what_keeps_the_order_and_need_both_classes() -> None:
    chances = np.linspace(0.1, 0.9, 8)
    assert gains.in_ranks(TARGET, chances**3, chances) == 0
    assert gains.in_ranks(np.ones(8), chances, chances[::-1]) == 0
    assert gains.in_ranks(TARGET, TARGET * 1.0, chances) > 0.5
