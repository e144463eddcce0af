"""The gate refuses what it cannot judge, and gives the reason."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import InvalidValueError, ModelVersion
from tracking.objective import Objective
from tracking.registry.gate import judge


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


def test_the_first_model_needs_only_the_thresholds() -> None:
    assert judge(version(1), None, thresholds={"val_auc": 0.7}, min_delta=0.1).promote
    refused = judge(version(1), None, thresholds={"val_auc": 0.9}, min_delta=0.0)
    assert not refused.promote
    assert refused.reasons == ("val_auc 0.8 fails its threshold (at least 0.9)",)


def test_a_threshold_on_the_objective_judges_its_value_not_another_of_the_run() -> None:
    of_folds = version(1, 0.75, val_auc=0.8)  # the mean over folds, beside the metrics of one
    refused = judge(of_folds, None, thresholds={"val_auc": 0.78}, min_delta=0)
    assert refused.reasons == ("val_auc 0.75 fails its threshold (at least 0.78)",)


@pytest.mark.parametrize("bound", [Decimal("0.7"), Fraction(7, 10), np.float32(0.7)])
def test_a_bound_may_be_any_real_number(bound: Any) -> None:
    assert judge(version(1), None, thresholds={"val_auc": bound}, min_delta=0).promote
    assert not judge(version(1, 0.6), None, thresholds={"val_auc": bound}, min_delta=0).promote


def test_a_threshold_on_a_loss_or_an_error_is_a_maximum() -> None:
    assert judge(
        version(1, test_loss=0.3, error=0.1), None, thresholds={"test_loss": 0.4, "error": 0.2}, min_delta=0
    ).promote
    refused = judge(version(1, test_loss=0.5), None, thresholds={"test_loss": 0.4}, min_delta=0)
    assert "test_loss 0.5 fails its threshold (at most 0.4)" in refused.reasons


def test_a_threshold_on_any_metric_where_lower_is_better_is_a_maximum() -> None:
    for metric in ("rmse", "test_mae", "valloss", "val/Error", "logloss"):
        assert Objective.of(metric).mode == "min"
        assert judge(version(1, **{metric: 0.3}), None, thresholds={metric: 0.4}, min_delta=0).promote
        assert not judge(version(1, **{metric: 0.5}), None, thresholds={metric: 0.4}, min_delta=0).promote


def test_the_mode_of_the_objective_decides_the_side_of_its_own_threshold() -> None:
    slow = version(1, 30.0, metric="latency", mode="min")
    assert judge(slow, None, thresholds={"latency": 40}, min_delta=0).promote
    refused = judge(slow, None, thresholds={"latency": 20}, min_delta=0)
    assert refused.reasons == ("latency 30 fails its threshold (at most 20)",)
    gained = version(1, 0.9, metric="gain_over_loss", mode="max")
    assert judge(gained, None, thresholds={"gain_over_loss": 0.5}, min_delta=0).promote


def test_no_thresholds_may_be_given_as_none() -> None:
    assert judge(version(1), None, thresholds=None, min_delta=0).promote


@pytest.mark.parametrize(("ours", "promote"), [(0.9, True), (0.7, False)])
def test_runs_without_a_data_fingerprint_are_compared_and_the_reason_says_so(
    ours: float, promote: bool
) -> None:
    verdict = judge(version(2, ours, data=None), version(1, data=None), thresholds={}, min_delta=0)
    assert verdict.promote is promote
    assert "neither run recorded a data fingerprint" in verdict.reasons[-2]
    one_sided = judge(version(2, 0.9, data=None), version(1), thresholds={}, min_delta=0)
    assert not one_sided.promote
    assert one_sided.reasons[0].startswith("the challenger has no data fingerprint")


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "0.9", True])
def test_a_value_that_is_missing_or_not_finite_is_refused_on_either_side(value: Any) -> None:
    assert not judge(version(2, value), version(1), thresholds={}, min_delta=0).promote
    assert not judge(version(2, value), None, thresholds={}, min_delta=0).promote
    assert not judge(version(2), version(1, value), thresholds={}, min_delta=0).promote
    assert not judge(version(2, test_auc=value), None, thresholds={"test_auc": 0.5}, min_delta=0).promote


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
        verdict = judge(version(2), champion, thresholds={}, min_delta=0)
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
def test_the_challenger_must_gain_min_delta(
    ours: float, theirs: float, mode: str, delta: float, promote: bool
) -> None:
    assert (
        judge(
            version(2, ours, mode=mode), version(1, theirs, mode=mode), thresholds={}, min_delta=delta
        ).promote
        is promote
    )


@pytest.mark.parametrize("delta", [-0.1, math.nan, math.inf])
def test_an_impossible_min_delta_is_refused(delta: float) -> None:
    with pytest.raises(InvalidValueError, match="min_delta is"):
        judge(version(1), None, thresholds={}, min_delta=delta)


@given(
    ours=st.floats() | st.none(), theirs=st.floats() | st.none(), bound=st.floats(), delta=st.floats(0, 10)
)
def test_no_promotion_without_two_finite_values_and_a_real_gain(
    ours: float | None, theirs: float | None, bound: float, delta: float
) -> None:
    verdict = judge(version(2, ours), version(1, theirs), thresholds={"val_auc": bound}, min_delta=delta)
    assert verdict.reasons
    if verdict.promote:
        assert math.isfinite(ours)
        assert math.isfinite(theirs)
        assert ours > theirs
        assert ours >= bound
