"""Two models are compared on the same rows, and what cannot be compared is refused or has no bound."""

import json
import math
from typing import Any

import numpy as np
import pytest
import simulated
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking import InvalidValueError
from tracking.statistics.compare import compare, compare_exact, compare_timings
from tracking.statistics.difference import Difference
from tracking.statistics.measures import MEASURES, Task, measure_of, own_measure

CASES = {
    Task.BINARY: simulated.two_classes,
    Task.MULTICLASS: simulated.several_classes,
    Task.REGRESSION: simulated.numbers,
}
EVERY = [(task, name) for task, measures in MEASURES.items() for name in measures]
LEVELS = (0.3, 0.05, 0.0304, 0.0076, 0.001, 1.1e-5)
LOSS, AUC = measure_of("log_loss", "binary"), measure_of("auc", "binary")


def some(task: Task, name: str, seed: int = 0, rows: int = 120) -> Difference:
    target, ours, theirs, _ = CASES[task](np.random.default_rng(seed), rows)
    return compare(MEASURES[task][name], target, ours, theirs, draws=100)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_with_the_models_exchanged_gain_and_bounds_mirror(task: Task, name: str) -> None:
    target, ours, theirs, _ = CASES[task](np.random.default_rng(0), 120)
    for weight in (None, np.random.default_rng(1).integers(0, 3, 120)):
        found = compare(MEASURES[task][name], target, ours, theirs, weight=weight, draws=400)
        other = compare(MEASURES[task][name], target, theirs, ours, weight=weight, draws=400)
        assert (other.gain, other.error) == pytest.approx((-found.gain, found.error))
        for level in LEVELS:
            low, high = found.interval(level)
            assert low < found.gain < high
            assert other.interval(level) == pytest.approx((-high, -low), rel=1e-6)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_a_gain_is_positive_where_the_challenger_is_better(task: Task, name: str) -> None:
    found = some(task, name, rows=2000)
    better = found.challenger > found.champion if found.mode == "max" else found.challenger < found.champion
    assert (found.gain > 0) == better
    assert abs(found.gain) == pytest.approx(abs(found.challenger - found.champion))


@pytest.mark.parametrize(("task", "name"), EVERY)
@settings(max_examples=25)
@given(seed=st.integers(0, 1000), level=st.floats(1e-6, 0.4), margin=st.floats(-0.3, 0.3))
def test_the_p_value_is_below_a_level_exactly_where_the_bound_is_above_the_margin(
    task: Task, name: str, seed: int, level: float, margin: float
) -> None:
    found = some(task, name, seed, rows=30)
    p = found.p_value(margin)
    if abs(p - level) > 1e-6 * level and abs(found.lower(level) - margin) > 1e-9:
        assert (p < level) == (found.lower(level) > margin)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_bounds_grow_with_the_level(task: Task, name: str) -> None:
    found = some(task, name)
    levels = [*np.geomspace(1e-9, 0.5, 200), *np.linspace(0.5, 1, 50)[1:-1]]
    bounds = [found.lower(level) for level in levels]
    assert bounds == sorted(bounds)
    assert (found.lower(0), found.lower(1)) == (-math.inf, math.inf)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_a_difference_comes_back_from_json_with_the_same_bounds(task: Task, name: str) -> None:
    rows, weight = (
        CASES[task](np.random.default_rng(0), 120)[:3],
        np.random.default_rng(1).integers(0, 3, 120),
    )
    found = compare(MEASURES[task][name], *rows, weight=weight, draws=400, seed=(3, 14))
    text = json.dumps(found.to_json(), allow_nan=False)
    again = Difference.from_json({**json.loads(text), "added later": 1})
    assert again == found
    assert [again.lower(level) for level in LEVELS] == [found.lower(level) for level in LEVELS]
    assert len(text) < 5000
    assert (found.draws, found.seed, found.method) == (400, (3, 14), "bootstrap")


def test_rows_in_another_order_have_the_same_gain_and_error() -> None:
    target, ours, theirs, _ = simulated.two_classes(np.random.default_rng(0), 300)
    order = np.random.default_rng(1).permutation(300)
    for name in ("auc", "accuracy"):
        measure = measure_of(name, "binary")
        found = compare(measure, target, ours, theirs)
        other = compare(measure, target[order], ours[order], theirs[order])
        assert (found.gain, found.error, found.lower(0.01)) == pytest.approx(
            (other.gain, other.error, other.lower(0.01))
        )
    drawn = compare(LOSS, target, ours, theirs)
    other = compare(LOSS, target[order], ours[order], theirs[order])
    assert other.gain == pytest.approx(drawn.gain)
    assert other.error == pytest.approx(drawn.error, rel=0.1)  # by other draws


