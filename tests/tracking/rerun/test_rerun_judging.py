"""Points, environments and noise are compared as documented."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import RerunError
from tracking.rerun.differences import OF_TIME, compare_environments, compare_points, in_words
from tracking.rerun.noise import prediction_interval, student_quantile

# Fisher and Yates, Statistical Tables, table III: two-sided 95 % and 99 %.
PUBLISHED = [
    (1, 0.95, 12.706), (2, 0.95, 4.303), (3, 0.95, 3.182), (4, 0.95, 2.776), (9, 0.95, 2.262), (30, 0.95, 2.042),
    (1, 0.99, 63.657), (4, 0.99, 4.604), (9, 0.99, 3.250), (30, 0.99, 2.750),
]  # fmt: skip


def points(*values: float) -> list[dict[str, float]]:
    return [{"step": step, "value": value} for step, value in enumerate(values)]


@pytest.mark.parametrize(("freedom", "share", "value"), PUBLISHED)
def test_quantiles_of_students_distribution_are_those_that_are_published(
    freedom: int, share: float, value: float
) -> None:
    assert student_quantile(freedom, share) == pytest.approx(value, abs=6e-4)


def test_an_interval_holds_a_further_value_in_95_percent_of_cases() -> None:
    draw = random.Random(1)
    cases = 4000
    for count in (2, 5, 10):
        held = 0
        for _ in range(cases):
            low, high = prediction_interval([draw.gauss(3.0, 0.2) for _ in range(count)])
            held += low <= draw.gauss(3.0, 0.2) <= high
        assert held / cases == pytest.approx(0.95, abs=0.015)


def test_noise_takes_two_finite_values() -> None:
    with pytest.raises(RerunError, match="at least 2"):
        prediction_interval([1.0])
    with pytest.raises(RerunError, match="no finite value"):
        prediction_interval([1.0, math.nan])
    assert prediction_interval([2.0, 2.0, 2.0]) == (2.0, 2.0)


@given(st.lists(st.floats(allow_nan=True), min_size=1, max_size=6))
def test_a_history_is_identical_to_itself(values: list[float]) -> None:
    equal, differing, left_out = compare_points({"a": points(*values)}, {"a": points(*values)})
    assert (equal, differing, left_out) == (len(values), [], [])


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6), st.integers(0, 5), st.sampled_from([-1, 1]))
def test_one_digit_is_a_difference_with_its_step(values: list[float], at: int, sign: int) -> None:
    at = min(at, len(values) - 1)
    changed = list(values)
    changed[at] = math.nextafter(changed[at], sign * math.inf)
    equal, (found,), _ = compare_points({"a": points(*values)}, {"a": points(*changed)})
    assert equal == len(values) - 1
    assert (found.metric, found.at_step, found.points) == ("a", at, (len(values), len(values)))
    assert found.distance == abs(changed[at] - values[at])


def test_missing_metrics_and_points_are_differences() -> None:
    first = {"a": points(1, 2), "b": points(1)}
    again = {"a": points(1), "c": points(1)}
    _, differing, _ = compare_points(first, again)
    assert [(each.metric, each.at_step, each.points) for each in differing] == [
        ("a", 1, (2, 1)),
        ("b", 0, (1, 0)),
        ("c", 0, (0, 1)),
    ]


def test_of_a_run_that_was_stopped_early_only_its_points_are_compared() -> None:
    again = {"a": points(1, 2, 3), "test_a": points(1)}
    assert compare_points({"a": points(1, 2)}, again, is_cut=True) == (2, [], [])


@pytest.mark.parametrize(
    "name", ["epoch_s", "time", "val_latency_ms", "latency_p95", "rows_per_s", "wall_time"]
)
def test_metrics_of_time_are_not_compared(name: str) -> None:
    assert OF_TIME.fullmatch(name)
    assert compare_points({name: points(1)}, {name: points(2)}) == (0, [], [name])


@pytest.mark.parametrize("name", ["loss", "val_auc", "test_mass", "times_ten", "steps", "hours_worked_error"])
def test_other_metrics_are_compared(name: str) -> None:
    assert not OF_TIME.fullmatch(name)


def test_environments_differ_in_what_changes_a_computation() -> None:
    first = {
        "python": "3.11", "memory_bytes": 1000, "command": ["a"], "gpus": [{"name": "A", "uuid": "1"}],
        "env": {"OMP_NUM_THREADS": "1", "PYTHONPATH": "/a", "SLURM_JOB_ID": "1"}, "packages": {"numpy": "1", "same": "1"},
    }  # fmt: skip
    again = {
        "python": "3.11", "memory_bytes": 1001, "command": ["b"], "gpus": [{"name": "A", "uuid": "2"}],
        "env": {"OMP_NUM_THREADS": "2"}, "packages": {"numpy": "2", "same": "1"},
    }  # fmt: skip
    found = compare_environments(first, again)
    assert found == {"env.OMP_NUM_THREADS": ("1", "2"), "packages.numpy": ("1", "2")}
    assert in_words(found) == ["the variable OMP_NUM_THREADS is 2, was 1", "numpy is 2, was 1"]
    assert in_words(found, most=1)[1] == "1 more"
