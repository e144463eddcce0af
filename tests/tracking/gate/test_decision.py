"""The decision by itself: differences, rules and a level in, an outcome of each rule out."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.gate.decision import decided, reached
from tracking.gate.measuring import Comparison, Evidence
from tracking.gate.outcomes import Outcome
from tracking.gate.rules import GateSettings, Margin, Rules
from tracking.statistics.difference import Difference


def difference(
    gain: float, error: float = 0.01, *, measure: str = "auc", champion: float = 0.8, **more: Any
) -> Difference:
    given = {"mode": "max", "challenger": champion + gain, "rows": 5000, "method": "delong", **more}
    return Difference(measure, champion=champion, gain=gain, error=error, **given)


def guard(
    gain: float, margin: Margin, error: float = 0.01, *, measure: str = "log_loss", **more: Any
) -> Evidence:
    found = difference(gain, error, measure=measure, mode="min", method="bootstrap", champion=0.4)
    return Evidence(measure, margin, difference=found, **more)


def outcomes(
    first: Difference | None, *guards: Evidence, level: float = 0.05, rows: int = 5000, **rules: Any
) -> list[Outcome]:
    objective = Evidence("val_auc", difference=first, problem=None if first else "it was never scored")
    settings = GateSettings(rules=Rules(**rules), min_rows=100)
    return decided(Comparison(rows, objective, guards), settings, level)


def test_a_gain_is_enough_when_its_lower_bound_is_above_what_is_asked() -> None:
    assert outcomes(difference(0.03))[1].passes
    assert not outcomes(difference(0.03), level=0.0001)[1].passes
    assert not outcomes(difference(0.01))[1].passes
    assert not outcomes(difference(0.03), min_gain=0.02)[1].passes
    assert outcomes(difference(0.06), min_gain=0.02)[1].passes


@given(
    gain=st.floats(-0.2, 0.2), error=st.floats(1e-4, 0.1), level=st.floats(1e-6, 0.2), least=st.floats(0, 0.1)
)
def test_the_bound_that_is_shown_is_the_one_that_decides(
    gain: float, error: float, level: float, least: float
) -> None:
    _, found = outcomes(difference(gain, error), level=level, min_gain=least)
    assert found.low is not None
    assert found.passes == (found.low > least)
    assert found.p is not None
    if not math.isclose(found.p, level, rel_tol=1e-6):
        assert found.passes == (found.p < level)


@pytest.mark.parametrize(("gain", "error", "reason"), [
    (0.03, 0.01, "auc is 0.8300 against the champion's 0.8000 on the same 5,000 rows: a gain of 0.03, and at least 0.0136 when"),
    (0.01, 0.01, "the gain of 0.01 may be chance, because it may be as low as -0.00645, and more than 0 is asked"),
    (-0.01, 0.01, "0.8000 on the same 5,000 rows: a loss of 0.01, and more than 0 is asked"),
    (0.0, 0.01, "no gain, and more than 0 is asked"),
    (0.03, math.inf, "a gain of 0.03 whose error cannot be computed, so it may be chance"),
])  # fmt: skip
def test_the_reason_says_in_words_what_the_numbers_mean(gain: float, error: float, reason: str) -> None:
    assert reason in outcomes(difference(gain, error))[1].reason


def test_what_could_not_be_computed_fails_with_its_problem() -> None:
    _, found = outcomes(None)
    assert (found.passes, found.reason) == (False, "val_auc cannot be judged: it was never scored")
    broken = Evidence("latency_p95", Margin(0.2, is_share=True), problem="nothing was measured")
    failed = outcomes(difference(0.03), broken)[2]
    assert (failed.passes, failed.reason) == (False, "latency_p95 cannot be judged: nothing was measured")


def test_guards_are_judged_by_holms_method_at_the_level_of_the_look() -> None:
    close = guard(-0.005, Margin(0.03))  # p = 0.006
    assert outcomes(difference(0.03), close, level=0.01)[2].passes
    alone = outcomes(difference(0.03), close, close, level=0.01)
    assert [each.passes for each in alone[2:]] == [False, False], "each of two is judged at half of the level"
    sure = guard(0.05, Margin(0.03))
    both = outcomes(difference(0.03), close, sure, level=0.01)[2:]
    assert [each.passes for each in both] == [True, True], "after the surest the other has the whole level"
    assert [each.level for each in both] == [0.01, 0.005]


def test_a_margin_may_be_a_share_of_the_champions_value() -> None:
    assert outcomes(difference(0.03), guard(-0.01, Margin(0.1, is_share=True)))[2].passes
    failed = outcomes(difference(0.03), guard(-0.03, Margin(0.1, is_share=True)))[2]
    assert (failed.passes, failed.margin) == (False, pytest.approx(0.04))
    assert "chance may hide that it is 0.0464 worse, and 0.04 worse is allowed" in failed.reason


def test_a_slice_is_a_guard_of_its_own() -> None:
    found = outcomes(difference(0.03), guard(-0.2, Margin(0.1), measure="auc", slice=("region", "north")))[2]
    assert (found.rule, found.slice, found.passes) == ("slice", ("region", "north"), False)
    assert found.reason.startswith("auc where region is north is ")
    assert found.to_json()["slice"] == ["region", "north"]


def test_without_superiority_the_objective_needs_a_margin_of_its_own() -> None:
    margin = {"superiority": False}
    found = outcomes(difference(0.0), guard(-0.001, Margin(0.03)), **margin)
    assert not found[1].passes
    assert "needs rules.not_worse.auc" in found[1].reason
    own = Evidence("val_auc", Margin(0.02), difference=difference(0.0))
    assert all(each.passes for each in outcomes(difference(0.0), own, **margin))


def test_sizes_have_no_error() -> None:
    for margin, passes in ((Margin(0.5, is_share=True), True), (Margin(0.1, is_share=True), False)):
        exact = Difference("size", "min", 1.3e6, 1e6, -3e5, 0.0, "exact", 0)
        found = outcomes(difference(0.03), Evidence("size", margin, difference=exact))[2]
        assert found.passes is passes
        assert found.reason.startswith("size is 1.3 MB against 1.0 MB: 300.0 kB worse, and ")


def test_few_rows_decide_nothing_however_large_the_gain() -> None:
    first, *_ = outcomes(difference(0.2), rows=99)
    assert (first.passes, first.reason) == (
        False,
        "99 rows decide nothing: at least 100 are asked (min_rows)",
    )


def test_a_level_of_zero_promotes_nothing() -> None:
    found = outcomes(difference(0.2, 0.001), guard(0.2, Margin(1.0)), level=0.0)
    assert [each.passes for each in found] == [True, False, False]


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_reaches_no_threshold(value: float | None) -> None:
    for is_maximum in (True, False):
        assert not reached("auc", value, 0.5, is_maximum=is_maximum).passes