def test_the_same_seed_gives_the_same_draws_and_another_one_others() -> None:
    target, ours, theirs, _ = simulated.two_classes(np.random.default_rng(0), 100)
    one, two, three = (compare(LOSS, target, ours, theirs, seed=seed) for seed in (1, (1,), (1, 2)))
    assert one == two
    assert one == compare(LOSS, target, ours, theirs, seed=np.int64(1))
    with pytest.raises(InvalidValueError, match="the seed is -1; it must be 0 or more"):
        compare(LOSS, target, ours, theirs, seed=-1)
    assert one.quantiles != three.quantiles


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_a_model_is_no_better_than_itself(task: Task, name: str) -> None:
    target, ours, *_ = CASES[task](np.random.default_rng(0), 50)
    found = compare(MEASURES[task][name], target, ours, ours.copy())
    assert (found.method, found.gain, found.error, found.interval()) == ("identical", 0, 0, (0, 0))
    assert (found.p_value(), found.p_value(-0.01)) == (1, 0)


def test_rows_without_weight_are_not_there_and_equal_weights_are_none() -> None:
    target, ours, theirs, _ = simulated.two_classes(np.random.default_rng(0), 200)
    weight = np.where(np.arange(200) < 150, 2.0, 0.0)
    found = compare(AUC, target, ours, theirs, weight=weight)
    assert found == compare(AUC, target[:150], ours[:150], theirs[:150])
    assert (found.method, found.rows) == ("delong", 150)


def test_a_weight_counts_in_the_value_but_makes_no_more_rows() -> None:
    target, ours, theirs, _ = simulated.two_classes(np.random.default_rng(0), 400)
    weight = np.where(np.arange(400) % 2, 3.0, 1.0)
    weighted = compare(LOSS, target, ours, theirs, weight=weight)
    repeated = compare(LOSS, *(np.repeat(each, weight.astype(int)) for each in (target, ours, theirs)))
    assert weighted.gain == pytest.approx(repeated.gain)
    assert weighted.error > 1.2 * repeated.error
    assert compare(LOSS, target, ours, theirs, weight=1000 * weight).error == pytest.approx(weighted.error)


@pytest.mark.parametrize("name", ["log_loss", "auc", "accuracy", "f1"])
def test_rows_of_a_cluster_are_drawn_together(name: str) -> None:
    target, ours, theirs, cluster = simulated.clusters(np.random.default_rng(0), 1000)
    measure = measure_of(name, "binary")
    rows, drawn = (compare(measure, target, ours, theirs, cluster=each) for each in (None, cluster))
    assert (rows.clusters, drawn.clusters, drawn.method, drawn.units) == (None, 100, "bootstrap", 100)
    assert drawn.error > 1.15 * rows.error
    named = compare(
        measure, target, ours, theirs, cluster=np.array([f"user {each}" for each in cluster], object)
    )
    assert named.error == pytest.approx(drawn.error, rel=0.15)


def test_a_cluster_that_holds_most_rows_leaves_little_known() -> None:
    target, ours, theirs, _ = simulated.two_classes(np.random.default_rng(0), 1000)
    even, uneven = np.arange(1000) // 10, np.minimum(np.arange(1000), 100)
    for name in ("log_loss", "f1", "auc", "calibration_error"):
        measure = measure_of(name, "binary")
        plenty, little = (
            compare(measure, target, ours, theirs, cluster=each).freedom for each in (even, uneven)
        )
        assert plenty is not None
        assert little is not None
        assert plenty > 10
        assert little < min(6, plenty / 3)


def test_clusters_of_one_row_each_are_rows() -> None:
    target, ours, theirs, _ = simulated.two_classes(np.random.default_rng(0), 150)
    assert (
        compare(LOSS, target, ours, theirs, cluster=range(150)).quantiles
        == compare(LOSS, target, ours, theirs).quantiles
    )


def test_one_cluster_of_all_rows_has_no_bound() -> None:
    target, ours, theirs, _ = simulated.two_classes(np.random.default_rng(0), 150)
    for name in ("auc", "log_loss", "accuracy"):
        found = compare(measure_of(name, "binary"), target, ours, theirs, cluster=["same"] * 150)
        assert (found.error, found.note) == (math.inf, "there is one cluster of rows")
        assert found.p_value() == 1
        assert found.lower(0.4) == (-math.inf if name == "log_loss" else -1)
        assert found.to_json()["error"] is None
        assert Difference.from_json(found.to_json()) == found


