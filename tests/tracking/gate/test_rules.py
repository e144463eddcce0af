"""The settings of the gate are read once, and refused with what is allowed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import InvalidValueError
from tracking.gate import GateSettings, Selection, gate_settings
from tracking.gate.outcomes import Entrant, Question
from tracking.gate.rules import Margin
from tracking.objective import Objective

margins = st.floats(0, 1e3) | st.floats(0, 1e3).map(lambda share: f"{share!r}%")
names = st.sampled_from(["log_loss", "size", "latency_p95", "val.odd name"])
settings = st.fixed_dictionaries(
    {},
    optional={
        "scorer": st.none() | st.just("my.score"),
        "split": st.none() | st.just("rows.csv"),
        "alpha": st.floats(1e-6, 0.5),
        "looks": st.none() | st.integers(1, 60),
        "cluster": st.none() | st.just("user"),
        "allow": st.lists(st.just("mine"), max_size=2),
        "rules": st.fixed_dictionaries(
            {},
            optional={
                "not_worse": st.dictionaries(names, margins),
                "slices": st.dictionaries(names, margins),
                "thresholds": st.dictionaries(names, st.floats(-10, 10) | st.none()),
            },
        ),
    },
)


def test_nothing_given_means_the_defaults() -> None:
    assert gate_settings({}) == GateSettings()
    assert not GateSettings().scores, "without a scorer the recorded values decide"


@given(settings)
def test_settings_are_the_same_after_a_way_through_json(raw: dict[str, Any]) -> None:
    found = gate_settings(raw)
    kept = gate_settings(json.loads(json.dumps(found.to_json())))
    assert kept.to_json() == found.to_json()
    assert kept.rules.thresholds == found.rules.thresholds


@pytest.mark.parametrize(
    ("value", "champion", "margin"), [(0.02, 0.5, 0.02), ("20%", 0.5, 0.1), ("20 %", -2, 0.4), (0, 3, 0)]
)
def test_a_margin_is_an_amount_or_a_share_of_the_champions_value(
    value: Any, champion: float, margin: float
) -> None:
    found = gate_settings({"rules": {"not_worse": {"x": value}}}).rules.not_worse["x"]
    assert found.beside(champion) == pytest.approx(margin)


@pytest.mark.parametrize(("raw", "said"), [
    ({"colour": 1}, "colour: unknown key; allowed are allow, alpha"),
    ({"rules": {"colour": 1}}, "rules.colour: unknown key; allowed are min_gain"),
    ({"rules": 3}, "rules=3: allowed is a mapping"),
    ({"rules": {"not_worse": 3}}, "rules.not_worse=3: allowed is a mapping"),
    ({"rules": {"thresholds": [1]}}, r"rules.thresholds=\[1\]: allowed is a mapping"),
    ({"rules": {"superiority": 1}}, "rules.superiority=1: allowed are true and false"),
    ({"rules": {"superiority": False, "min_gain": 0.1}}, "rules.min_gain=0.1: asks for a gain, and rules.superiority=false"),
    ({"rules": {"not_worse": {"x": True}}}, "rules.not_worse.x=True: allowed is a number"),
    ({"rules": {"not_worse": {"x": "nan%"}}}, "rules.not_worse.x='nan%': allowed is a number"),
    ({"rules": {"not_worse": {"latency_p0": 1}}}, "allowed is latency_p95 or another percentile from 1 to 99"),
    ({"scorer": "x:y.z"}, "scorer='x:y.z': allowed is the dotted name of a function"),
    ({"scorer": ""}, "scorer='': allowed is a text, or null"),
    ({"looks": True}, "looks=True: allowed is a whole number, 1 or more"),
    ({"alpha": float("nan")}, "alpha=nan: allowed is a share"),
])  # fmt: skip
def test_a_setting_that_cannot_work_is_refused_with_what_is_allowed(raw: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        gate_settings(raw)


def test_without_superiority_some_margin_is_asked_for_at_once() -> None:
    with pytest.raises(InvalidValueError, match=r"rules.superiority=false: needs rules.not_worse"):
        gate_settings({"rules": {"superiority": False}})


def test_a_question_is_the_same_after_a_way_through_json() -> None:
    asked = Question(
        gate_settings({"scorer": "a.b", "rules": {"not_worse": {"log_loss": "3%"}}}),
        Objective.of("val_auc"),
        Entrant("/v2", 2, 100),
        None,
        Selection("val_auc", (0.8, 0.7), 0, (0.6, 0.6)),
    )
    assert Question.from_json(json.loads(json.dumps(asked.to_json()))) == asked
    assert str(Margin(0.03, is_share=True)) == "3%"
