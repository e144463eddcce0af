"""The curves of a metric, also of histories with few, non-finite or extreme values."""

import math
import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import InvalidValueError, TrackingError
from tracking.objective import Direction, Objective
from tracking.plots import Along, Curve, Look, curve_of, draw_curves

AUC = Objective.of("val_auc")
START = datetime.fromisoformat("2024-11-15T10:00:00+01:00")


def points(*values: float, stepped: bool = True, seconds: float = 60) -> list[dict[str, Any]]:
    return [
        {
            "step": step if stepped else None,
            "value": value,
            "timestamp": datetime.fromtimestamp(START.timestamp() + step * seconds).astimezone().isoformat(),
        }
        for step, value in enumerate(values)
    ]


def curves(count: int) -> list[Curve]:
    return [curve_of(f"run_{n:03d}", points(0.5, 0.6 + n / 100, 0.55)) for n in range(1, count + 1)]


def legend_of(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def drawn(figure: Any, what: str = "line") -> dict[str, Any]:
    return {
        line.get_gid().partition(" ")[2]: line
        for line in figure.axes[0].get_lines()
        if (line.get_gid() or "").startswith(what)
    }


def test_the_legend_names_each_run_with_its_best_point() -> None:
    figure = draw_curves(
        AUC,
        [curve_of("run_001", points(0.7, 0.8, 0.75)), curve_of("run_002", points(0.6, 0.5))],
        Look("ctr_model: val_auc"),
    )
    assert legend_of(figure) == ["run_001  (best 0.8 at 1)", "run_002  (best 0.6 at 0)"]
    assert [text.get_text() for text in figure.texts] == [
        "ctr_model: val_auc",
        "2 runs · highest point marked",
    ]
    assert list(drawn(figure)) == ["run_001", "run_002"]
    assert [drawn(figure, "best")[name].get_xydata().tolist() for name in ("run_001", "run_002")] == [
        [[1, 0.8]],
        [[0, 0.6]],
    ]


def test_the_best_of_a_loss_is_its_lowest_unless_a_mode_is_given() -> None:
    curve = curve_of("run_001", points(0.7, 0.3, 0.5, 0.3))
    loss = draw_curves(Objective.of("val_loss"), [curve], Look("x"))
    assert legend_of(loss) == ["run_001  (best 0.3 at 1)"]
    assert loss.axes[0].get_ylabel() == "val_loss"
    highest = draw_curves(Objective.of("val_loss", Direction.MAX), [curve], Look("x"))
    assert legend_of(highest) == ["run_001  (best 0.7 at 0)"]


def test_a_metric_that_is_never_finite_says_so_instead_of_showing_a_scale() -> None:
    figure = draw_curves(AUC, [curve_of("run_001", points(math.nan, math.inf))], Look("x"))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["no finite value"]
    assert list(axes.get_xticks()) == list(axes.get_yticks()) == []
    assert legend_of(figure) == ["run_001  (no finite value)"]


def test_values_that_are_not_finite_are_gaps() -> None:
    curve = curve_of("run_001", points(0.1, math.nan, 0.3, -math.inf, 0.2))
    y = drawn(draw_curves(AUC, [curve], Look("x")))["run_001"].get_ydata()
    assert [math.isnan(value) for value in y] == [False, True, False, True, False]


@pytest.mark.parametrize("stepped", [True, False])
def test_a_single_point_has_one_tick_where_it_is(stepped: bool) -> None:
    some = [
        curve_of("run_001", points(0.8, stepped=stepped)),
        curve_of("run_002", points(0.7, stepped=stepped)),
    ]
    (axes,) = draw_curves(AUC, some, Look("x")).axes
    assert list(axes.get_xticks()) == [0]
    assert not list(axes.texts)
    assert axes.get_xlabel() == ("step" if stepped else "point")


def test_points_without_a_step_come_after_those_that_have_one() -> None:
    mixed = [{"step": 5, "value": 0.1, "timestamp": ""}, *points(0.2, 0.3, stepped=False)]
    assert list(curve_of("run_001", mixed).x) == [5, 6, 7]


def test_fifty_runs_have_the_best_five_named_and_a_colour_scale() -> None:
    figure = draw_curves(AUC, curves(50), Look("x"))
    assert legend_of(figure) == [
        f"{rank}  run_{51 - rank:03d}  (best {1.11 - rank / 100:.4g} at 1)" for rank in range(1, 6)
    ]
    assert figure.axes[0].get_legend().get_title().get_text() == "best of 50 runs"
    lines = drawn(figure)
    assert len(lines) == 50
    assert [name for name, line in lines.items() if line.get_linewidth() > 1.5] == [
        f"run_{n:03d}" for n in range(46, 51)
    ]
    assert len({line.get_color() for line in lines.values()}) == 50
    assert [text.get_text() for text in figure.axes[0].texts] == ["5", "4", "3", "2", "1"]
    (bar,) = figure.axes[0].child_axes
    assert bar.get_ylabel() == "best val_auc"


def test_only_the_best_are_coloured_when_their_number_is_given() -> None:
    figure = draw_curves(AUC, curves(12), Look("x", best=2))
    colours = [line.get_color() for line in drawn(figure).values()]
    assert len(set(colours[:10])) == 1
    assert len(set(colours)) == 3
    assert legend_of(figure) == [
        "1  run_012  (best 0.72 at 1)",
        "2  run_011  (best 0.71 at 1)",
        "10 other runs",
    ]
    assert not figure.axes[0].child_axes


def test_one_exploded_run_does_not_use_up_the_colours_of_the_others() -> None:
    losses = [curve_of(f"run_{n}", points(1 + n / 100)) for n in range(12)]
    figure = draw_curves(Objective.of("loss"), [*losses, curve_of("bad", points(1e9))], Look("x"))
    colours = {name: line.get_color() for name, line in drawn(figure).items()}
    assert len(set(colours.values())) == 13


def test_an_exploded_run_does_not_flatten_the_others() -> None:
    falling = [1 / (1 + step) for step in range(30)]
    sound = [curve_of(f"run_{n}", points(*[value + n / 50 for value in falling])) for n in range(20)]
    exploded = curve_of("bad", points(*falling[:25], *[10.0**power for power in range(2, 7)]))
    figure = draw_curves(Objective.of("loss"), [*sound, exploded], Look("x"))
    low, high = figure.axes[0].get_ylim()
    assert -1 < low < 0.05
    assert 0.9 < high < 10
    assert figure.texts[1].get_text().endswith("5 values beyond the y axis")
    whole = draw_curves(Objective.of("loss"), sound, Look("x"))
    assert whole.axes[0].get_ylim()[1] > 1.38
    assert "beyond" not in whole.texts[1].get_text()
    by_log = draw_curves(Objective.of("loss"), [*sound, exploded], Look("x", log_y=True))
    assert by_log.axes[0].get_ylim()[1] >= 1e5


def test_a_short_history_that_explodes_does_not_flatten_the_others() -> None:
    some = [curve_of(f"run_{n}", points(1.0 + n / 10, 0.8, 0.6, 0.5, 0.45)) for n in range(3)]
    figure = draw_curves(Objective.of("loss"), [*some, curve_of("bad", points(1.1, 0.9, 1e9))], Look("x"))
    assert 1.1 < figure.axes[0].get_ylim()[1] < 2
    assert figure.texts[1].get_text().endswith("1 value beyond the y axis")


def test_exploded_values_are_cut_and_a_fast_start_is_not() -> None:
    settled = [2.3, 1.1, 0.5, *(0.1 + step % 3 / 1000 for step in range(200))]
    some = [curve_of(f"run_{n}", points(*settled)) for n in range(4)]
    whole = draw_curves(Objective.of("loss"), some, Look("x"))
    assert "beyond" not in whole.texts[1].get_text()
    cut = draw_curves(Objective.of("loss"), [*some, curve_of("bad", points(*settled, 1e6))], Look("x"))
    assert 2.3 < cut.axes[0].get_ylim()[1] < 3
    assert cut.texts[1].get_text().endswith("1 value beyond the y axis")


def test_values_beyond_every_axis_are_gaps_and_counted() -> None:
    some = [
        curve_of(f"run_{n}", points(0.5, 1.0 * 10.0**exponent, -(10.0**exponent)))
        for n, exponent in enumerate([308, 249, 2, *range(9)])
    ]
    for log in (False, True):
        figure = draw_curves(Objective.of("loss", Direction.MAX), some, Look("x", log_y=log))
        figure.draw_without_rendering()
        assert f"{13 if log else 2} points without a place" in figure.texts[1].get_text()
        assert legend_of(figure)[0] == "1  run_0  (best 1e308 at 1)"


def test_more_lines_than_colours_differ_in_their_dashes() -> None:
    lines = drawn(draw_curves(AUC, curves(30), Look("x", best=20)))
    looks = {(line.get_color(), line.get_linestyle()) for line in lines.values()}
    assert len(looks) == 21


def test_colours_are_even_by_logarithm_on_a_logarithmic_axis() -> None:
    losses = [curve_of(f"run_{n}", points(10.0**n)) for n in range(10)]
    figure = draw_curves(Objective.of("loss"), losses, Look("x", log_y=True))
    assert len({line.get_color() for line in drawn(figure).values()}) == 10
    (bar,) = figure.axes[0].child_axes
    assert bar.get_yscale() == "log"


@pytest.mark.parametrize("best", [0, -1])
def test_a_number_of_best_runs_below_one_is_refused(best: int) -> None:
    with pytest.raises(InvalidValueError, match=f"best runs to colour is {best}; it must be 1 or more"):
        draw_curves(AUC, curves(2), Look("x", best=best))


def test_smoothing_draws_the_average_over_the_pale_raw_curve_and_marks_the_raw_best() -> None:
    figure = draw_curves(AUC, [curve_of("run_001", points(0.5, 0.9, 0.5))], Look("x", smooth=0.5))
    raw, smooth = figure.axes[0].get_lines()[:2]
    assert raw.get_alpha() < 0.5
    assert list(raw.get_ydata()) == [0.5, 0.9, 0.5]
    assert smooth.get_ydata() == pytest.approx([0.5, (0.25 + 0.9) / 1.5, (0.125 + 0.45 + 0.5) / 1.75])
    assert legend_of(figure) == ["run_001  (best 0.9 at 1)"]
    assert "smoothed 0.5" in figure.texts[1].get_text()


@pytest.mark.parametrize("weight", [-0.1, 1, 1.5, math.nan])
def test_a_smoothing_outside_its_range_is_refused(weight: float) -> None:
    with pytest.raises(InvalidValueError, match="is not in 0 <= smoothing < 1"):
        curves(1)[0].smoothed(weight)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 0.999))
