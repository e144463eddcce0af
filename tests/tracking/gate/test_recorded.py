"""By recorded values the gate refuses what it cannot judge, and gives the reason."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import ModelVersion
from tracking.gate.recorded import recorded_outcomes
from tracking.gate.rules import Margin, Rules
from tracking.objective import Objective


def version(
    number: int,
    value: Any = 0.8,
    *,
    mode: str = "max",
    metric: str = "val_auc",
    data: str | None = "d",
    **metrics: Any,
) -> ModelVersion:
    return ModelVersion(
        name="ctr",
        version=number,
        path=Path(f"v{number}"),
        run_id=f"run_{number}",
        files={},
        objective={"metric": metric, "mode": mode, "value": value},
        metrics=metrics,
        data={"fingerprint": data} if data else {},
        sweep=None,
        loader=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


class Judged(NamedTuple):
    promote: bool
    reasons: tuple[str, ...]


def judge(
    challenger: ModelVersion, champion: ModelVersion | None, *, sizes: Any = None, **rules: Any
) -> Judged:
    outcomes = recorded_outcomes(challenger, champion, Rules(**rules), sizes)
    against = [each.reason for each in outcomes if not each.passes]
    return Judged(bool(outcomes) and not against, tuple(against or (each.reason for each in outcomes)))


def test_the_first_model_needs_only_the_thresholds() -> None:
    assert judge(version(1), None, thresholds={"val_auc": 0.7}, min_gain=0.1).promote
    refused = judge(version(1), None, thresholds={"val_auc": 0.9})
    assert not refused.promote
    assert refused.reasons == ("val_auc 0.8 fails its threshold (at least 0.9)",)


def test_a_threshold_on_the_objective_judges_its_value_not_another_of_the_run() -> None:
    of_folds = version(1, 0.75, val_auc=0.8)  # the mean over folds, beside the metrics of one
    refused = judge(of_folds, None, thresholds={"val_auc": 0.78})
    assert refused.reasons == ("val_auc 0.75 fails its threshold (at least 0.78)",)


@pytest.mark.parametrize("bound", [Decimal("0.7"), Fraction(7, 10), np.float32(0.7)])
def test_a_bound_may_be_any_real_number(bound: Any) -> None:
    assert judge(version(1), None, thresholds={"val_auc": bound}).promote
    assert not judge(version(1, 0.6), None, thresholds={"val_auc": bound}).promote


def test_a_threshold_on_a_loss_or_an_error_is_a_maximum() -> None:
    assert judge(
        version(1, test_loss=0.3, error=0.1), None, thresholds={"test_loss": 0.4, "error": 0.2}
    ).promote
    refused = judge(version(1, test_loss=0.5), None, thresholds={"test_loss": 0.4})
    assert "test_loss 0.5 fails its threshold (at most 0.4)" in refused.reasons


def test_a_threshold_on_any_metric_where_lower_is_better_is_a_maximum() -> None:
    for metric in ("rmse", "test_mae", "valloss", "val/Error", "logloss"):
        assert Objective.of(metric).mode == "min"
        assert judge(version(1, **{metric: 0.3}), None, thresholds={metric: 0.4}).promote
        assert not judge(version(1, **{metric: 0.5}), None, thresholds={metric: 0.4}).promote


def test_the_mode_of_the_objective_decides_the_side_of_its_own_threshold() -> None:
    slow = version(1, 30.0, metric="latency", mode="min")
    assert judge(slow, None, thresholds={"latency": 40}).promote
    refused = judge(slow, None, thresholds={"latency": 20})
    assert refused.reasons == ("latency 30 fails its threshold (at most 20)",)
    gained = version(1, 0.9, metric="gain_over_loss", mode="max")
    assert judge(gained, None, thresholds={"gain_over_loss": 0.5}).promote


@pytest.mark.parametrize(("ours", "promote"), [(0.9, True), (0.7, False)])
def test_runs_without_a_data_fingerprint_are_compared_and_the_reason_says_so(
    ours: float, promote: bool
) -> None:
    verdict = judge(version(2, ours, data=None), version(1, data=None))
    assert verdict.promote is promote
    assert "neither run recorded a data fingerprint" in verdict.reasons[-1]
    one_sided = judge(version(2, 0.9, data=None), version(1))
    assert not one_sided.promote
    assert one_sided.reasons[0].startswith("the challenger has no data fingerprint")


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "0.9", True])
def test_a_value_that_is_missing_or_not_finite_is_refused_on_either_side(value: Any) -> None:
    assert not judge(version(2, value), version(1)).promote
    assert not judge(version(2, value), None).promote
    assert not judge(version(2), version(1, value)).promote
    assert not judge(version(2, test_auc=value), None, thresholds={"test_auc": 0.5}).promote


def test_what_cannot_be_compared_is_refused_with_its_reason() -> None:
    for champion, reason in (
        (version(1, 0.1, data="other"), "recorded on different data: the two values cannot be compared"),
        (
            version(1, 0.1, data=None),
            "the champion (version 1) has no data fingerprint and the other has one",
        ),
        (version(1, 0.1, metric="val_acc"), "was chosen by val_acc"),
        (version(1, 0.1, mode="min"), r"was chosen by val_auc (min)"),
        (version(2, 0.1), "already is the champion"),
    ):
        verdict = judge(version(2), champion)
        assert not verdict.promote
        assert reason in verdict.reasons[0]


@pytest.mark.parametrize(
    ("ours", "theirs", "mode", "delta", "promote"),
    [
        (0.81, 0.8, "max", 0, True),
        (0.8, 0.8, "max", 0, False),
        (0.82, 0.81, "max", 0.01, True),
        (0.815, 0.81, "max", 0.01, False),
        (0.3, 0.4, "min", 0.05, True),
        (0.4, 0.3, "min", 0, False),
    ],
)
def test_the_challenger_must_gain_what_is_asked(
    ours: float, theirs: float, mode: str, delta: float, promote: bool
) -> None:
    assert (
        judge(version(2, ours, mode=mode), version(1, theirs, mode=mode), min_gain=delta).promote is promote
    )


@given(
    ours=st.floats() | st.none(), theirs=st.floats() | st.none(), bound=st.floats(), delta=st.floats(0, 10)
)
def test_no_promotion_without_two_finite_values_and_a_real_gain(
    ours: float | None, theirs: float | None, bound: float, delta: float
) -> None:
    verdict = judge(version(2, ours), version(1, theirs), thresholds={"val_auc": bound}, min_gain=delta)
    assert verdict.reasons
    if verdict.promote:
        assert math.isfinite(ours)
        assert math.isfinite(theirs)
        assert ours > theirs
        assert ours >= bound


@pytest.mark.parametrize(("theirs", "margin", "promote"), [
    (0.40, Margin(0.02), True),
    (0.37, Margin(0.02), False),
    (0.40, Margin(0.05, is_share=True), True),
    (0.37, Margin(0.05, is_share=True), False),
])  # fmt: skip
def test_a_guard_compares_two_recorded_values(theirs: float, margin: Margin, promote: bool) -> None:
    ours = version(2, 0.9, val_loss=0.41)
    verdict = judge(ours, version(1, val_loss=theirs), not_worse={"val_loss": margin})
    assert verdict.promote is promote
    assert f"val_loss 0.41 against {theirs:g}" in verdict.reasons[-1]


def test_the_files_may_not_grow_beyond_their_margin() -> None:
    rules = {"not_worse": {"size": Margin(0.5, is_share=True)}}
    assert judge(version(2, 0.9), version(1), sizes=(140, 100), **rules).promote
    assert not judge(version(2, 0.9), version(1), sizes=(160, 100), **rules).promote
    assert not judge(version(2, 0.9), version(1), **rules).promote


def test_what_recorded_values_cannot_say_refuses() -> None:
    champion = version(1, val_loss=0.4)
    for rules, reason in (
        ({"not_worse": {"latency_p95": Margin(0.2)}}, "latency_p95 cannot be measured by recorded values"),
        (
            {"not_worse": {"val_loss": Margin(0.2)}},
            "val_loss is missing for the challenger and 0.4 for the champion",
        ),
        ({"slices": {"region": Margin(0.2)}}, "slices cannot be judged by recorded values"),
        ({"superiority": False}, "rules.superiority=false needs rules.not_worse.val_auc"),
    ):
        verdict = judge(version(2, 0.9), champion, **rules)
        assert not verdict.promote
        assert reason in verdict.reasons[0]


def test_without_superiority_it_is_enough_not_to_be_worse() -> None:
    rules = {"superiority": False, "not_worse": {"val_auc": Margin(0.01)}}
    assert judge(version(2, 0.795), version(1), **rules).promote
    assert not judge(version(2, 0.785), version(1), **rules).promote
