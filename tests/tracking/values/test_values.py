"""Valid parameters, metrics and names come back unchanged; invalid ones are refused."""

import functools
import math
import unicodedata
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from hostile import HOSTILE_NAMES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracking import ExperimentTracker, InvalidNameError, InvalidValueError
from tracking.values.secrets import masked

TEXT = st.sampled_from(["NaN", "'-Infinity'"]) | st.text(st.characters(exclude_categories=["Cs"]))
LABEL = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1).map(
    functools.partial(unicodedata.normalize, "NFC")
)
LEAF = st.none() | st.booleans() | st.integers() | st.integers(-(10**308), 10**308) | st.floats() | TEXT
VALUE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
NUMBER = st.floats() | st.integers(-(2**63), 2**63 - 1)

on_one_store = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return (math.isnan(left) and math.isnan(right)) or (
            left == right and math.copysign(1, left) == math.copysign(1, right)
        )
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


@on_one_store
@given(
    params=st.dictionaries(LABEL, VALUE, max_size=5).filter(lambda params: "***" not in str(masked(params)))
)
def test_parameters_come_back_with_their_types(tracker: ExperimentTracker, params: dict[str, Any]) -> None:
    run_id = tracker.create_run("x")
    tracker.log_params(run_id, params)
    assert same(tracker.get_run(run_id)["params"], params)


@on_one_store
@given(
    calls=st.lists(
        st.tuples(st.dictionaries(LABEL, NUMBER, min_size=1, max_size=3), st.none() | st.integers(0, 9))
    ),
    finish=st.booleans(),
)
def test_metrics_come_back_in_the_order_of_their_steps_before_and_after_the_finish(
    tracker: ExperimentTracker, calls: Any, finish: bool
) -> None:
    run_id = tracker.create_run("x")
    expected: dict[str, list[Any]] = {}
    for metrics, step in calls:
        tracker.log_metrics(run_id, metrics, step=step)
        for name, value in metrics.items():
            expected.setdefault(name, []).append([step, value])
    for points in expected.values():
        points.sort(
            key=lambda point: (point[0] is None, point[0] or 0)
        )  # by step; those without one come last
    if finish:
        tracker.finish_run(run_id)
    found = tracker.get_run(run_id)["metrics"]
    assert same({name: [[p["step"], p["value"]] for p in points] for name, points in found.items()}, expected)
    summary = tracker.record(run_id).summary
    for name, points in expected.items():
        finite = [value for _, value in points if math.isfinite(value)]
        assert same(summary[name].last, points[-1][1])
        assert summary[name].count == len(points)
        assert summary[name].non_finite == len(points) - len(finite)
        assert summary[name].min == (min(finite) if finite else None)
        assert summary[name].max == (max(finite) if finite else None)


def test_scalars_of_numpy_and_torch_are_plain_numbers(tracker: ExperimentTracker) -> None:
    torch = pytest.importorskip("torch")
    run_id = tracker.create_run("x")
    metrics = {
        "a": np.float32(0.5),
        "b": np.int64(3),
        "c": np.array([0.25]),
        "d": torch.tensor(2.0),
        "e": torch.tensor([7]),
        "f": Fraction(1, 4),
    }
    tracker.log_metrics(run_id, metrics, step=np.int32(4))
    tracker.log_params(
        run_id,
        {
            "lr": np.float64(0.1),
            "n": np.int8(2),
            "dims": np.array([1, 2]),
            "t": (1, 2),
            "flag": np.bool_(True),
            "p": Path("a/b"),
            "cls": dict,
        },
    )
    run = tracker.get_run(run_id)
    assert {name: points[0]["value"] for name, points in run["metrics"].items()} == {
        "a": 0.5,
        "b": 3,
        "c": 0.25,
        "d": 2.0,
        "e": 7,
        "f": 0.25,
    }
    assert run["metrics"]["a"][0]["step"] == 4
    assert run["params"] == {
        "lr": 0.1,
        "n": 2,
        "dims": [1, 2],
        "t": [1, 2],
        "flag": True,
        "p": "a/b",
        "cls": "builtins.dict",
    }


@pytest.mark.parametrize(
    "value",
    [True, np.bool_(False), "0.5", None, 1 + 2j, [0.5], np.array([1.0, 2.0]), {"a": 1}, Fraction(10**400)],
)
def test_a_metric_that_is_no_real_number_is_refused_and_nothing_is_kept(
    tracker: ExperimentTracker, value: Any
) -> None:
    run_id = tracker.create_run("x")
    with pytest.raises(InvalidValueError, match=r"metric 'bad' is .* a metric is one real number"):
        tracker.log_metrics(run_id, {"good": 1.0, "bad": value})
    assert tracker.get_run(run_id)["metrics"] == {}


class Unspeakable:
    def item(self) -> float:
        raise KeyError("no number today")

    def __repr__(self) -> str:
        raise KeyError("no text today")


