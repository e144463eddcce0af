"""What the picture of a metric shows, also of histories that hardly are one."""

import math
from pathlib import Path
from typing import Any

import pytest

from tracking.plots import draw, plot_metric


def points(*values: float, stepped: bool = True) -> list[dict[str, Any]]:
    return [
        {"step": step if stepped else None, "value": value, "timestamp": ""}
        for step, value in enumerate(values)
    ]


def test_the_legend_names_each_run_with_its_best_point() -> None:
    figure = draw("val_auc", {"run_001": points(0.7, 0.8, 0.75), "run_002": points(0.6, 0.5)}, title="x")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "run_001  (best 0.8 at 1)",
        "run_002  (best 0.6 at 0)",
    ]


def test_a_metric_that_is_never_finite_says_so_instead_of_showing_a_scale() -> None:
    (axes,) = draw("loss", {"run_001": points(math.nan, math.inf)}, title="x").axes
    assert [text.get_text() for text in axes.texts] == ["no finite value"]
    assert list(axes.get_xticks()) == list(axes.get_yticks()) == []


@pytest.mark.parametrize("stepped", [True, False])
def test_a_single_point_has_one_tick_where_it_is(tmp_path: Path, stepped: bool) -> None:
    histories = {"run_001": points(0.8, stepped=stepped), "run_002": points(0.7, stepped=stepped)}
    (axes,) = draw("test_auc", histories, title="x").axes
    assert list(axes.get_xticks()) == [0]
    assert not list(axes.texts)
    picture = plot_metric(tmp_path / "a.png", "test_auc", histories, title="x").read_bytes()
    assert picture.startswith(b"\x89PNG")
