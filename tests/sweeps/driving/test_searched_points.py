"""The points that a search tries: of its space, of the user, of a function, and what it learns of an earlier sweep."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from quadratic import Sweep, completed

Search = Callable[..., Sweep]
X = "x=interval(0.0,1.0)"


def test_a_key_of_one_value_and_a_key_under_a_condition_are_searched(search: Search) -> None:
    sweep = completed(
        search(X, "epochs=choice(3)", "y=1,2,3", mode="tpe", n_trials=12, when="{y: 'x < 0.5'}", max_epochs=3)
    )
    points = [event["point"] for event in sweep.planned]
    assert all(point["epochs"] == 3 for point in points)
    assert all(("y" in point) == (point["x"] < 0.5) for point in points)
    assert {"y" in point for point in points} == {True, False}


def test_points_of_the_user_come_after_the_config_and_before_all_others(search: Search) -> None:
    sweep = completed(search(X, "y=1,2", mode="random", n_trials=4, enqueue="[{x: 0.25},{x: 0.75,y: 2}]"))
    points = [event["point"] for event in sweep.planned]
    assert points[:3] == [{"x": 0.5, "y": 1}, {"x": 0.25, "y": 1}, {"x": 0.75, "y": 2}]


def test_a_point_that_is_given_in_other_words_runs_once(search: Search, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("y,x\n1,0\n2,1\n,0.0\n2,1.0\n1,.5\n2,1\n2,0\n")
    sweep = completed(
        search(X, "y=1,2", "epochs=3", mode="random", n_trials=3, budget=900, enqueue="points.csv")
    )
    points = [event["point"] for event in sweep.planned]
    assert points == [{"x": 0.5, "y": 1}, {"x": 0.0, "y": 1}, {"x": 1.0, "y": 2}]
    assert "n_trials=3 has room for 3 of the 4 points to begin with" in sweep.out
    assert "1 of the 4 points to begin with has not run: n_trials=3 have begun" in sweep.out


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"when": "{x: 'foo == 1'}"}, "when.x: no job's config has foo"),
        ({"enqueue": "[{z: 1}]"}, "enqueue: z is not swept; swept are x"),
        ({"enqueue": "[{x: 0.7}]", "filter": "'x < 0.6'"}, "enqueue: x=0.7: filter: x < 0.6 does not hold"),
        ({"warm_start": "nothing"}, "no sweeps in"),
        ({"check": "nowhere.check"}, "nowhere.check"),
    ],
)
def test_what_a_search_cannot_begin_with_is_refused(
    search: Search, settings: dict[str, str], said: str
) -> None:
    sweep = search(X, mode="random", n_trials=4, budget=100, **settings)
    assert sweep.code == 1
    assert said in sweep.err
    assert not list((sweep.cwd / "experiments").glob("sweeps/*"))


def test_a_config_that_no_point_of_the_space_has_is_said_and_left_out(search: Search) -> None:
    sweep = completed(search("x=interval(0.6,1.0)", mode="random", n_trials=2, budget=100))
    assert "the config's own values are no point of the space" in sweep.out
    assert "x=0.5" in sweep.out
    assert all(event["point"]["x"] >= 0.6 for event in sweep.planned)


def test_a_search_of_a_small_space_runs_each_point_once(search: Search) -> None:
    sweep = completed(search("x=0.1,0.2", "y=1,2", "epochs=1", mode="tpe", n_trials=9))
    points = [(event["point"]["x"], event["point"]["y"]) for event in sweep.planned]
    assert sorted(points) == [(0.1, 1), (0.1, 2), (0.2, 1), (0.2, 2)]
    assert "the search is over after 4 jobs: the space has no other point" in sweep.out


def test_a_function_of_the_user_draws_the_points(search: Search, tmp_path: Path) -> None:
    (tmp_path / "my_space.py").write_text(
        """