def test_a_smoothed_value_is_the_weighted_mean_of_those_before_it(values: list[float], weight: float) -> None:
    smooth = Curve("x", range(len(values)), values).smoothed(weight).y
    for last in range(len(values)):
        weights = [weight ** (last - index) for index in range(last + 1)]
        mean = sum(w * value for w, value in zip(weights, values, strict=False)) / sum(weights)
        assert smooth[last] == pytest.approx(mean, rel=1e-6, abs=1e-3)


def test_a_gap_counts_for_nothing_in_the_average() -> None:
    smooth = Curve("x", range(3), [1.0, math.nan, 2.0]).smoothed(0.5).y
    assert math.isnan(smooth[1])
    assert [smooth[0], smooth[2]] == pytest.approx([1, (0.5 + 2) / 1.5])


def envelope(x: Sequence[float], y: Sequence[float], columns: int, low: float, high: float) -> dict[int, Any]:
    found: dict[int, list[float]] = {}
    for where, value in zip(x, y, strict=True):
        if not math.isnan(value):
            found.setdefault(int((where - low) * columns / (high - low)), []).append(value)
    return {column: (values[0], min(values), max(values), values[-1]) for column, values in found.items()}


@given(st.lists(st.floats(-100, 100) | st.just(math.nan), min_size=100, max_size=300))
def test_thinning_keeps_first_lowest_highest_and_last_of_every_column(values: list[float]) -> None:
    curve = Curve("x", range(len(values)), values)
    thin = curve.thinned(10)
    assert len(thin.x) < len(values) or len(values) <= 60
    full, kept = (envelope(each.x, each.y, 10, 0, len(values) - 1) for each in (curve, thin))
    assert full.keys() == kept.keys()
    assert [each[1:3] for each in full.values()] == [each[1:3] for each in kept.values()]