def test_a_shift_of_all_chances_is_not_taken_for_a_gain_that_is_sure() -> None:
    target, ours, theirs, _ = simulated.shifted(np.random.default_rng(0), 400)
    found = compare(LOSS, target, ours, theirs)
    gains = np.log(np.where(target, ours / theirs, (1 - ours) / (1 - theirs)))
    assert found.error == pytest.approx(gains.std(ddof=1) / 20, rel=0.05)
    within = math.sqrt(sum(gains[target == code].var() * (target == code).sum() for code in (0, 1))) / 400
    assert found.error > 3 * within  # what draws within classes would say


def test_models_on_draws_of_their_own_are_less_sure() -> None:
    target, ours, theirs, _ = simulated.two_classes(np.random.default_rng(0), 400)
    for name in ("auc", "log_loss", "accuracy"):
        paired, apart = (
            compare(measure_of(name, "binary"), target, ours, theirs, paired=each) for each in (True, False)
        )
        assert apart.gain == pytest.approx(paired.gain)
        assert apart.error > 1.2 * paired.error


def test_a_measure_that_many_draws_leave_undefined_has_no_bound() -> None:
    target = np.repeat([0, 1], [200, 2])
    ours, theirs = np.random.default_rng(0).random((2, 202))
    found = compare(measure_of("average_precision", "binary"), target, ours, theirs)
    assert found.undefined > 200
    assert (found.error, found.lower(0.3)) == (math.inf, -1)
    assert found.note == f"it is not defined in {found.undefined} of 2000 draws of the rows"
    few = compare(
        measure_of("average_precision", "binary"),
        np.repeat([0, 1], [200, 5]),
        *np.random.default_rng(0).random((2, 205)),
    )
    assert 0 < few.undefined < 100
    assert math.isfinite(few.error)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("task", "name"), EVERY)
def test_few_rows_promote_nothing(task: Task, name: str, rows: int) -> None:
    measure = MEASURES[task][name]
    for seed in range(20):
        target, ours, theirs, _ = CASES[task](np.random.default_rng(seed), rows)
        if not math.isfinite(measure.value(target, ours, None)):
            with pytest.raises(InvalidValueError, match="is not defined on these"):
                compare(measure, target, ours, theirs)
            continue
        found = compare(measure, target, ours, theirs, draws=200)
        assert not found.lower(0.001) > 0
        assert found.p_value() >= 0.001