def draw(cfg, trial):
    assert cfg.epochs == 2
    if trial.suggest_float("x", 0.0, 1.0) > 0.4:
        trial.suggest_int("y", 0, 5)
"""
    )
    sweep = completed(search("epochs=2", mode="tpe", n_trials=8, space_function="my_space.draw", confirm=2))
    points = [event["point"] for event in sweep.planned]
    assert all(("y" in point) == (point["x"] > 0.4) for point in points)
    assert json.loads((sweep.dir / "plan.json").read_text())["swept"] == ["x", "y", "seed"]
    assert sweep.out.count("resumed") == 0


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("my_space.nowhere", "space_function=my_space.nowhere: cannot be imported"),
        ("my_space.raises", "space_function=my_space.raises: raised ValueError: no such luck"),
        ("my_space.of_one", "space_function=my_space.of_one: raised TypeError: of_one() takes 1 positional"),
        ("my_space.idle", "space_function=my_space.idle: draws nothing"),
        ("my_space.of_seed", "space_function: draws seed, which is set already (seed=3)"),
    ],
)
def test_a_function_that_draws_no_points_is_refused(
    search: Search, tmp_path: Path, function: str, said: str
) -> None:
    (tmp_path / "my_space.py").write_text(
        """
def raises(cfg, trial):
    raise ValueError("no such luck")

def of_one(cfg): pass
def idle(cfg, trial): pass
def of_seed(cfg, trial): trial.suggest_int("seed", 0, 9)
"""
    )
    refused = search("seed=3", mode="tpe", n_trials=2, space_function=function)
    assert refused.code == 1
    assert said in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.parametrize("override", ["x=0.3", "x=choice(0.3)"])
def test_a_search_without_a_choice_is_refused(search: Search, override: str) -> None:
    refused = search(override, mode="tpe", n_trials=2)
    assert refused.code == 1
    assert "no key has more than one value, so there is nothing to search" in refused.err


def test_a_search_whose_filter_no_point_meets_is_refused(search: Search) -> None:
    for more in ({}, {"dry_run": "true"}):
        refused = search(X, mode="random", n_trials=4, budget=100, filter="'x < 0'", **more)
        assert refused.code == 1, refused.out
        assert "filter" in refused.err


def test_a_search_says_how_many_jobs_of_the_earlier_sweep_fit(search: Search) -> None:
    completed(search("x=0.1,0.7", name="before"))
    sweep = search("x=interval(0.5,1.0)", mode="random", n_trials=2, name="after", warm_start="before")
    assert sweep.code == 0, sweep.err
    assert "warm_start: 1 of 2 jobs of before fit into the space" in sweep.out


@pytest.mark.parametrize(
    ("config", "objective", "missing"),
    [("config", "{metric: acc}", "acc"), ("two", "[{metric: loss}, {metric: acc}]", "loss and acc")],
)
def test_an_earlier_sweep_of_which_no_job_has_the_objective_is_refused(
    search: Search, config: str, objective: str, missing: str
) -> None:
    completed(search("x=0.1,0.7", name="before"))
    refused = search(
        f"--config-name={config}", X, mode="random", n_trials=2, warm_start="before", objective=objective
    )
    assert refused.code == 1
    assert f"warm_start=before: none of its 2 jobs has {missing}" in refused.err


def test_a_search_learns_from_the_jobs_of_an_earlier_sweep(search: Search) -> None:
    completed(search(X, mode="random", n_trials=12, name="before", budget=1000))
    folder = (
        search(X, mode="tpe", n_trials=4, name="after", warm_start="latest").cwd / "experiments" / "sweeps"
    )
    known = json.loads((folder / "after" / "warm_start.json").read_text())
    assert (known["sweep"], len(known["jobs"])) == ("before", 12)
    assert all(len(job["history"]) == 9 for job in known["jobs"])
    board = json.loads((folder / "after" / "leaderboard.json").read_text())
    assert len(board["rows"]) == 4
