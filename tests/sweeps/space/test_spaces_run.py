"""Spaces beyond the grid, from the command line to the leaderboard."""

import csv
import re
from collections.abc import Callable

import pytest

from tracking.files import read_json, read_lines


def test_points_that_do_not_fulfil_the_filter_are_no_jobs(sweep: Callable) -> None:
    result = sweep(
        "-m", "x=1,2,3", "shape=square,triangle", 'hydra.sweeper.filter="not (shape.kind == 3 and x > 1)"'
    )
    assert result.code == 0, result.err
    assert 0 < len(result.planned) < 6
    for job in result.planned:
        assert not (job["point"]["shape"] == "triangle" and job["point"]["x"] == 3)


def test_a_filter_that_nothing_fulfils_is_refused(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2,3", "hydra.sweeper.filter='x > 7'")
    assert result.code == 1
    assert "none of 3 points satisfies x > 7" in result.err


def test_repeats_of_a_point_are_ranked_as_one_candidate_by_their_mean(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2,3", "hydra.sweeper.repeat=3")
    assert result.code == 0, result.err
    board = read_json(result.dir / "leaderboard.json")
    assert [each["point"] for each in board["candidates"]] == [{"x": 2}, {"x": 1}, {"x": 3}]
    first = board["candidates"][0]
    assert (first["objective"], first["std"], first["n"]) == (0.25, 0.25, 3)
    assert first["metrics"] == {"test_loss": 0.75}
    assert [row["rank"] for row in board["rows"]] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert board["rows"][0]["objective"] == 0.0
    with (result.dir / "leaderboard.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert (lines[0]["x"], lines[0]["loss_std"], lines[0]["n"]) == ("2", "0.25", "3")
    assert "0.2500 ± 0.2500" in result.out


def test_a_candidate_one_of_whose_seeds_failed_is_not_ranked(sweep: Callable) -> None:
    result = sweep("-m", "fault=none,raise", "seed=0,1")
    board = read_json(result.dir / "leaderboard.json")
    assert [each["rank"] for each in board["candidates"]] == [1, None]
    assert "2 of 2 seeds did not count, job 2: ValueError" in board["candidates"][1]["error"]


def test_a_dry_run_shows_the_jobs_and_starts_and_writes_nothing(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2,3", "hydra.sweeper.dry_run=true")
    assert result.code == 0, result.err
    assert "3 jobs, 2 at once; how long they take is not known yet" in result.out
    assert not (result.cwd / "experiments").exists()


def test_a_dry_run_estimates_from_jobs_that_are_known(sweep: Callable) -> None:
    sweep("-m", "x=1,2")
    result = sweep("-m", "x=1,2,3", "hydra.sweeper.dry_run=true")
    assert "estimated from 2 earlier jobs" in result.out


def test_jobs_that_are_known_to_take_long_start_first(sweep: Callable) -> None:
    sweep("-m", "fault=none,takes_a_second", "x=1", "hydra.sweeper.name=first")
    result = sweep(
        "-m", "fault=none,takes_a_second", "x=1", "hydra.sweeper.name=second", "hydra.launcher.n_jobs=1"
    )
    assert result.code == 0, result.err
    ledger = read_lines(result.cwd / "experiments" / "sweeps" / "second" / "jobs.jsonl")
    assert [each["job"] for each in ledger if each["event"] == "started"] == [1, 0]


def test_a_large_sweep_starts_before_all_its_jobs_are_composed_and_a_late_refusal_fails_alone(
    sweep: Callable,
) -> None:
    result = sweep(
        "-m",
        "x=range(0,20)",
        "seed=range(0,20)",
        "track=false",
        "hydra.sweeper.objective.metric=null",
        "hydra.sweeper.check=app.refuse_one",
        "hydra.launcher.isolation=reuse",
    )
    rows = {(row["point"]["x"], row["point"]["seed"]): row for row in result.rows}
    assert len(rows) == 400
    assert rows[19, 19]["status"] == "failed"
    assert rows[19, 19]["error"] == "x and seed must not both be 19"
    assert sum(row["status"] == "completed" for row in rows.values()) == 399


def test_conditions_and_keys_can_be_given_on_the_command_line(sweep: Callable) -> None:
    given = ('hydra.sweeper.when={fault: "x == 1"}', 'hydra.sweeper.params={fault: "none,threads"}')
    result = sweep("-m", "x=1,2", *given)
    assert result.code == 0, result.err
    points = [job["point"] for job in result.planned]
    assert points == [{"fault": "none", "x": 1}, {"x": 2}, {"fault": "threads", "x": 1}]
    assert re.search(r"run_\d+ +- +2 ", result.out)  # a key that a point leaves alone


@pytest.mark.parametrize("mode", ["zip", "random", "list"])
def test_other_modes_run_from_the_command_line(sweep: Callable, mode: str) -> None:
    arguments = {
        "zip": ["x=1,2", "seed=3,4"],
        "random": ["x=range(0,50)", "hydra.sweeper.n_trials=2"],
        "list": ["hydra.sweeper.points=[{x: 1}, {x: 5}]"],
    }[mode]
    result = sweep("-m", *arguments, f"hydra.sweeper.mode={mode}")
    assert result.code == 0, result.err
    assert len(result.rows) == 2
