"""Intervals hold the true gain as often as they say, and gates err no more often than they may; simulated, and slow."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import simulated

from tracking.statistics.compare import compare
from tracking.statistics.levels import look_level
from tracking.statistics.measures import Measure, measure_of
from tracking.statistics.power import units_to_tell
from tracking.statistics.spreads import mean_spread
from tracking.statistics.tails import Tail

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
TIMES = [200, pytest.param(1000, marks=pytest.mark.exhaustive)]
Make = Callable[[np.random.Generator, int], simulated.Case]


def true_gain(make: Make, measure: Measure) -> float:
    stream, found = np.random.default_rng(0), []
    for _ in range(20):
        target, ours, theirs, _ = make(stream, 100_000)
        found.append(measure.value(target, ours, None) - measure.value(target, theirs, None))
    return float(np.mean(found)) * (1 if measure.mode == "max" else -1)


def share_held(make: Make, measure: Measure, rows: int, times: int, *, with_clusters: bool = True) -> float:
    """Return how often the 95 % interval of such rows holds the true gain."""
    truth, stream, held = true_gain(make, measure), np.random.default_rng(1), 0
    for seed in range(times):
        target, ours, theirs, cluster = make(stream, rows)
        drawn = cluster if with_clusters else None
        found = compare(measure, target, ours, theirs, cluster=drawn, draws=1000, seed=seed)
        low, high = found.interval()
        held += low <= truth <= high
    return held / times


def off(times: int) -> float:
    """Return how far from 95 % a share of so many intervals may be: 2 % for a thousand, which is three standard errors."""
    return 0.02 * float(np.sqrt(1000 / times))


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize(
    ("make", "name", "task"),
    [
        (simulated.two_classes, "auc", "binary"),
        (simulated.two_classes, "accuracy", "binary"),
        (simulated.two_classes, "log_loss", "binary"),
        (simulated.shifted, "log_loss", "binary"),
        (simulated.two_classes, "f1", "binary"),
        (simulated.two_classes, "balanced_accuracy", "binary"),
        (simulated.several_classes, "log_loss", "multiclass"),
        (simulated.several_classes, "f1", "multiclass"),
        (simulated.numbers, "rmse", "regression"),
        (simulated.numbers, "r2", "regression"),
    ],
)
def test_intervals_of_95_percent_hold_the_true_gain_in_about_so_many_cases(
    make: Make, name: str, task: str, times: int
) -> None:
    share = share_held(make, measure_of(name, task), 300, times)
    assert 0.95 - off(times) <= share <= 0.95 + off(times)


@pytest.mark.parametrize("times", TIMES)
def test_rows_of_clusters_need_draws_of_clusters(times: int) -> None:
    measure = measure_of("log_loss", "binary")
    share = share_held(simulated.clusters, measure, 1000, times)
    assert 0.95 - off(times) <= share <= 0.95 + off(times)
    assert share_held(simulated.clusters, measure, 1000, times, with_clusters=False) < 0.95 - off(times)


LOSSES: dict[str, Callable[[np.random.Generator, Any], Any]] = {
    "normal": lambda stream, shape: stream.normal(size=shape),
    "heavy tails": lambda stream, shape: stream.standard_t(5, size=shape),
    "rare large losses": lambda stream, shape: 1 - stream.exponential(size=shape),
    "one row in twenty": lambda stream, shape: np.where(
        stream.random(shape) < 0.05, np.sign(stream.random(shape) - 0.5), 0
    ),
}


@pytest.mark.parametrize("times", [20_000, pytest.param(100_000, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("kind", LOSSES)
def test_small_levels_are_kept_where_a_normal_quantile_is_far_off(kind: str, times: int) -> None:
    rows, stream, p_values = 200, np.random.default_rng(2), []
    for _ in range(times // 1000):
        for gains in LOSSES[kind](stream, (1000, rows)) / rows:
            spread = mean_spread(gains)
            if spread.error > 0:
                tail = Tail(float(gains.sum()), spread.error, spread.freedom, spread.skew, None, 0)
                p_values.append(tail.p_value(0.0))
    for level in (0.0304, 0.0076, 0.001):
        limit = level * times + 3 * np.sqrt(level * times)
        assert (np.array(p_values) < level).sum() <= limit, f"at {level}"
    assert (np.array(p_values) < look_level(52)).sum() <= 5


@pytest.mark.exhaustive  # the short form is in the tests of the gate
def test_a_year_of_challengers_on_one_split_promotes_falsely_at_most_once_in_twenty() -> None:
    auc, stream, years, promoted = measure_of("auc", "binary"), np.random.default_rng(3), 600, 0
    for _ in range(years):
        target = (stream.random(300) < 0.3).astype(int)
        common = target + stream.normal(size=300)
        champion = common + 0.4 * stream.normal(size=300)
        weekly = common + 0.4 * stream.normal(size=(52, 300))
        promoted += any(
            compare(auc, target, challenger, champion).lower(look_level(look)) > 0
            for look, challenger in enumerate(weekly, 1)
        )
    assert promoted / years <= 0.05


def test_power_at_a_true_gain_in_auc_is_what_the_split_is_said_to_have() -> None:
    auc, rows, level, power = measure_of("auc", "binary"), 600, 0.0304, 0.8
    times, stream = 1000, np.random.default_rng(4)
    found = [compare(auc, *simulated.two_classes(stream, rows)[:3]) for _ in range(times)]
    gain = float(np.mean([each.gain for each in found]))
    told = [units_to_tell(each, level, power, gain=gain) for each in found]
    further = int(np.mean([each for each in told if each is not None]))
    more = [
        compare(auc, *simulated.two_classes(stream, rows + further)[:3]).lower(level) > 0
        for _ in range(times)
    ]
    assert np.mean(more) == pytest.approx(power, abs=0.05)


def test_the_best_of_sixteen_is_promoted_falsely_on_the_rows_that_chose_it_and_not_on_others() -> None:
    auc, stream, on_same, on_others = measure_of("auc", "binary"), np.random.default_rng(5), 0, 0
    for _ in range(500):
        target = (stream.random((2, 300)) < 0.3).astype(int)
        common = target + stream.normal(size=(2, 300))
        champion = common + 0.4 * stream.normal(size=(2, 300))
        candidates = common + 0.4 * stream.normal(size=(16, 2, 300))
        best = max(candidates, key=lambda each: auc.value(target[0], each[0], None))
        same, others = (compare(auc, target[part], best[part], champion[part]) for part in (0, 1))
        on_same += same.lower(0.05) > 0
        on_others += others.lower(0.05) > 0
    assert on_same / 500 > 0.2
    assert on_others / 500 <= 0.07  # 5 % and two errors of 500 times
