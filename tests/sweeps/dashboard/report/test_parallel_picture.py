"""Parallel coordinates of a report: every job that has a result has a line, whatever its settings are."""

import math
from typing import Any

import pytest

from sweeps.dashboard.report.parallel_picture import AXES, BEST, MISSING, OTHERS, parallel_picture

pytest.importorskip("matplotlib")
HOSTILE = "$x$ <b> \u2028 \\frac{"


def facts_of(
    settings: dict[str, list[Any]], results: list[Any], mode: str = "max", **scales: str
) -> dict[str, Any]:
    """Return the part of a sweep's facts that the picture is made of."""
    return {
        "swept": [*settings],
        "repeats": [],
        "names": {},
        "scales": {key: scales.get(key, "linear") for key in settings},
        "objectives": [{"label": "auc", "metric": "auc", "mode": mode, "at": "best"}],
        "importance": None,
        "jobs": {"job": [*range(len(results))], "point": settings, "values": [results]},
    }


def lines(facts: dict[str, Any]) -> list[list[tuple[float, float]]]:
    """Return the lines in the order that they are drawn in."""
    figure = parallel_picture(facts)
    assert figure is not None
    figure.canvas.draw()
    (found,) = figure.axes[0].collections
    return [[(float(x), float(y)) for x, y in path.vertices] for path in found.get_paths()]


def texts(facts: dict[str, Any]) -> list[str]:
    figure = parallel_picture(facts)
    assert figure is not None
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("mode", ["max", "min"])
def test_each_job_is_a_line_through_its_settings_and_the_best_is_on_top(mode: str) -> None:
    facts = facts_of({"rate": [1.0, 2.0, 3.0]}, [0.5, 0.9, 0.7], mode)
    order = [0.0, 0.5, 1.0] if mode == "max" else [1.0, 0.5, 0.0]
    assert [line[1][1] for line in lines(facts)] == pytest.approx(order)
    settings = [0.0, 1.0, 0.5] if mode == "max" else [0.5, 1.0, 0.0]
    assert [line[0][1] for line in lines(facts)] == pytest.approx(settings)


def test_what_has_no_value_passes_below_the_axis() -> None:
    facts = facts_of({"rate": [0.1, None, 0.3], "depth": [1, 2, 3]}, [0.5, 0.6, None])
    below = [[place for place, (_, height) in enumerate(line) if height == MISSING] for line in lines(facts)]
    assert sorted(below) == [[], [0], [2]]
    assert texts(facts).count("none") == 2


def test_of_very_many_jobs_the_best_are_drawn_and_some_of_all_others() -> None:
    jobs = 1000
    facts = facts_of({"rate": [*range(jobs)]}, [*range(jobs)])
    drawn = lines(facts)
    assert len(drawn) == BEST + OTHERS
    assert min(height for _, height in (line[0] for line in drawn)) == 0
    assert any(f"the best {BEST} of {jobs} jobs" in text for text in texts(facts))


def test_a_result_far_beyond_the_others_ends_at_the_axis() -> None:
    facts = facts_of({"rate": [*range(9)]}, [0.9, 0.8, 0.85, 0.7, 0.75, 0.8, 0.9, 0.7, -1e9])
    assert all(0 <= line[-1][1] <= 1 for line in lines(facts))
    assert "-1e+09" not in texts(facts)


@pytest.mark.parametrize("value", [HOSTILE, True, [1, 2], {"a": 1}, math.inf, 10**400, 1e-300])
def test_any_value_of_a_setting_can_be_drawn(value: Any) -> None:
    scale = "category" if isinstance(value, str | bool | list | dict) else "linear"
    facts = facts_of({"key": [value, 1, None]}, [0.1, 0.2, 0.3], key=scale)
    assert len(lines(facts)) == 3


def test_a_logarithmic_setting_is_drawn_by_its_logarithm() -> None:
    facts = facts_of({"rate": [1e-4, 1e-3, 1e-2]}, [0.1, 0.2, 0.3], rate="log")
    assert [line[0][1] for line in lines(facts)] == pytest.approx([0, 0.5, 1])
    assert "rate (log)" in texts(facts)


def test_more_settings_than_fit_are_left_out() -> None:
    facts = facts_of({f"key{place}": [place, place + 1] for place in range(AXES + 3)}, [0.1, 0.2])
    assert len(lines(facts)[0]) == AXES + 1


@pytest.mark.parametrize(
    ("settings", "results"),
    [({"rate": [1, 2]}, [None, None]), ({"rate": [1, 1]}, [0.1, 0.2]), ({}, [0.1, 0.2])],
)
def test_without_results_or_settings_there_is_no_picture(
    settings: dict[str, list[Any]], results: list[Any]
) -> None:
    assert parallel_picture(facts_of(settings, results)) is None
