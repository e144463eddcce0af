"""Scatter and parallel coordinates: the runs that take part, the scales of the axes, the drawing."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.errors import TrackingError
from tracking.objective import At, Direction, Objective
from tracking.plots import Look, draw_parallel, draw_scatter
from tracking.plots.scales import ScaleKind, rank_correlation, scale_of, text_of
from tracking.records import MetricSummary, RunRecord, RunStatus

AUC = Objective.of("val_auc")


def record(number: int, value: float | None, status: str = "completed", **params: Any) -> RunRecord:
    finite = value is not None and math.isfinite(value)
    extreme = value if finite else None
    summary = {"val_auc": MetricSummary(value, 3, extreme, 1, extreme, 2, 4, 0)} if value is not None else {}
    return RunRecord(
        run_id=f"run_{number:03d}",
        experiment_name="ctr",
        status=RunStatus(status),
        created_at=datetime(2024, 11, 15, tzinfo=UTC),
        finished_at=None,
        tags={},
        description="",
        run_dir=Path("x"),
        params=params,
        summary=summary,
    )


def sweep(count: int) -> list[RunRecord]:
    return [
        record(n, 0.5 + n / 100, lr=10.0 ** -(n % 5), size=2 ** (n % 4), kind="ab"[n % 2], fixed=1)
        for n in range(1, count + 1)
    ]


def sweep_of(metric: str) -> list[RunRecord]:
    return [replace(run, summary={metric: run.summary["val_auc"]}) for run in sweep(8)]


def panels(figure: Any) -> list[Any]:
    return [axes for axes in figure.axes if axes.axison]


def dots(axes: Any, what: str) -> list[list[float]]:
    (found,) = [each for each in axes.collections if (each.get_gid() or "").startswith(what)]
    return found.get_offsets().tolist()


def lines(figure: Any, what: str = "run ") -> dict[str, Any]:
    return {
        line.get_gid().removeprefix(what): line
        for line in figure.axes[0].get_lines()
        if (line.get_gid() or "").startswith(what)
    }


def subtitle(figure: Any) -> str:
    return str(figure.texts[1].get_text())


# the runs that take part


def test_failed_and_non_finite_runs_are_left_out_and_counted() -> None:
    runs = [
        *sweep(3),
        record(7, 0.9, "failed", lr=1),
        record(8, math.nan, lr=1),
        record(9, None, lr=1),
        record(10, 0.2, "killed", lr=1),
    ]
    told = "4 runs; left out: 1 failed, 1 not finite, 1 without val_auc"
    for figure in (draw_scatter(AUC, runs, Look("x")), draw_parallel(AUC, runs, Look("x"))):
        assert subtitle(figure).startswith(told)
    assert list(lines(draw_parallel(AUC, runs, Look("x")))) == ["run_010", "run_001", "run_002", "run_003"]
    with pytest.raises(
        TrackingError, match=r"no run to draw has a finite value of 'val_auc' \(1 not finite\)"
    ):
        draw_scatter(AUC, [record(1, math.nan, lr=1)], Look("x"))


def test_the_last_value_counts_where_it_is_asked_for() -> None:
    run = record(1, 0.5, lr=1)
    run.summary["val_auc"] = MetricSummary(0.6, 9, 0.4, 1, 0.9, 2, 4, 0)
    for objective, expected in (
        (AUC, 0.9),
        (Objective.of("val_auc", Direction.MIN), 0.4),
        (Objective.of("val_auc", at=At.LAST), 0.6),
    ):
        figure = draw_scatter(objective, [run], Look("x"))
        assert dots(panels(figure)[0], "runs") == [[1, expected]]
        assert panels(figure)[0].get_ylabel() == f"val_auc ({objective.at})"


# scales


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1e-4, 0.1], ScaleKind.LOG),
        ([0.01, 1.0], ScaleKind.LINEAR),  # two decades are not more than two
        ([0, 1e-4, 0.1], ScaleKind.LINEAR),
        ([-1, 1e6], ScaleKind.LINEAR),
        ([32, 64, 128], ScaleKind.LOG),
        ([1, 2, 3], ScaleKind.LINEAR),
        ([1, 2], ScaleKind.LINEAR),
        (
            [n / 1000 for n in range(1, 1000)],
            ScaleKind.LINEAR,
        ),  # evenly spread, though the ends are decades apart
        ([10 ** (-n / 100) for n in range(400)], ScaleKind.LOG),
        ([5], ScaleKind.LINEAR),
        ([True, False], ScaleKind.CATEGORY),
        ([1, True], ScaleKind.CATEGORY),
        (["adam", "sgd"], ScaleKind.CATEGORY),
        ([[1, 2], [3]], ScaleKind.CATEGORY),
        ([1, "auto"], ScaleKind.CATEGORY),
        ([None, math.nan], ScaleKind.CATEGORY),
        ([1, None, math.inf, 2], ScaleKind.LINEAR),
        ([10**400, 1, 2], ScaleKind.LINEAR),
    ],
)
def test_the_scale_suits_the_values(values: list[Any], kind: ScaleKind) -> None:
    assert scale_of(values).kind is kind


def test_categories_are_in_natural_order_with_missing_ones_first() -> None:
    values = ["layer10", "layer2", None, 3, 20, [1], True]
    assert scale_of(values).categories == ("none", "3", "20", "[1]", "layer2", "layer10", "true")
    assert scale_of([2, None]).place(None) is None


@given(
    st.lists(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
        min_size=1,
    ),
    st.booleans(),
)
def test_every_value_has_a_place_between_the_ends_or_is_missing(values: list[Any], log: bool) -> None:
    scale = scale_of(values, log=log)
    places = [place for value in values if (place := scale.place(value)) is not None]
    assert all(-1e-9 <= scale.fraction(place) <= 1 + 1e-9 for place in places)
    assert all(-1e-9 <= scale.fraction(place) <= 1 + 1e-9 for place, _ in scale.ticks())
    if scale.kind is ScaleKind.CATEGORY:
        assert len(places) == len(values)


def test_few_values_are_ticks_and_many_have_round_ones_between_the_ends() -> None:
    assert scale_of([64, 32, 128]).ticks() == [(32, "32"), (64, "64"), (128, "128")]
    many = [text for _, text in scale_of([10.0**-n * 2 for n in range(1, 9)] + [0.13]).ticks()]
    assert many == ["2e-8", "1e-7", "1e-6", "1e-5", "0.0001", "0.001", "0.01", "0.1", "0.2"]
    assert [text for _, text in scale_of(range(1, 18)).ticks()] == ["1", "4", "8", "12", "16", "17"]


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(1, 1), (2, 4), (3, 9)], 1.0),
        ([(1, 9), (2, 4), (3, 1)], -1.0),
        ([(1, 1), (2, 3), (3, 2), (4, 4)], 0.8),
        ([(1, 1), (1, 2), (2, 3)], math.sqrt(0.75)),
        ([(1, 1), (1, 2), (1, 3)], None),
        ([(1, 1), (2, 2)], None),
    ],
)
def test_the_rank_correlation_is_spearmans(pairs: list[tuple[float, float]], expected: float | None) -> None:
    assert rank_correlation(pairs) == (None if expected is None else pytest.approx(expected))


# scatter


def test_very_many_runs_are_drawn_fainter() -> None:
    few, many = sweep(50), sweep(2000)
    opacities = [
        panels(draw_scatter(AUC, runs, Look("x"), params=["lr"]))[0].collections[0].get_alpha()
        for runs in (few, many)
    ]
    assert opacities[1] < opacities[0] / 2
    widths = [
        lines(draw_parallel(AUC, runs, Look("x"), params=["lr"]))["run_001"].get_alpha()
        for runs in (few, many[:400])
    ]
    assert widths[1] < widths[0] / 2


def test_scatter_has_a_panel_per_parameter_that_differs_with_scales_and_labels_of_its_own() -> None:
    figure = draw_scatter(AUC, sweep(8), Look("x"))
    lr, size, kind = panels(figure)
    assert [axes.get_xlabel() for axes in (lr, size, kind)] == ["lr", "size", "kind"]
    assert [axes.get_ylabel() for axes in (lr, size, kind)] == ["val_auc (best)", "", ""]
    assert [axes.get_xscale() for axes in (lr, size, kind)] == ["log", "log", "linear"]
    assert [label.get_text() for label in size.get_xticklabels()] == ["1", "2", "4", "8"]
    assert [label.get_text() for label in kind.get_xticklabels()] == ["a", "b"]
    assert len(dots(lr, "runs")) == 8
    assert dots(lr, "best") == [[10.0**-3, 0.58]]
    assert "rank correlation" in size.get_title("right")
    assert kind.get_title("right") == ""


def test_the_best_are_ringed_in_every_panel() -> None:
    for axes in panels(draw_scatter(AUC, sweep(8), Look("x", best=3))):
        assert sorted(value for _, value in dots(axes, "best")) == pytest.approx([0.56, 0.57, 0.58])


def test_categories_are_jittered_the_same_way_every_time_within_their_place() -> None:
    first, second = (
        dots(panels(draw_scatter(AUC, sweep(40), Look("x"), params=["kind"]))[0], "runs") for _ in "12"
    )
    assert first == second
    assert {round(x) for x, _ in first} == {0, 1}
    assert len({x for x, _ in first}) == 40
    (alone,) = dots(panels(draw_scatter(AUC, sweep(1), Look("x"), params=["kind"]))[0], "runs")
    assert alone[0] == 0


def test_runs_without_a_number_are_counted_in_the_panel() -> None:
    figure = draw_scatter(
        AUC, [*sweep(6), record(9, 0.5), record(10, 0.6, lr=math.nan)], Look("x"), params=["lr"]
    )
    (axes,) = panels(figure)
    assert len(dots(axes, "runs")) == 6
    assert axes.get_title("right").endswith(" · 2 not shown")


def test_parameters_can_be_chosen_and_unknown_ones_are_refused() -> None:
    assert [
        axes.get_xlabel() for axes in panels(draw_scatter(AUC, sweep(3), Look("x"), params=["fixed", "lr"]))
    ] == ["fixed", "lr"]
    for draw in (draw_scatter, draw_parallel):
        with pytest.raises(
            TrackingError, match="no run to draw has the parameter 'lrr'; parameters: lr, size, kind, fixed"
        ):
            draw(AUC, sweep(3), Look("x"), params=["lrr"])
        with pytest.raises(TrackingError, match="the runs have no parameters"):
            draw(AUC, [record(1, 0.5)], Look("x"))


def test_parameters_that_do_not_fit_are_counted() -> None:
    runs = [record(n, 0.5, **{f"p{i:02d}": n for i in range(20)}) for n in (1, 2)]
    figure = draw_scatter(AUC, runs, Look("x"))
    assert len(panels(figure)) == 12
    assert "the first 12 of 20 parameters, --param chooses others" in subtitle(figure)
    assert len(lines(draw_parallel(AUC, runs, Look("x")), "axis ")) == 17


def test_one_run_shows_all_its_parameters() -> None:
    assert len(panels(draw_scatter(AUC, sweep(1), Look("x")))) == 4
    assert list(lines(draw_parallel(AUC, sweep(1), Look("x")), "axis ")) == [
        "lr",
        "size",
        "kind",
        "fixed",
        "val_auc (best)",
    ]


def test_long_names_are_shortened_to_what_tells_them_apart() -> None:
    prefix = "model.layers.encoder.very_long_configuration_name."
    runs = [record(n, 0.5, **{f"{prefix}width": n, f"{prefix}depth": n}) for n in (1, 2)]
    assert [axes.get_xlabel() for axes in panels(draw_scatter(AUC, runs, Look("x")))] == ["…width", "…depth"]


def test_values_beyond_every_axis_are_counted_and_the_others_drawn() -> None:
    huge = [
        *sweep(8),
        record(20, 0.4, lr=1e308, size=10**400),
        record(21, 0.4, lr=-1e308),
        record(22, 1e308, lr=1),
    ]
    for draw in (draw_scatter, draw_parallel):
        figure = draw(AUC, huge, Look("x"))
        figure.draw_without_rendering()
        assert subtitle(figure).startswith("10 runs; left out: 1 beyond 1e250")
    assert [text_of(value) for value in (10**400, -(10**400), -1e307)] == [">1e308", "<-1e308", "-1e307"]


def test_infinite_parameters_are_named() -> None:
    runs = [record(1, 0.5, lr=math.inf), record(2, 0.6, lr=math.nan), record(3, 0.7, lr=None), record(4, 0.8)]
    assert scale_of([run.params.get("lr") for run in runs]).categories == ("inf", "nan", "none")
    figure = draw_parallel(AUC, [*sweep(5), *runs[:2]], Look("x"), params=["lr"])
    assert "nan, inf" in [text.get_text() for text in figure.axes[0].texts]


# parallel coordinates


def test_the_names_of_the_axes_stand_above_the_legend() -> None:
    figure = draw_parallel(
        Objective.of("validation_accuracy_at_10"), sweep_of("validation_accuracy_at_10"), Look("x")
    )
    figure.draw_without_rendering()
    (axes,) = figure.axes
    legend = axes.get_legend().get_window_extent()
    names = [text for text in axes.texts if text.get_fontweight() == "bold"]
    assert len(names) == 4
    assert not any(legend.overlaps(name.get_window_extent()) for name in names)


def test_parallel_coordinates_draw_the_best_last_and_thickest() -> None:
    figure = draw_parallel(AUC, sweep(50), Look("x"))
    drawn = lines(figure)
    assert list(drawn)[-1] == "run_050"
    assert max(drawn, key=lambda run_id: drawn[run_id].get_linewidth()) == "run_050"
    assert max(drawn, key=lambda run_id: drawn[run_id].get_zorder()) == "run_050"
    assert len({line.get_color() for line in drawn.values()}) == 50
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["run_050  (1)"]


def test_a_line_passes_each_axis_at_its_value() -> None:
    runs = [record(1, 0.0, lr=1e-4, w=0.0), record(2, 1.0, lr=1.0, w=4.0), record(3, 0.25, lr=1e-2, w=1.0)]
    drawn = lines(draw_parallel(AUC, runs, Look("x")))
    assert list(drawn["run_001"].get_ydata()) == [0, 0, 0]
    assert list(drawn["run_002"].get_ydata()) == [1, 1, 1]
    assert list(drawn["run_003"].get_ydata()) == pytest.approx([0.5, 0.25, 0.25])


def test_a_run_without_a_number_passes_below_the_axis() -> None:
    figure = draw_parallel(AUC, [*sweep(4), record(9, 0.5, size=1, kind="a")], Look("x"))
    assert lines(figure)["run_009"].get_ydata()[0] < 0
    assert "none" in [text.get_text() for text in figure.axes[0].texts]
    assert "none" not in [text.get_text() for text in draw_parallel(AUC, sweep(4), Look("x")).axes[0].texts]


def test_only_the_best_lines_are_coloured_when_their_number_is_given() -> None:
    figure = draw_parallel(AUC, sweep(20), Look("x", best=2))
    colours = [line.get_color() for line in lines(figure).values()]
    assert len(set(colours[:18])) == 1
    assert len(set(colours)) == 3
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [
        "run_020  (0.7)",
        "run_019  (0.69)",
    ]


def test_the_lowest_is_the_best_of_a_loss() -> None:
    figure = draw_parallel(Objective.of("val_auc", Direction.MIN), sweep(5), Look("x"))
    assert list(lines(figure))[-1] == "run_001"
    assert subtitle(figure).endswith("lowest is best")
