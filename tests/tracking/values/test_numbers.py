"""Numbers of any type that is a real number are accepted, and come back as themselves."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tracking import ExperimentTracker, InvalidValueError
from tracking.files.atomic import read_json
from tracking.values import jsontext


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (Decimal("0.5"), 0.5),
        (Decimal("NaN"), math.nan),
        (Decimal("-Infinity"), -math.inf),
        (Fraction(1, 4), 0.25),
        (np.longdouble("0.5"), 0.5),
        (np.array(np.longdouble("inf")), math.inf),
        (np.array(Decimal("1.5"), dtype=object), 1.5),
        (np.float16(0.5), 0.5),
        (2**70, 2.0**70),
    ],
)
def test_a_metric_may_be_any_real_number(tracker: ExperimentTracker, value: Any, found: float) -> None:
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"a": value})
    (point,) = tracker.get_run(run_id)["metrics"]["a"]  # type: ignore[index]
    assert point["value"] == found or math.isnan(point["value"]) is math.isnan(found)
    assert type(point["value"]) is float


@pytest.mark.parametrize(
    "value",
    [Decimal("1e400"), 10**400, np.longdouble("1e4000"), np.clongdouble(1), Fraction(10**400)],
)
def test_a_finite_metric_is_never_kept_as_another_number(tracker: ExperimentTracker, value: Any) -> None:
    run_id = tracker.create_run("x")
    reason = "" if isinstance(value, np.clongdouble) else ", and numbers end at 1.8e308"
    with pytest.raises(InvalidValueError, match=rf"metric 'a' is .* a metric is one real number{reason}$"):
        tracker.log_metrics(run_id, {"a": value})


@pytest.mark.parametrize(
    ("step", "found"),
    [
        (0.5, 0.5),
        (3.0, 3),
        (np.float32(2.5), 2.5),
        (np.longdouble(4), 4),
        (Decimal("1.5"), 1.5),
        (Fraction(6, 2), 3),
        (np.uint8(7), 7),
        (-1.25, -1.25),
    ],
)
def test_a_step_may_be_a_fraction(tracker: ExperimentTracker, step: Any, found: float) -> None:
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"a": 1.0}, step=step)
    (point,) = tracker.get_run(run_id)["metrics"]["a"]  # type: ignore[index]
    assert (point["step"], type(point["step"])) == (found, type(found))


@pytest.mark.parametrize("step", ["1", math.nan, math.inf, 2**70, 10**400, 1e300, 1j, [1]])
def test_a_step_that_is_no_number_of_a_point_is_refused(tracker: ExperimentTracker, step: Any) -> None:
    with pytest.raises(
        InvalidValueError, match=r"step must be a 64-bit integer, a fraction such as 0\.5, or None"
    ):
        tracker.log_metrics(tracker.create_run("x"), {"a": 1}, step=step)


@pytest.mark.parametrize("is_finished", [False, True])
def test_fractions_of_epochs_are_in_order_found_drawn_and_exported(
    tracker: ExperimentTracker, say: Any, *, is_finished: bool
) -> None:
    run_id = tracker.create_run("x")
    for step in (1, 0.5, None, 1.5, 0.25):
        tracker.log_metrics(run_id, {"loss": float(step or 9)}, step=step)
    if is_finished:
        tracker.finish_run(run_id)
    points = tracker.get_run(run_id)["metrics"]["loss"]  # type: ignore[index]
    assert [point["step"] for point in points] == [0.25, 0.5, 1, 1.5, None]
    (run,) = tracker.search_runs("metrics.loss.min_step < 0.5 and metrics.loss.max_step is None")
    assert run.summary["loss"].min_step == 0.25
    store = ("--store", str(tracker.base_dir))
    assert say("plot", "x", "loss", *store)[0] == 0
    assert "0.25" in say("export", "x", "--histories", *store)[1]
    target = tracker.base_dir.parent / "points.parquet"
    assert say("export", "x", "--histories", "--output", str(target), *store)[0] == 0


@pytest.mark.parametrize("value", [2**64, 2**127 + 1, -(2**70), [2**80], {"a": 2**65}])
def test_seeds_of_any_size_are_kept_everywhere(tracker: ExperimentTracker, value: Any) -> None:
    with tracker.start_run(
        "x", seeds={"numpy": value}, params={"seed": value}, tags={"seed": value}, data={"seed": value},
        config={"seed": value}, capture_output=False,
    ) as run:  # fmt: skip
        pass
    assert read_json(run.run_dir / "env.json")["seeds"] == {
        "numpy": str(value) if isinstance(value, int) else value
    }
    found = tracker.record(run.run_id)
    assert found is not None
    assert found.params == found.tags == found.data == {"seed": value}


def test_long_doubles_are_parameters_too(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x", tags={"eps": np.longdouble("0.5")})
    params = {"one": np.longdouble("0.5"), "many": np.ones(2, np.longdouble), "c": np.clongdouble(1 + 2j)}
    tracker.log_params(run_id, params)
    assert tracker.get_run(run_id)["params"] == {"one": 0.5, "many": [1.0, 1.0], "c": "(1+2j)"}  # type: ignore[index]


TEXTS = ["NaN", "Infinity", "-Infinity", "'NaN'", "''NaN''", "'-Infinity'", "nan", "inf", "'NaN", '"NaN"']


@pytest.mark.parametrize("value", [*TEXTS, math.nan, math.inf, -math.inf])
def test_a_text_stays_a_text_and_a_number_a_number(tracker: ExperimentTracker, value: Any) -> None:
    values = {"a": value, "list": [value, {"b": value}]}
    run_id = tracker.create_run("x", tags=values)
    tracker.log_params(run_id, values)
    tracker.log_params(run_id, {"later": 1})  # reads and writes them again
    tracker.open_run(run_id).set_tags({"later": 1})
    tracker.finish_run(run_id)
    fresh = ExperimentTracker(tracker.base_dir)
    found = fresh.get_run(run_id)
    assert found is not None
    record, (listed,) = fresh.record(run_id), fresh.list_runs()
    assert record is not None
    for kept in (found["params"], found["tags"], record.params, record.tags, listed["tags"]):
        assert repr(kept) == repr({**values, "later": 1})
    where = "is nan" if value != value else f"== {value}" if type(value) is float else f'== "{value}"'
    if '"' not in str(value):
        assert len(fresh.search_runs(f"params.a {where} and tags.a {where}")) == 1
    assert repr(jsontext.revive(jsontext.kept(values))) == repr(values)


def test_the_list_for_other_programs_has_no_quotes(tracker: ExperimentTracker) -> None:
    tracker.create_run("x", tags={"a": "NaN", "b": math.nan, "c": "'NaN'"})
    (entry,) = read_json(tracker.base_dir / "metadata.json")
    assert entry["tags"] == {"a": "NaN", "b": "NaN", "c": "'NaN'"}
