"""Runs that differ only in the seed are one line: their groups, their mean and their deviation."""

import math
import statistics
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker
from tracking.errors import TrackingError
from tracking.objective import Objective
from tracking.plots import Curve, Look, draw_bands, seed_groups
from tracking.records import RunRecord

AUC = Objective.of("val_auc")


@pytest.fixture
def record(tmp_path: Path) -> Any:
    tracker = ExperimentTracker(tmp_path / "store")

    def make(**params: Any) -> RunRecord:
        with tracker.start_run("x", params=params) as run:
            pass
        found = tracker.record(run.run_id)
        assert found
        return found

    return make


def members(groups: dict[str, list[RunRecord]]) -> dict[str, list[str]]:
    return {label: [run.run_id for run in runs] for label, runs in groups.items()}


def test_runs_equal_but_for_the_seed_belong_together_and_are_named_by_what_differs(record: Any) -> None:
    runs = [
        record(lr=0.1, seed=1, size=8, data_seed=1),
        record(lr=0.1, seed=2, size=8, data_seed=2),
        record(lr=0.01, seed=1, size=8, **{"data.seed": 5}),
    ]
    assert members(seed_groups(runs)) == {"lr=0.1": ["run_001", "run_002"], "lr=0.01": ["run_003"]}


def test_seeds_alone_are_one_group(record: Any) -> None:
    assert members(seed_groups([record(seed=1, lr=1), record(seed=2, lr=1)])) == {
        "all runs": ["run_001", "run_002"]
    }


def test_a_seed_inside_a_parameter_is_left_aside_too(record: Any) -> None:
    runs = [
        record(data={"seed": 1, "name": "a"}),
        record(data={"seed": 2, "name": "a"}),
        record(data={"name": "b"}),
    ]
    assert members(seed_groups(runs)) == {
        'data={"name": "a"}': ["run_001", "run_002"],
        'data={"name": "b"}': ["run_003"],
    }


def test_a_name_that_only_contains_seed_is_no_seed(record: Any) -> None:
    assert len(seed_groups([record(seeds=1), record(seeds=2), record(linseed=1)])) == 3


def test_values_that_are_written_the_same_are_separate_groups(record: Any) -> None:
    assert members(seed_groups([record(a=1), record(a="1")])) == {"a=1": ["run_001"], "a=1'": ["run_002"]}


def band_of(*curves: Curve, **options: Any) -> Any:
    (axes,) = draw_bands(AUC, {"lr=0.1": curves}, Look("x", **options)).axes
    return axes


def line_of(axes: Any) -> tuple[list[float], list[float]]:
    (line,) = [line for line in axes.get_lines() if (line.get_gid() or "").startswith("line")]
    return list(line.get_xdata()), list(line.get_ydata())


def test_the_line_is_the_mean_and_the_band_one_sample_deviation() -> None:
    axes = band_of(
        Curve("a", [0, 1], [0.1, 0.4]), Curve("b", [0, 1], [0.3, 0.5]), Curve("c", [0, 1], [0.2, 0.9])
    )
    assert line_of(axes)[1] == pytest.approx([0.2, 0.6])
    (band,) = axes.collections
    edges = {(round(x), round(y, 6)) for x, y in band.get_paths()[0].vertices.tolist()}
    first, last = statistics.stdev([0.1, 0.3, 0.2]), statistics.stdev([0.4, 0.5, 0.9])
    assert edges == {
        (0, round(0.2 - first, 6)),
        (0, round(0.2 + first, 6)),
        (1, round(0.6 - last, 6)),
        (1, round(0.6 + last, 6)),
    }
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["lr=0.1  (best 0.6 at 1, n=3)"]


def test_one_run_has_a_line_without_a_band() -> None:
    axes = band_of(Curve("a", [0, 1], [0.1, 0.4]))
    assert line_of(axes)[1] == [0.1, 0.4]
    assert [path for band in axes.collections for path in band.get_paths() if len(path.vertices)] == []


def test_steps_that_a_run_lacks_are_interpolated_but_not_beyond_its_ends_nor_across_a_gap() -> None:
    x, y = line_of(
        band_of(
            Curve("a", [0, 2, 4], [0.0, 2.0, 4.0]),
            Curve("b", [1, 3, 4, 6], [1.0, math.nan, 4.0, 6.0]),
        )
    )
    assert x == [0, 1, 2, 3, 4, 6]
    # a alone at 0, 2 and 3 (half of the two runs), both at 1 and 4, b alone at 6
    assert y == pytest.approx([0, 1, 2, 3, 4, 6])