def test_a_metric_whose_own_code_fails_is_refused_by_its_name(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x")
    with pytest.raises(InvalidValueError, match="metric 'bad' is <Unspeakable object>"):
        tracker.log_metrics(run_id, {"bad": Unspeakable()})
    with pytest.raises(InvalidValueError, match="metric 'mock' is <Mock"):
        tracker.log_metrics(run_id, {"mock": Mock()})


def test_a_masked_number_is_logged_as_no_number(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"a": np.ma.masked, "b": np.ma.array([1.0], mask=[True])})
    assert all(math.isnan(points[0]["value"]) for points in tracker.get_run(run_id)["metrics"].values())


@pytest.mark.parametrize("step", ["1", math.nan, 2**70])
def test_a_step_that_is_no_number_is_refused(tracker: ExperimentTracker, step: Any) -> None:
    with pytest.raises(InvalidValueError, match="step must be a 64-bit integer"):
        tracker.log_metrics(tracker.create_run("x"), {"a": 1}, step=step)


def test_parameters_that_json_cannot_keep_are_refused_with_their_name(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x")
    with pytest.raises(
        InvalidValueError, match=r"parameter 'model\.seed' is 10000.*numbers end at .*log it as a string"
    ):
        tracker.log_params(run_id, {"model": {"seed": 10**309}})
    with pytest.raises(InvalidValueError, match="parameter 'path' holds text that is not valid Unicode"):
        tracker.log_params(run_id, {"path": "\udcff"})


@pytest.mark.parametrize("name", ["", "  ", "a\nb", 3])
def test_names_of_experiments_metrics_and_parameters_are_one_line_of_text(
    tracker: ExperimentTracker, name: Any
) -> None:
    run_id = tracker.create_run("x")
    for call in (
        lambda: tracker.create_run(name),
        lambda: tracker.log_metrics(run_id, {name: 1}),
        lambda: tracker.log_params(run_id, {name: 1}),
    ):
        with pytest.raises(InvalidNameError, match=r"must be a (non-empty )?string"):
            call()


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_run_id_is_unknown_to_readers_and_refused_by_writers(
    tracker: ExperimentTracker, name: str
) -> None:
    assert tracker.get_run(name) is None
    assert tracker.record(name) is None
    for call in (
        tracker.finish_run,
        tracker.open_run,
        lambda run_id: tracker.log_metrics(run_id, {"a": 1}),
    ):
        with pytest.raises(InvalidNameError, match=r"run id .* such as 'run_001'"):
            call(name)


@pytest.mark.parametrize(
    "name",
    [*(each for each in HOSTILE_NAMES if each not in {".hidden", " x"}), "a//b", "a/", "a\x1b", "\udcff"],
)
def test_a_hostile_artifact_name_is_refused_and_nothing_is_written(
    tracker: ExperimentTracker, tmp_path: Path, name: str
) -> None:
    source = tmp_path / "model.pt"
    source.write_bytes(b"weights")
    run_id = tracker.create_run("x")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InvalidNameError, match="artifact name"):
        tracker.log_artifact(run_id, source, name)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "name", ["roc: val?.png", ".hidden", "a b", " x", "<1>|*.txt", "plots/é.png", Path("plots") / "roc.png"]
)
def test_an_artifact_may_have_any_name_that_a_file_may_have(
    tracker: ExperimentTracker, tmp_path: Path, name: Any
) -> None:
    source = tmp_path / "model.pt"
    source.write_bytes(b"weights")
    run_id = tracker.create_run("x")
    copy = Path(tracker.log_artifact(run_id, source, name))
    assert copy == tracker.open_run(run_id).artifacts_dir / name
    assert copy.read_bytes() == b"weights"


def test_a_description_of_none_is_empty(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x", description=None)
    assert tracker.get_run(run_id)["description"] == ""


def test_parameters_with_keys_that_are_equal_as_text_are_refused(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x")
    with pytest.raises(
        InvalidValueError, match=r"parameter 'dims' has keys that are equal as text: \[1, '1'\]"
    ):
        tracker.log_params(run_id, {"dims": {1: "a", "1": "b"}})


def test_a_value_that_holds_itself_is_refused_with_its_name(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x")
    ring: list[Any] = [1]
    ring.append({"again": ring})
    for call in (
        lambda: tracker.log_params(run_id, {"ring": ring}),
        lambda: tracker.create_run("x", tags={"ring": ring}),
    ):
        with pytest.raises(InvalidValueError, match="'ring' is nested more than 100 deep, or holds itself"):
            call()
    assert tracker.get_run(run_id)["params"] == {}


def test_an_error_shows_the_beginning_of_a_long_value(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x")
    for call in (
        lambda: tracker.create_run("x" * 5000 + "\n"),
        lambda: tracker.finish_run("x" * 5000),
        lambda: tracker.log_params(run_id, {"seed": 10**5000}),
        lambda: tracker.log_params(run_id, {"text": "x" * 5000 + "\udcff"}),
        lambda: tracker.log_metrics(run_id, {"a": "x" * 5000}),
        lambda: tracker.finish_run(run_id, "x" * 5000),
        lambda: tracker.get_best_run("a", mode="x" * 5000),
        lambda: tracker.compare_runs("x" * 5000),
    ):
        with pytest.raises((InvalidNameError, InvalidValueError)) as caught:
            call()
        assert len(str(caught.value)) < 350