def test_a_spike_among_a_hundred_thousand_points_stays() -> None:
    noise = random.Random(1)
    values = [noise.random() for _ in range(100_000)]
    values[54_321] = 99.0
    values[70_000:80_000] = [math.nan] * 10_000
    line = drawn(draw_curves(AUC, [curve_of("run_001", points(*values, seconds=0))], Look("x")))["run_001"]
    x, y = list(line.get_xdata()), list(line.get_ydata())
    assert len(x) < 5000
    assert y[x.index(54_321)] == 99.0
    assert any(math.isnan(value) for value in y)
    assert not any(
        70_000 < where < 80_000 and not math.isnan(value) for where, value in zip(x, y, strict=True)
    )


def test_logarithmic_axes_leave_out_what_they_cannot_show() -> None:
    figure = draw_curves(
        AUC, [curve_of("run_001", points(1, -2, 100, 1000))], Look("x", log_x=True, log_y=True)
    )
    (axes,) = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    y = list(drawn(figure)["run_001"].get_ydata())
    assert [math.isnan(value) for value in y] == [True, True, False, False]
    with pytest.raises(
        TrackingError, match="no point of 'val_auc' has a place on the axes: above 0 on a logarithmic one"
    ):
        draw_curves(AUC, [curve_of("run_001", points(-1, 0))], Look("x", log_y=True))


