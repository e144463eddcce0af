"""Importance: which keys decide, by a forest that has to explain something first."""

import math
import random
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.ranking.importance import LEAST_JOBS, LEAST_R2, importance

Value = Callable[[Mapping[str, Any], random.Random], float]
KEYS = ("rate", "dropout", "model", "layers", "seed_of_data")


def jobs(count: int, value: Value, *, seed: int = 0) -> tuple[list[dict[str, Any]], list[float]]:
    source = random.Random(seed)
    points = []
    for _ in range(count):
        point = {
            "rate": 10 ** source.uniform(-5, -1),
            "dropout": source.uniform(0, 0.6),
            "model": source.choice(["mlp", "dcn", ["a", "b"]]),
            "seed_of_data": source.randrange(5),
        }
        if point["model"] == "dcn":
            point["layers"] = source.randint(1, 6)
        points.append(point)
    return points, [value(point, source) for point in points]


def by_rate(point: Mapping[str, Any], source: random.Random) -> float:
    return -((math.log10(point["rate"]) + 3) ** 2) + source.gauss(0, 0.1)


def test_the_key_that_decides_has_the_greatest_share() -> None:
    found = importance(*jobs(60, by_rate), KEYS)
    assert found.why is None
    assert next(iter(found.share)) == "rate"
    assert found.share["rate"] > 0.8
    assert sum(found.share.values()) == pytest.approx(1.0)
    assert found.r2 is not None
    assert LEAST_R2 < found.r2 < 1


def test_a_category_and_a_key_that_only_some_points_have_can_decide() -> None:
    by_model = importance(
        *jobs(60, lambda point, source: (point["model"] == "dcn") + source.gauss(0, 0.1)), ("rate", "model")
    )
    assert by_model.share["model"] > 0.8
    by_layers = importance(
        *jobs(120, lambda point, source: point.get("layers", -3) + source.gauss(0, 0.3)), KEYS
    )
    assert max(by_layers.share, key=by_layers.share.__getitem__) == "layers"


@pytest.mark.parametrize("count", [20, 40, 80])
def test_of_noise_it_cannot_tell(count: int) -> None:
    found = importance(*jobs(count, lambda _point, source: source.gauss(0, 1)), KEYS)
    assert not found.share
    assert found.r2 is not None
    assert found.r2 < LEAST_R2
    assert str(found.why).startswith("the forest explains too little, R2 ")


def test_a_few_jobs_that_diverged_do_not_hide_what_decides() -> None:
    points, values = jobs(60, by_rate)
    values[7], values[31] = -1e30, -1e25
    found = importance(points, values, KEYS)
    assert found.share["rate"] > 0.7


@pytest.mark.parametrize(
    ("points", "values", "why"),
    [
        ([{"x": n} for n in range(19)], [float(n) for n in range(19)], f"19 of at least {LEAST_JOBS} jobs"),
        ([{"x": 1}] * 30, [float(n) for n in range(30)], "no key has two values"),
        ([{"x": n} for n in range(30)], [1.0] * 30, "all values are the same"),
        ([], [], f"0 of at least {LEAST_JOBS} jobs"),
    ],
)
def test_what_nobody_can_tell_is_said(points: list[dict[str, Any]], values: list[float], why: str) -> None:
    found = importance(points, values, ["x"])
    assert (dict(found.share), found.why) == ({}, why)


def test_the_same_jobs_give_the_same_answer() -> None:
    assert importance(*jobs(40, by_rate, seed=1), KEYS) == importance(*jobs(40, by_rate, seed=1), KEYS)


any_value = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.lists(st.integers(), max_size=2)
)


@settings(max_examples=8, deadline=None)
@given(
    values=st.lists(
        st.tuples(any_value, any_value, st.floats(allow_nan=False, allow_infinity=False)),
        min_size=20,
        max_size=24,
    )
)
def test_any_points_and_finite_values_have_an_answer(values: list[tuple[Any, Any, float]]) -> None:
    points = [{"a": a, "b": b} for a, b, _ in values]
    found = importance(points, [value for *_, value in values], ["a", "b", "c"])
    assert (found.why is None) == bool(found.share)
    assert all(0 <= share <= 1 for share in found.share.values())


def test_scikit_learn_is_loaded_when_there_are_enough_jobs_and_not_before() -> None:
    program = (
        "import sys\nfrom sweeps.ranking.importance import importance\n"
        "import sweeps.cli.show\n"
        "points = [{'x': n} for n in range(30)]\n"
        "importance(points[:10], [float(n) for n in range(10)], ['x'])\n"
        "print('sklearn' in sys.modules, 'numpy' in sys.modules)\n"
        "importance(points, [float(n) for n in range(30)], ['x'])\n"
        "print('sklearn' in sys.modules)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False", "True"]