def test_a_step_that_less_than_half_of_the_runs_reach_is_not_drawn() -> None:
    short = [Curve(name, [0, 1], [0.5, 0.5]) for name in "abc"]
    x, y = line_of(band_of(*short, Curve("d", [0, 1, 2], [0.5, 0.5, 9.0])))
    assert x[2] == 2
    assert math.isnan(y[2])


def test_the_last_value_of_a_step_that_was_logged_twice_counts() -> None:
    assert line_of(band_of(Curve("a", [0, 1, 1], [0.0, 0.3, 0.7])))[1] == [0.0, 0.7]


def test_long_histories_are_averaged_at_a_thousand_steps_with_both_ends() -> None:
    steps = range(30_000)
    x, y = line_of(
        band_of(Curve("a", steps, list(map(float, steps))), Curve("b", steps, list(map(float, steps))))
    )
    assert (len(x), x[0], x[-1]) == (1000, 0, 29_999)
    assert y == pytest.approx(x)


def test_smoothing_comes_before_the_mean() -> None:
    _, y = line_of(band_of(Curve("a", [0, 1], [0.0, 1.0]), Curve("b", [0, 1], [0.0, 2.0]), smooth=0.5))
    assert y[1] == pytest.approx((0.5 / 0.75 + 1.0 / 0.75) / 2)


def test_a_band_on_a_logarithmic_axis_stays_above_zero() -> None:
    axes = band_of(Curve("a", [0, 1], [0.01, 0.01]), Curve("b", [0, 1], [10.0, 10.0]), log_y=True)
    assert axes.get_yscale() == "log"
    assert min(y for _, y in axes.collections[0].get_paths()[0].vertices.tolist()) == 0.01
    with pytest.raises(TrackingError, match="above 0"):
        band_of(Curve("a", [0, 1], [-1.0, 0.0]), log_y=True)


def test_the_best_point_of_the_mean_counts_even_if_the_axis_cannot_show_it() -> None:
    curves = [Curve("a", [0, 1, 2], [3.0, -1.0, 2.0]), Curve("b", [0, 1, 2], [3.0, 0.5, 2.0])]
    figure = draw_bands(Objective.of("loss"), {"lr=1": curves}, Look("x", log_y=True))
    (axes,) = figure.axes
    assert axes.get_legend().get_texts()[0].get_text() == "lr=1  (best -0.25 at 1, n=2)"
    assert line_of(axes)[1] == pytest.approx([3, math.nan, 2], nan_ok=True)
    assert figure.texts[1].get_text().endswith("1 point without a place on the axes")


def test_bands_are_drawn_with_values_beyond_every_axis() -> None:
    curves = [Curve(name, [0, 1, 2], [1.0, 1e308, value]) for name, value in (("a", 9e249), ("b", -9e249))]
    figure = draw_bands(AUC, {"x": curves}, Look("x"))
    figure.draw_without_rendering()
    assert figure.texts[1].get_text().endswith("2 points without a place on the axes")


def test_a_metric_without_a_finite_value_is_refused_and_one_group_has_no_note_on_differences() -> None:
    with pytest.raises(TrackingError, match="no run to draw has a finite value of 'val_auc'"):
        band_of(Curve("a", [0, 1], [math.nan, math.nan]))
    figure = draw_bands(AUC, {"all runs": [Curve("a", [0], [1.0])]}, Look("x"))
    assert figure.texts[1].get_text().startswith("1 run in 1 group · mean")


def test_twenty_groups_have_the_best_five_named() -> None:
    groups = {f"lr={n}": [Curve("a", [0, 1], [0.0, n / 20])] for n in range(20)}
    figure = draw_bands(AUC, groups, Look("x"))
    legend = figure.axes[0].get_legend()
    assert legend.get_title().get_text() == "best of 20 groups"
    assert legend.get_texts()[0].get_text() == "1  lr=19  (best 0.95 at 1, n=1)"
    assert len(legend.get_texts()) == 5
    assert figure.texts[1].get_text().startswith("20 runs in 20 groups")