def test_the_best_point_counts_even_if_the_axis_cannot_show_it() -> None:
    figure = draw_curves(
        Objective.of("loss"), [curve_of("run_001", points(3, 0.5, 0, 2))], Look("x", log_y=True)
    )
    assert legend_of(figure) == ["run_001  (best 0 at 2)"]
    assert drawn(figure, "best") == {}
    assert figure.texts[1].get_text() == "1 run · lowest point marked · 1 point without a place on the axes"
    first = draw_curves(AUC, [curve_of("run_001", points(0.9, 0.5, 0.6))], Look("x", log_x=True))
    assert legend_of(first) == ["run_001  (best 0.9 at 0)"]


@pytest.mark.parametrize(
    ("seconds", "unit", "end"), [(10, "s", 20), (120, "min", 4), (7_200, "h", 4), (86_400, "days", 2)]
)
def test_time_is_in_the_unit_that_suits_the_longest_curve(seconds: float, unit: str, end: float) -> None:
    curve = curve_of("run_001", points(0.1, 0.2, 0.3, seconds=seconds), Along.TIME, START)
    figure = draw_curves(AUC, [curve], Look("x"), by_time=True)
    assert figure.axes[0].get_xlabel() == f"time since the run's start ({unit})"
    assert drawn(figure)["run_001"].get_xdata()[-1] == pytest.approx(end)
    assert legend_of(figure) == [f"run_001  (best 0.3 at {end} {unit})"]


def test_a_point_without_a_time_cannot_be_drawn_by_time() -> None:
    with pytest.raises(
        TrackingError, match="run_001 has a point whose timestamp '' is not a time; draw it by step"
    ):
        curve_of("run_001", [{"step": 0, "value": 1.0, "timestamp": ""}], Along.TIME, START)
    with pytest.raises(InvalidValueError, match="needs the start of its run"):
        curve_of("run_001", points(1.0), Along.TIME)


def test_steps_at_ticks_are_short() -> None:
    (axes,) = draw_curves(AUC, [Curve("run_001", [0, 2_000_000], [0.1, 0.2])], Look("x")).axes
    assert [axes.xaxis.get_major_formatter()(value, 0) for value in (500, 20_000, 1_500_000, 2e9)] == [
        "500",
        "20k",
        "1.5M",
        "2G",
    ]
