"""The points that a search begins with, and what it knows of an earlier sweep."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from searched import make, settings_of, spaced

from sweeps import SettingsError
from sweeps.driving.first_points import first_points
from sweeps.driving.guiding import PreparedSearch, described, outlook
from sweeps.driving.warm_start import earlier_jobs
from sweeps.settings.search_settings import Mode, Schedule, SearchSettings
from sweeps.space import Point
from tracking import CorruptFileError
from tracking.objective import Objective

LOSS = Objective.of("loss", "min")
CONFIG: dict[str, Any] = {"x": 0.5, "n": 3, "width": 64, "name": "b", "flag": True, "layers": [64, 32]}
GROUPS = {"model": "mlp"}


def first(
    *lines: str, space: Mapping[str, Any] | None = None, **settings: Any
) -> tuple[list[Point], list[str]]:
    found, of_space = spaced(*lines, **(space or {}))
    search = SearchSettings(Mode.TPE, Schedule.NONE, (LOSS,), n_trials=9, **settings)
    return first_points(found, search, of_space, lambda _: CONFIG, lambda _: GROUPS)


@pytest.mark.parametrize(
    ("line", "point"),
    [
        ("x=interval(0,1.0)", "x=0.5"),
        ("x=tag(log,interval(0.1,1.0))", "x=0.5"),
        ("n=int(interval(1,9))", "n=3"),
        ("width=32,64", "width=64"),
        ("name=a,b", "name=b"),
        ("flag=true,false", "flag=True"),
        ("layers=[64],[64,32]", "layers=[64,32]"),
        ("model=dcn,mlp", "model=mlp"),
        ("n=range(1,5)", "n=3"),
    ],
)
def test_the_values_of_the_config_are_the_first_point(line: str, point: str) -> None:
    points, notes = first(line)
    assert points == [(point,)]
    assert notes == []


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("x=interval(0.6,1.0)", "x=0.5"),
        ("name=c,d", "name=b"),
        ("absent=interval(0,1.0)", "it has no absent"),
        ("flag=0,1", "flag=True"),
        ("flag=interval(0,1.0)", "flag=True"),
    ],
)
def test_a_config_outside_the_space_is_left_out_and_said(line: str, named: str) -> None:
    points, (note,) = first(line)
    assert points == []
    assert named in note
    assert first(line, enqueue_defaults=False) == ([], [])


def test_given_points_follow_with_the_values_that_they_leave_to_the_config() -> None:
    points, _ = first("x=interval(0,1.0)", "n=1,2,3", enqueue=({"n": 1}, {"x": 0.25, "n": 2}))
    assert points == [("x=0.5", "n=3"), ("n=1", "x=0.5"), ("x=0.25", "n=2")]


@pytest.mark.parametrize("point", [{"x": 5}, {"x": "abc"}, {"n": 9}, {"x": 0.5, "n": 1.5}])
def test_a_given_point_outside_the_space_is_refused(point: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"enqueue: .* cannot have this value in the space"):
        first("x=interval(0,1.0)", "n=1,2,3", enqueue=(point,))


def test_a_point_that_is_given_twice_is_one_point() -> None:
    points, _ = first("n=1,2,3", enqueue=({"n": 3}, {"n": 1}, {"n": 1}))
    assert points == [("n=3",), ("n=1",)]


def test_a_key_whose_condition_does_not_hold_is_left_out_of_the_first_point() -> None:
    space = {"when": {"n": "x > 0.7"}}
    points, _ = first("x=interval(0,1.0)", "n=1,2,3", space=space, enqueue=({"x": 0.9, "n": 1},))
    assert points == [("x=0.5",), ("x=0.9", "n=1")]


def test_a_config_that_the_filter_forbids_is_left_out_and_a_given_point_refused() -> None:
    space = {"filter": "x < 0.3"}
    points, (note,) = first("x=interval(0,1.0)", space=space)
    assert points == []
    assert "x < 0.3 does not hold" in note
    with pytest.raises(SettingsError, match=r"enqueue: x=0.4: filter"):
        first("x=interval(0,1.0)", space=space, enqueue=({"x": 0.4},))


def test_points_of_a_file_are_given_too(tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    file.write_text("x,n\n0.1,1\n0.2,\n")
    points, _ = first("x=interval(0,1.0)", "n=1,2,3", enqueue=str(file), enqueue_defaults=False)
    assert points == [("x=0.1", "n=1"), ("x=0.2", "n=3")]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"budget_epochs": 2}, "budget=2: one job needs 3 epochs to its first judgement"),
        ({"budget_epochs": 4, "min_epochs": 5}, "budget=4: one job needs 5 epochs to its first judgement"),
        ({"budget_epochs": 26, "schedule": Schedule.NONE}, "budget=26: one job needs 27 epochs to its end"),
        (
            {"budget_epochs": 56, "confirm": 2},
            "budget=56: one job needs 3 epochs to its first judgement, and confirm=2 keeps 54 for those that confirm",
        ),
    ],
)
def test_a_budget_without_room_for_a_job_is_named(settings: dict[str, Any], said: str) -> None:
    given = {"schedule": Schedule.ASHA, "max_epochs": 27, "eta": 2.0, "min_epochs": None, **settings}
    for more in (0, 1):
        given["budget_epochs"] += more
        prepared = PreparedSearch(make(**given), settings_of(**given), (), ())
        if more:
            assert prepared.begin()
        else:
            with pytest.raises(SettingsError, match=f"^{said}$"):
                prepared.begin()


def test_a_space_without_a_point_is_named_and_not_its_budget() -> None:
    given: dict[str, Any] = {"budget_epochs": 100, "max_epochs": 27}
    search = make(space={"filter": "x > 9"}, **given)
    with pytest.raises(SettingsError, match="has no point to begin with"):
        PreparedSearch(search, settings_of(**given), (), ()).begin()


def test_a_damaged_memory_of_an_earlier_sweep_is_named(tmp_path: Path) -> None:
    (tmp_path / "warm_start.json").write_text('{"jobs": [{"point": 3}]}')
    with pytest.raises(CorruptFileError, match=r"warm_start.json is damaged"):
        earlier_jobs(None, tmp_path)  # type: ignore[arg-type]


def test_the_plan_describes_a_space_by_its_keys() -> None:
    found, _ = spaced("x=tag(log,interval(0.001,1.0))", "n=int(interval(1,9))", "name=a,b")
    search = SearchSettings(Mode.TPE, Schedule.ASHA, (LOSS,), n_trials=9, max_epochs=9)
    plain = described(search, found)
    assert plain["space"] == {"x": "log, 0.001 to 1", "n": "whole, 1 to 9", "name": "a, b"}
    assert (plain["mode"], plain["schedule"], plain["n_trials"]) == ("tpe", "asha", 9)
    assert plain["objectives"] == [{"metric": "loss", "mode": "min", "at": "best"}]


def test_a_long_list_of_values_is_told_apart_by_its_digest() -> None:
    texts = set()
    for last in ("x", "y"):
        values = ",".join([*(f"value{number}" for number in range(100)), last])
        found, _ = spaced(f"name={values}")
        search = SearchSettings(Mode.TPE, Schedule.NONE, (LOSS,), n_trials=9)
        texts.add(described(search, found)["space"]["name"])
    assert len(texts) == 2
    assert all(len(text) < 600 for text in texts)


def test_an_outlook_says_when_a_search_is_over_and_whom_it_stops() -> None:
    search = SearchSettings(
        Mode.TPE, Schedule.MEDIAN, (LOSS,), budget_s=7200.0, patience=5, target=0.1, min_epochs=2, confirm=0.0
    )
    said = outlook(search, 4)
    assert "goes on from these 4 jobs, until 2 h or 5 jobs without a better one or loss at 0.1" in said
    assert "median judges jobs after 2, 3, 4, 5, ... epochs; those behind end" in said
