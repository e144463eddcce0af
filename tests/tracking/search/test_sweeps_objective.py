"""Runs of a sweep are compared by its objective unless another metric is given."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import Say

from tracking import ExperimentTracker, job_context
from tracking.cli.ranking import rank
from tracking.objective import Objective


def runs(tracker: ExperimentTracker, objective: dict[str, str] | None, *values: float) -> None:
    for number, value in enumerate(values):
        identity = {"sweep": "s", "job": number, "key": "k", "config_hash": "h"}
        with job_context(**identity, objective=objective), tracker.start_run("x") as run:
            run.log({"objective": value, "val_auc": 1 - value})


@pytest.mark.parametrize(("mode", "best"), [("min", "run_002"), ("max", "run_001")])
def test_the_metric_and_the_direction_are_the_sweeps(tmp_path: Path, mode: str, best: str) -> None:
    tracker = ExperimentTracker(tmp_path)
    runs(tracker, {"metric": "objective", "mode": mode}, 0.5, 0.25)
    ranking = rank(tracker.records(), None, None)
    assert ranking.objective.named == {"metric": "objective", "mode": mode}
    assert ranking.best is not None
    assert ranking.best.run_id == best


def test_an_explicit_metric_comes_first(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    runs(tracker, {"metric": "objective", "mode": "min"}, 0.5, 0.25)
    assert rank(tracker.records(), "val_auc", None).objective == Objective.of("val_auc", "max", "last")
    assert rank(tracker.records(), None, "max").objective == Objective.of("objective", "max", "last")


def test_sweeps_that_disagree_decide_nothing(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    runs(tracker, {"metric": "objective", "mode": "min"}, 0.5)
    runs(tracker, {"metric": "objective", "mode": "max"}, 0.5)
    runs(tracker, None, 0.5)
    assert rank(tracker.records(), None, None).objective.metric == "val_auc"


@pytest.mark.parametrize(
    ("at", "order"), [("best", ["run_002", "run_001"]), ("last", ["run_001", "run_002"])]
)
@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_value_that_ranked_the_sweep_ranks_and_is_labelled_everywhere(
    tmp_path: Path, say: Say, at: str, order: list[str], mode: str
) -> None:
    sign = 1 if mode == "max" else -1
    tracker = ExperimentTracker(tmp_path)
    for number, values in enumerate(((0.5, 0.7), (0.9, 0.2))):
        identity = {"sweep": "s", "job": number, "key": "k", "config_hash": "h"}
        objective = {"metric": "score", "mode": mode, "at": at}
        with (
            job_context(**identity, objective=objective),
            tracker.start_run("x", params={"seed": number}) as run,
        ):
            for value in values:
                run.log({"score": sign * value})
    value = sign * (0.9 if at == "best" else 0.7)
    column = f"score.{mode}" if at == "best" else "score"
    store = ("--store", str(tmp_path))
    compared = json.loads(say("compare", "x", "--json", *store)[1])
    assert (compared["at"], compared["best"], compared["value"]) == (at, order[0], value)
    assert [run["run_id"] for run in compared["runs"]] == order
    assert compared["runs"][0]["value"] == value
    best = json.loads(say("best", "x", "--json", *store)[1])
    assert (best["at"], best["run_id"], best["value"]) == (at, order[0], value)
    _, out, _ = say("compare", "x", *store)
    assert re.search(rf"^run_id +status +{re.escape(column)} ", out, re.MULTILINE)
    for text in (out, say("best", "x", *store)[1]):
        assert f"Best score: {value:.4f}\nRanked by: the {at} score ({mode})\n" in text
    grouped = json.loads(say("compare", "x", "--grouped", "--json", *store)[1])
    both = (0.7, 0.9) if at == "best" else (0.7, 0.2)
    assert (grouped["at"], grouped["groups"][0][column]) == (at, pytest.approx(sign * sum(both) / 2))
    other = json.loads(say("best", "x", "--json", "--at", "last" if at == "best" else "best", *store)[1])
    assert other["run_id"] == order[1]


def test_a_sweep_over_seeds_is_ranked_by_its_means_as_its_leaderboard_is(tmp_path: Path, say: Say) -> None:
    tracker = ExperimentTracker(tmp_path)
    for job, (candidate, value, status, attempt) in enumerate(
        [
            ("lucky", 0.9, "completed", 1),
            ("lucky", 0.1, "completed", 1),
            ("steady", 0.7, "completed", 1),
            ("steady", 0.8, "failed", 1),
            ("steady", 0.6, "completed", 2),
            ("lost", 0.99, "completed", 1),
            ("lost", 0.98, "failed", 1),
        ]
    ):
        identity = {"sweep": "s", "job": job - (attempt - 1), "key": "k", "config_hash": "h"}
        objective = {"metric": "score", "mode": "max", "at": "last", "candidate": candidate}
        with job_context(**identity, attempt=attempt, objective=objective):
            run = tracker.start_run("x", params={"c": candidate, "seed": job})
        run.log({"score": value})
        run.finish(status)
    assert [run.run_id for run in rank(tracker.records(), None, None).runs] == [
        "run_003", "run_005", "run_001", "run_002", "run_006", "run_007", "run_004",
    ]  # fmt: skip
    store = ("--store", str(tmp_path))
    for command in ("compare", "best"):
        out = say(command, "x", *store)[1]
        assert "Run ID: run_003" in out
        assert "Ranked by: the last score (max), the mean over its seeds" in out
    groups = json.loads(say("compare", "x", "--grouped", "--json", *store)[1])["groups"]
    assert [group["c"] for group in groups] == ["steady", "lucky", "lost"]
    assert rank(tracker.records(), None, None, "best").best == tracker.record(
        "run_006"
    )  # not as the sweep is


@pytest.mark.parametrize(
    "name", ["n", "run_ids", "experiment_name", "score_std", "score.max", "metrics.score"]
)
@pytest.mark.parametrize("kind", ["param", "metric"])
def test_groups_are_shown_whatever_a_name_is(tmp_path: Path, say: Say, name: str, kind: str) -> None:
    tracker = ExperimentTracker(tmp_path)
    for seed, score in enumerate((0.25, 0.75)):
        params = {"seed": seed, **({name: "odd"} if kind == "param" else {})}
        with tracker.start_run("x", params=params) as run:
            run.log({"score": 1.0, **({name: 9} if kind == "metric" else {})}, step=0)
            run.log({"score": score}, step=1)
    options = ("--metric", "score", "--at", "best", "--json", "--store", str(tmp_path))
    for differing in ((), ("--differing",)):
        status, out, err = say("compare", "x", "--grouped", *differing, *options)
        assert (status, err) == (0, "")
        (group,) = json.loads(out)["groups"]
        assert group["n"] == 2
        assert differing or 1.0 in group.values()  # nothing differs in one group
    code, out, _ = say("compare", "x", "--grouped", "--store", str(tmp_path))
    assert code == 0
    assert ("odd" if kind == "param" else "9") in out


def test_what_did_not_complete_is_behind_and_equal_runs_are_ordered_by_job(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    for job, (value, status) in enumerate(
        [(0.9, "failed"), (0.5, "completed"), (0.5, "completed"), (0.6, "killed")]
    ):
        identity = {"sweep": "s", "job": 9 - job, "key": "k", "config_hash": "h"}
        with job_context(**identity, objective={"metric": "score", "mode": "max", "at": "best"}):
            run = tracker.start_run("x")
        run.log({"score": value})
        run.finish(status)
    assert [run.run_id for run in rank(tracker.records(), None, None).runs] == [
        "run_003", "run_002", "run_001", "run_004",
    ]  # fmt: skip
    assert (
        rank(tracker.records(), "score", "min").runs[0].run_id == "run_002"
    )  # not the sweep's: by value alone


@pytest.mark.parametrize(
    "spoiled",
    [
        "text",
        ["list"],
        {"metric": ["x"], "mode": "max"},
        {"metric": "val_auc", "mode": 3},
        {"metric": "val_auc", "mode": "max", "at": {}},
    ],
)
def test_an_objective_that_is_none_decides_nothing(tmp_path: Path, spoiled: Any) -> None:
    tracker = ExperimentTracker(tmp_path)
    runs(tracker, {"metric": "objective", "mode": "min"}, 0.5, 0.25)
    spoilt = [replace(run, sweep={"objective": spoiled}) for run in tracker.records()]
    assert rank(spoilt, None, None).objective == Objective.of("val_auc", "max", "last")


def test_a_metric_and_a_parameter_are_found_in_both_forms_of_an_accent(tmp_path: Path, say: Say) -> None:
    decomposed = "re\u0301gion"
    with ExperimentTracker(tmp_path).start_run("x", params={decomposed: 1}) as run:
        run.log({decomposed: 0.5})
    store = ("--store", str(tmp_path))
    for command in (("compare", "x"), ("best", "x"), ("compare", "x", "--grouped")):
        assert say(*command, "--metric", decomposed, *store)[::2] == (0, "")
    drawn = ("plot", "x", decomposed, "--kind", "scatter", "--param", decomposed)
    assert say(*drawn, *store)[::2] == (0, "")