@pytest.mark.parametrize(
    ("name", "target", "ours", "sentence"),
    [
        ("auc", [1, 1, 1], [0.1, 0.2, 0.3], "auc of the challenger is not defined on these 3 rows"),
        ("auc", [0, 1], [0.1, math.nan], "the challenger predicts no finite number for 1 of 2 rows"),
        ("auc", [0, 1], [0.1], "the challenger predicts 1 rows, and there are 2 targets"),
        ("auc", [], [], "there are no rows"),
        ("auc", [0, 2], [0.1, 0.2], "the targets of 2 classes must be codes from 0 to 1"),
        ("auc", [0, 0.5], [0.1, 0.2], "the targets of 2 classes must be codes from 0 to 1"),
        ("auc", ["a", "b"], [0.1, 0.2], "the target must be one number for each row"),
        ("auc", [0, 1], ["0.1", "b"], "the predictions of the challenger must be numbers"),
        ("auc", [0, math.nan], [0.1, 0.2], "1 targets are not finite"),
        (
            "log_loss",
            [0, 1],
            [-3.0, 2.0],
            "log_loss needs probabilities, and the challenger predicts from -3 to 2",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(name: str, target: Any, ours: Any, sentence: str) -> None:
    theirs = np.full(len(target), 0.5)
    with pytest.raises(InvalidValueError, match=sentence):
        compare(measure_of(name, "binary"), target, ours, theirs)


def test_weights_clusters_and_classes_that_do_not_fit_are_refused() -> None:
    target, ours, theirs = [0, 1, 1], [0.1, 0.4, 0.5], [0.3, 0.2, 0.6]
    with pytest.raises(InvalidValueError, match="all rows have a weight of 0"):
        compare(LOSS, target, ours, theirs, weight=[0, 0, 0])
    with pytest.raises(InvalidValueError, match="a weight is negative or not finite"):
        compare(LOSS, target, ours, theirs, weight=[1, -1, 0])
    with pytest.raises(InvalidValueError, match="2 weights for 3 rows"):
        compare(LOSS, target, ours, theirs, weight=[1, 1])
    with pytest.raises(InvalidValueError, match="2 values of the cluster column for 3 rows"):
        compare(LOSS, target, ours, theirs, cluster=["a", "b"])
    with pytest.raises(InvalidValueError, match="draws is 1"):
        compare(LOSS, target, ours, theirs, draws=1)
    chances = np.full((3, 3), 1 / 3)
    with pytest.raises(InvalidValueError, match="predicts 3 classes and the champion 2"):
        compare(measure_of("log_loss", "multiclass"), target, chances, chances[:, :2])


def test_a_function_of_the_user_is_compared_like_any_other() -> None:
    target, ours, theirs, _ = simulated.numbers(np.random.default_rng(0), 200)

    def median_error(target: Any, predictions: Any) -> Any:
        return np.median(np.abs(target - predictions))

    found = compare(own_measure("median_error", None, median_error), target, ours, theirs, draws=300)
    assert (found.mode, found.method) == ("min", "bootstrap")
    assert found.gain == pytest.approx(found.champion - found.challenger)
    assert found.lower(0.05) < found.gain < found.upper(0.05)
    own = own_measure(
        "own",
        "min",
        lambda target, predictions, weight=None: np.average(abs(target - predictions), weights=weight),
    )
    known = compare(measure_of("mae", "regression"), target, ours, theirs, draws=300)
    assert compare(own, target, ours, theirs, draws=300).quantiles == known.quantiles


def test_a_draw_without_a_finite_value_counts_as_undefined() -> None:
    target, ours, theirs, _ = simulated.numbers(np.random.default_rng(0), 50)

    def of_the_first_row(target: Any, predictions: Any, weight: Any = None) -> float:
        is_there = target[0] == first and (weight is None or len(weight))
        return float(np.mean(predictions)) if is_there else math.inf

    first = target[0]
    found = compare(own_measure("odd", "max", of_the_first_row), target, ours, theirs)
    assert found.undefined == pytest.approx(2000 * (1 - 1 / 50) ** 50, rel=0.1)
    assert (found.error, found.p_value()) == (math.inf, 1)


def test_threshold_of_its_own_is_given_as_labels() -> None:
    target, ours, theirs, _ = simulated.two_classes(np.random.default_rng(0), 300)
    found = compare(measure_of("f1", "binary"), target, (ours > 0.3).astype(int), (theirs > 0.4).astype(int))
    assert found.challenger == pytest.approx(
        measure_of("f1", "binary").value(target, np.where(ours > 0.3, 1.0, 0.0), None)
    )


def test_times_are_compared_by_a_quantile_in_shares_of_the_champions() -> None:
    stream = np.random.default_rng(0)
    theirs = stream.gamma(5, 0.001, 2000)
    found = compare_timings(0.8 * theirs, theirs)
    assert (found.measure, found.mode, found.method, found.rows) == ("latency_p95", "min", "bootstrap", 2000)
    assert found.challenger == pytest.approx(np.quantile(0.8 * theirs, 0.95))
    assert found.gain == pytest.approx(0.2)
    low, high = compare_timings(stream.gamma(5, 0.001, 2000), theirs).interval()
    assert low < 0 < high
    seconds = compare_timings(stream.gamma(5, 0.0008, 2000), theirs, relative=False, quantile=0.5)
    assert seconds.lower(0.001) > 0
    assert seconds.measure == "latency_p50"


@pytest.mark.parametrize("relative", [False, True])
def test_times_that_a_clock_does_not_tell_apart_are_as_good_as_equal(*, relative: bool) -> None:
    found = compare_timings(np.full(1000, 321e-9), np.full(1000, 321e-9), relative=relative)
    assert found.gain == 0
    assert found.p_value() > 0.4
    assert found.p_value(-0.1) < 0.001  # 0.1 s slower, or a tenth


def test_few_times_are_no_proof_and_wrong_ones_are_refused() -> None:
    assert not compare_timings([0.001, 0.0011, 0.0012], [0.002, 0.0021, 0.0022]).lower(0.0076) > 0
    with pytest.raises(InvalidValueError, match="as many of both are needed, at least 2"):
        compare_timings([1.0, 2.0], [1.0])
    with pytest.raises(InvalidValueError, match="not a positive number"):
        compare_timings([1.0, 0.0], [1.0, 2.0])


def test_sizes_are_known_without_error() -> None:
    found = compare_exact("size", 150, 100, mode="min", relative=True)
    assert (found.gain, found.lower(0.001), found.p_value(-0.4), found.p_value(-0.6)) == (-0.5, -0.5, 1, 0)
    assert compare_exact("size", 150, 100, mode="min").gain == -50
    assert Difference.from_json(json.loads(json.dumps(found.to_json()))) == found
    with pytest.raises(InvalidValueError, match=r"size is 1\.0 and 0\.0"):
        compare_exact("size", 1.0, 0.0, mode="min", relative=True)
