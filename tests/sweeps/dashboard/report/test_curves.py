"""The learning curves of a report: thin, and bands where there are many."""

import shutil
from pathlib import Path

import pytest
from told import RATE, Told

from sweeps.dashboard.report.curves import ALL_POINTS, KEPT, MOST_LINES, MOST_POINTS, curves_of
from sweeps.ranking.status import sweep_status


@pytest.fixture
def told(tmp_path: Path) -> Told:
    told = Told(tmp_path)
    told.begin()
    return told


def add(told: Told, job: int, values: list[float]) -> str:
    told.ask(job, **{RATE: job})
    run = told.run_of(job, values)
    run.finish()
    told.finish(job, 1.0, runs=[run.run_id])
    return run.run_id


def test_each_job_has_its_curve_the_best_first(told: Told) -> None:
    add(told, 0, [0.1, 0.2])
    add(told, 1, [0.3, 0.123456789])
    found = curves_of(sweep_status(told.folder))
    assert found == {
        "metric": "val_auc",
        "x": "step",
        "curves": [{"job": 1, "x": [0, 1], "y": [0.3, 0.123457]}, {"job": 0, "x": [0, 1], "y": [0.1, 0.2]}],
        "bands": None,
        "left_out": 0,
    }


def test_of_many_jobs_the_best_are_drawn_and_the_others_are_a_band(told: Told) -> None:
    for job in range(MOST_LINES + 1):
        add(told, job, [job / 100, job / 50])
    found = curves_of(sweep_status(told.folder))
    assert found is not None
    assert [curve["job"] for curve in found["curves"]] == list(range(MOST_LINES, MOST_LINES - KEPT, -1))
    (band,) = found["bands"]
    others = MOST_LINES + 1 - KEPT
    assert found["left_out"] == others
    assert band["x"] == [0, 1]
    assert band["mid"] == pytest.approx([(others - 1) / 200, (others - 1) / 100])
    assert band["low"] == pytest.approx([0.1 * (others - 1) / 100, 0.1 * (others - 1) / 50])


def test_a_long_curve_keeps_its_extremes_in_few_points(told: Told) -> None:
    values = [0.5] * 5000
    values[1234], values[4321] = 0.9, 0.1
    add(told, 0, values)
    found = curves_of(sweep_status(told.folder))
    assert found is not None
    (curve,) = found["curves"]
    assert len(curve["x"]) <= 1.2 * MOST_POINTS
    assert {0.9, 0.1} <= set(curve["y"])
    assert sum(len(each["x"]) for each in found["curves"]) <= ALL_POINTS


def test_a_run_that_is_gone_leaves_the_others(told: Told) -> None:
    runs = [add(told, job, [0.1 * job]) for job in range(3)]
    status = sweep_status(told.folder)
    shutil.rmtree(told.store / "runs" / runs[1])
    found = curves_of(status)
    assert found is not None
    assert [curve["job"] for curve in found["curves"]] == [2, 0]


def test_what_is_no_number_interrupts_a_curve(told: Told) -> None:
    add(told, 0, [0.1, float("nan"), 0.3])
    found = curves_of(sweep_status(told.folder))
    assert found is not None
    assert found["curves"][0]["y"] == [0.1, None, 0.3]


def test_a_returned_value_has_no_curve(tmp_path: Path) -> None:
    objective = {"metric": None, "mode": "max", "at": "best"}
    told = Told(tmp_path, objective=objective)
    told.ask(0)
    told.finish(0, 1.0, value=3.0)
    assert curves_of(sweep_status(told.folder)) is None
