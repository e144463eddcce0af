"""Spaces beyond the grid, from the command line to the leaderboard."""

import csv
import os
import re
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

import forked
import pytest
from quadratic import APP

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


def test_values_of_a_key_that_repeats_are_one_candidate_with_the_seeds(sweep: Callable) -> None:
    folds = ("shape=square,triangle", "hydra.sweeper.repeat_keys=[shape]", "hydra.sweeper.repeat=2")
    result = sweep("-m", "x=1,2,3", *folds)
    assert result.code == 0, result.err
    board = read_json(result.dir / "leaderboard.json")
    assert [(each["point"], each["n"]) for each in board["candidates"]] == [({"x": x}, 4) for x in (2, 1, 3)]
    rows = [row["objective"] for row in board["rows"] if row["rank"] == 1]
    assert board["candidates"][0]["objective"] == pytest.approx(sum(rows) / 4)
    assert board["candidates"][0]["std"] == pytest.approx(statistics.stdev(rows))
    assert "alone" in (result.dir / "leaderboard.md").read_text()
    plan = read_json(result.dir / "plan.json")
    assert (plan["seed_key"], plan["repeats"]) == ("seed", ["shape", "seed"])
    runs = [
        read_json(path)["sweep"]["objective"]
        for path in sorted(result.cwd.glob("experiments/runs/*/run.json"))
    ]
    assert len({run["candidate"] for run in runs}) == 3
    assert "repeats" not in runs[0]


def test_a_candidate_one_of_whose_repeats_failed_is_not_ranked(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2", "fault=none,raise", "hydra.sweeper.repeat_keys=[fault]")
    board = read_json(result.dir / "leaderboard.json")
    assert [each["rank"] for each in board["candidates"]] == [None, None]
    assert "1 of 2 repeats did not count, job 1: ValueError" in board["candidates"][0]["error"]


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


def test_values_of_the_config_reach_the_job_as_they_are(tmp_path: Path) -> None:
    params = {"n": None, "t": True, "f": 1e-3, "+l": [1, None], "++m": "{a: 1}", "s": "a,b"}
    (tmp_path / "app.py").write_text(SHOWS.replace("PARAMS", repr(params)))
    answer = run_app(tmp_path, "+k=1")
    assert answer.returncode == 0, answer.stderr
    assert "params.+l=[1, None]: a list is one value; to sweep over its items write '1,null'" in answer.stdout
    assert [read_json(tmp_path / f"{s}.json") for s in "ab"] == [
        {"n": None, "t": True, "f": 0.001, "s": s, "k": 1, "l": [1, None], "m": {"a": 1}} for s in "ab"
    ]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("params={t: {a: '1,2'}}", "params.t={'a': '1,2'}: allowed is a value"),
        ("spaces=[{t: {a: 1}}]", "spaces.0.t={'a': 1}: allowed is a value"),
        ("spaces=[3]", "spaces.0=3: must be a mapping of keys"),
    ],
)
def test_a_mapping_in_a_space_is_refused_with_how_to_write_it(
    tmp_path: Path, setting: str, said: str
) -> None:
    (tmp_path / "app.py").write_text(SHOWS.replace("PARAMS", "None"))
    answer = run_app(tmp_path, f"hydra.sweeper.{setting}")
    assert answer.returncode == 1
    assert said in answer.stderr


@pytest.mark.parametrize("arguments", [["+seed=3,4"], ["hydra.sweeper.repeat=2", "hydra.sweeper.seed_key=+seed"],
                                       ["++seed=3,4", "hydra.sweeper.seed_key=++seed"]])  # fmt: skip
def test_a_seed_that_is_added_makes_candidates(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "app.py").write_text(SHOWS.replace("PARAMS", "None"))
    answer = run_app(tmp_path, "t=1,2", *arguments)
    assert answer.returncode == 0, answer.stderr
    (folder,) = (tmp_path / "experiments" / "sweeps").iterdir()
    board = read_json(folder / "leaderboard.json")
    assert [(each["point"], each["n"]) for each in board["candidates"]] == [({"t": 2}, 2), ({"t": 1}, 2)]
    assert "+" not in (folder / "leaderboard.csv").read_text()


SHOWS = """
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

CONFIG = {
    "defaults": [{"override hydra/sweeper": "podium"}, {"override hydra/launcher": "podium"}],
    "n": 1, "t": 2, "f": 3, "s": "x", "hydra": {"launcher": {"n_jobs": 2}, "sweeper": {"params": PARAMS}},
}
ConfigStore.instance().store("config", CONFIG)


@hydra.main(config_path=None, config_name="config", version_base="1.3")
def main(cfg):
    Path(f"{cfg.s}.json").write_text(json.dumps(OmegaConf.to_container(cfg)))
    return float(cfg.t)


if __name__ == "__main__":
    main()
"""


def run_app(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(APP.parents[4])}
    return forked.run("app.py", "-m", *arguments, cwd=folder, env=environment)
