"""Searches from start to end: what they decide, what they make of failures, and what they leave behind."""

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from quadratic import Sweep, completed

from tracking import ExperimentTracker

Search = Callable[..., Sweep]
X = "x=interval(0.0,1.0)"


def of_kind(sweep: Sweep, kind: str) -> list[dict[str, Any]]:
    return [event for event in sweep.events if event["event"] == kind]


def test_a_mode_that_learns_runs_as_many_jobs_as_asked_the_config_first(search: Search) -> None:
    sweep = completed(search(X, mode="tpe", n_trials=6))
    points = [event["point"] for event in sweep.planned]
    assert len(points) == 6
    assert points[0] == {"x": 0.5}
    assert len({point["x"] for point in points}) == 6
    assert [row["status"] for row in sweep.rows] == ["completed"] * 6
    assert json.loads((sweep.dir / "plan.json").read_text())["search"]["mode"] == "tpe"


def test_a_slot_is_asked_when_it_is_free_and_the_search_hears_of_every_end(search: Search) -> None:
    sweep = completed(search(X, mode="random", n_trials=4, budget=1000))
    kinds = [(event["event"], event.get("job")) for event in sweep.events]
    for before, after in pairwise(range(4)):
        assert kinds.index(("finished", before)) < kinds.index(("asked", after))
    told = [event["told"] for event in of_kind(sweep, "finished")]
    assert [each["kind"] for each in told] == ["completed"] * 4
    assert [each["epochs"] for each in told] == [9] * 4


def test_jobs_behind_pause_and_go_on_in_their_run_when_they_are_among_the_best(search: Search) -> None:
    sweep = completed(search(X, mode="random", schedule="asha", n_trials=9))
    assert len(of_kind(sweep, "rung")) > len(of_kind(sweep, "finished")) / 2
    moved = [event["job"] for event in of_kind(sweep, "resumed")]
    assert moved
    states = {row["job"]: (row["status"], row["epochs"]) for row in sweep.rows}
    assert {"completed", "pruned"} == {status for status, _ in states.values()}
    assert all(epochs == 9 for status, epochs in states.values() if status == "completed")
    assert all(epochs < 9 for status, epochs in states.values() if status == "pruned")
    assert len(list((sweep.cwd / "experiments" / "runs").glob("run_*"))) == 9
    assert "goes on to" in sweep.out
    rows = sorted((row for row in sweep.rows), key=lambda row: row["objective"])
    assert rows[0]["status"] == "completed"  # the best one has gone all the way


def test_an_app_that_only_logs_is_ended_and_its_runs_are_pruned(search: Search) -> None:
    long = ("asks=false", "fault=slow", "epochs=40")  # so that a signal is in time on a loaded machine
    asha = {"mode": "random", "schedule": "asha", "max_epochs": 40, "min_epochs": 3}
    sweep = completed(search(X, *long, **asha, n_trials=5, resumes="false"))
    statuses = {str(record.status) for record in ExperimentTracker(sweep.cwd / "experiments").records()}
    assert statuses == {"completed", "pruned"}
    assert not of_kind(sweep, "resumed")
    pruned = [row for row in sweep.rows if row["status"] == "pruned"]
    assert all(row["objective"] is not None for row in pruned)


def test_a_median_rule_ends_jobs(search: Search) -> None:
    sweep = completed(search(X, mode="random", schedule="median", n_trials=8))
    assert {row["status"] for row in sweep.rows} == {"completed", "pruned"}


def test_parameters_that_fail_count_as_the_worst_and_the_search_leaves_them(search: Search) -> None:
    sweep = completed(search(X, "fault=region", mode="tpe", n_trials=24))
    failed = [event["job"] for event in of_kind(sweep, "finished") if event["status"] == "failed"]
    assert failed
    assert len([job for job in failed if job >= 16]) <= 4
    assert sweep.rows[0]["status"] == "completed"
    assert {event["told"]["kind"] for event in of_kind(sweep, "finished")} == {"completed", "failed"}


def test_a_value_that_is_no_number_never_wins(search: Search) -> None:
    sweep = completed(search(X, "fault=spoils", mode="tpe", schedule="asha", n_trials=10))
    spoiled = [row for row in sweep.rows if row["point"]["x"] > 0.6]
    assert spoiled
    assert all(row["rank"] is None for row in spoiled)
    assert sweep.rows[0]["rank"] == 1
    assert math.isfinite(sweep.rows[0]["objective"])


def test_a_job_that_the_machine_has_lost_is_begun_again(search: Search) -> None:
    sweep = completed(
        search("x=interval(0.6,1.0)", "fault=dies_once", mode="random", n_trials=4, budget=1000)
    )
    lost = [event["job"] for event in of_kind(sweep, "finished") if event["told"]["kind"] == "lost"]
    assert lost
    assert [event["job"] for event in of_kind(sweep, "resumed")] == lost
    assert f"job {lost[0]} was lost (killed by SIGKILL) and begins again" in sweep.out
    assert [row["status"] for row in sweep.rows] == ["completed"] * 4
    assert len(sweep.planned) == 4


@pytest.mark.parametrize("output", ["lines", "json"])
def test_a_job_that_goes_on_at_once_beside_others_is_not_lost(search: Search, output: str) -> None:
    sweep = completed(
        search(
            X,
            "hydra.launcher.n_jobs=2",
            mode="random",
            schedule="asha",
            n_trials=12,
            confirm=2,
            output=output,
        )
    )
    moved = [event["job"] for event in of_kind(sweep, "resumed")]
    assert moved
    attempts: dict[int, int] = {}
    for event in of_kind(sweep, "started"):
        attempts[event["job"]] = attempts.get(event["job"], 0) + 1
        assert event["attempt"] == attempts[event["job"]]
    if output == "json":
        told = [json.loads(line) for line in sweep.out.splitlines()]
        assert [(each["job"], each["was_lost"]) for each in told if each["event"] == "resumed"] == [
            (job, False) for job in moved
        ]
    else:
        assert "was lost" not in sweep.out
        assert sweep.out.count("goes on to") == len(moved)


def test_a_job_whose_code_crashes_has_failed_and_is_not_begun_again(search: Search) -> None:
    sweep = completed(search("x=interval(0.6,1.0)", "fault=crashes", mode="random", n_trials=3, budget=1000))
    crashed = [event for event in of_kind(sweep, "finished") if event["status"] == "killed"]
    assert {event["error"] for event in crashed} == {"killed by SIGSEGV"}
    assert {event["told"]["kind"] for event in crashed} == {"failed"}
    assert not of_kind(sweep, "resumed")
    assert len(of_kind(sweep, "started")) == 3


def test_the_last_jobs_repeat_the_best_ones_with_new_seeds(search: Search) -> None:
    sweep = completed(search(X, mode="random", schedule="asha", n_trials=10, confirm=2))
    repeats = [event for event in sweep.planned if event["repeats"] is not None]
    assert len(repeats) == 2
    assert {event["point"]["seed"] for event in repeats} <= {1, 2}
    originals = {event["job"]: event["point"] for event in sweep.planned}
    for event in repeats:
        assert event["point"]["x"] == originals[event["repeats"]]["x"]
    assert "with another seed" in sweep.out
    assert "±" in sweep.out


def test_without_a_seed_nothing_is_confirmed(search: Search) -> None:
    sweep = completed(search(X, mode="random", n_trials=5, budget=900, confirm=2, seed_key="luck"))
    assert "the config has no luck for repeats to differ in" in sweep.out
    assert "no job confirms the best ones" in sweep.out
    assert len(sweep.planned) == 5
    assert all(event["repeats"] is None for event in sweep.planned)


def test_a_grid_can_be_judged_too(search: Search) -> None:
    sweep = completed(search("x=0.1,0.2,0.3,0.4,0.6,0.8", mode="grid", schedule="asha"))
    assert [event["point"]["x"] for event in sweep.planned] == [0.1, 0.2, 0.3, 0.4, 0.6, 0.8]
    assert {row["status"] for row in sweep.rows} == {"completed", "pruned"}
    assert sweep.rows[0]["point"]["x"] == 0.2
    assert ": 6 jobs, results in" in sweep.out
    assert "the search is over" not in sweep.out
    assert of_kind(sweep, "ended")[-1]["why"] == "all of its points have begun"


def test_a_length_that_no_job_has_is_told(search: Search) -> None:
    sweep = completed(search(X, "epochs=4", mode="random", schedule="asha", n_trials=2, max_epochs=1000))
    assert "no job was judged: the first judgement is after 62 values of loss, and jobs log 4" in sweep.out


def test_several_objectives_are_searched(search: Search) -> None:
    sweep = completed(search("--config-name=two", X, mode="tpe", n_trials=8))
    assert all(len(event["told"]["values"]) == 2 for event in of_kind(sweep, "finished"))
    assert sum(row["rank"] == 1 for row in sweep.rows) > 1


@pytest.mark.parametrize(
    ("config", "objective", "schedule", "verdict"),
    [
        ("config", "{metric: auc}", "asha", "not judged before it ends and not ranked"),
        ("two", "[{metric: loss},{metric: auc}]", "none", "not ranked"),
    ],
)
def test_the_first_job_that_lacks_an_objective_is_told_at_once(
    search: Search, config: str, objective: str, schedule: str, verdict: str
) -> None:
    sweep = search(
        f"--config-name={config}", X, mode="qmc", schedule=schedule, n_trials=3, objective=objective
    )
    assert sweep.code == 1
    assert f"job 0 logged cost, loss, not auc: a job without it is {verdict}" in sweep.out, sweep.err
    assert sweep.out.count("not auc") == 1
    assert sweep.out.index("job 0 logged") < sweep.out.index("job 1  completed")


def test_a_bound_that_is_broken_is_told(search: Search) -> None:
    sweep = completed(search(X, mode="tpe", n_trials=6, constraints="['cost <= 4']"))
    for event in of_kind(sweep, "finished"):
        (violation,) = event["told"]["violations"].values()
        x = sweep.planned[event["job"]]["point"]["x"]
        assert violation == pytest.approx(10 * x - 4)
    assert sweep.rows[0]["point"]["x"] <= 0.4


def test_a_bound_counts_at_a_judgement(search: Search) -> None:
    sweep = completed(
        search(X, mode="random", schedule="asha", n_trials=12, seed=3, constraints="['cost >= 3']")
    )
    far = {event["job"] for event in sweep.planned if event["point"]["x"] >= 0.3}
    assert 0 < len(far) < 12  # the losses are lowest at x = 0.2
    arrivals = [each for event in of_kind(sweep, "rung") for each in event["arrivals"]]
    assert all((each["violations"]["cost >= 3"] <= 0) == (each["job"] in far) for each in arrivals)
    went_on = [int(job) for event in of_kind(sweep, "rung") for job in event["go_on"]]
    went_on += [event["job"] for event in of_kind(sweep, "resumed")]
    assert went_on
    assert set(went_on) <= far
    assert sweep.rows[0]["job"] in far


def test_a_search_ends_when_its_epochs_are_spent(search: Search) -> None:
    sweep = completed(search(X, mode="random", schedule="asha", budget=30))
    spent = sum(row["epochs"] for row in sweep.rows)
    assert 25 <= spent <= 39


def test_a_search_ends_when_its_time_is_over(search: Search) -> None:
    sweep = completed(search(X, "fault=slow", mode="random", schedule="asha", budget="3s"))
    assert of_kind(sweep, "clock")[-1]["share"] >= 1
    assert of_kind(sweep, "ended")[-1]["over"] is True
    assert len(sweep.planned) >= 1


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"target": 0.3}, "the target is reached"),
        ({"patience": 3}, "3 jobs have come to nothing better"),
        ({"budget": 20}, "the budget of 20 epochs has no room for another job"),
    ],
)
def test_a_search_ends_early_when_it_has_what_it_wants_and_says_why(
    search: Search, settings: dict[str, Any], why: str
) -> None:
    sweep = completed(search(X, mode="random", n_trials=40, **settings))
    assert 1 <= len(sweep.planned) < 40
    assert why in sweep.out
    ended = of_kind(sweep, "ended")[-1]
    assert (ended["over"], ended["why"]) == (True, why)


def test_jobs_of_a_group_run_a_few_at_once_in_one_process(search: Search, tmp_path: Path) -> None:
    (tmp_path / "alike.py").write_text("def key(config): return 'all'\n")
    sweep = completed(search(X, mode="random", schedule="asha", n_trials=20, fuse_key="alike.key"))
    started = of_kind(sweep, "started")
    assert len({event["pid"] for event in started}) < len(started) / 3
    running: set[int] = set()
    most = 0
    for event in sweep.events:
        if event["event"] == "started":
            running.add(event["job"])
        elif event["event"] == "finished":
            running.discard(event["job"])
        most = max(most, len(running))
    assert most == 2
    assert any(len(event["arrivals"]) == 2 for event in of_kind(sweep, "rung"))


def test_a_schedule_that_can_judge_no_job_says_so(search: Search) -> None:
    sweep = completed(search(X, "epochs=1", mode="random", schedule="asha", n_trials=2, max_epochs=1))
    assert "its schedule judges no job" in sweep.out
    assert [row["status"] for row in sweep.rows] == ["completed"] * 2


def test_a_preview_of_a_search_says_how_it_goes_on_and_starts_nothing(search: Search) -> None:
    sweep = completed(search(X, mode="tpe", schedule="asha", n_trials=40, confirm="10%", dry_run="true"))
    assert "the search (tpe) goes on from these 4 jobs, until 40 jobs" in sweep.out
    assert "the last 4 jobs repeat the best with other seeds" in sweep.out
    assert "asha judges jobs after 3, 6 epochs; those behind pause and may go on later" in sweep.out
    assert not (sweep.cwd / "experiments").exists()


def test_a_script_reads_what_the_search_decides(search: Search) -> None:
    sweep = completed(search(X, mode="random", schedule="asha", n_trials=6, confirm=2, output="json"))
    events = [json.loads(line) for line in sweep.out.splitlines()]
    kinds = {event["event"] for event in events}
    assert {"asked", "rung", "resumed", "finished", "leaderboard"} <= kinds
    judged = [event for event in events if event["event"] == "rung"]
    assert all(set(event) >= {"job", "level", "values", "goes_on", "until"} for event in judged)
    assert [event["jobs"] for event in events if event["event"] == "began"] == [6]


def test_a_search_whose_ledger_cannot_be_written_stops_and_says_so(search: Search) -> None:
    sweep = search(X, "fault=breaks_the_ledger", mode="random", schedule="asha", n_trials=5)
    assert sweep.code == 1
    assert "the sweep's records cannot be kept" in sweep.err


def test_a_search_that_cannot_suggest_stops_and_ranks_what_it_has(search: Search, tmp_path: Path) -> None:
    (tmp_path / "optuna").mkdir()
    (tmp_path / "optuna" / "__init__.py").write_text("raise ImportError('it is broken')\n")
    sweep = search(X, mode="tpe", n_trials=30)
    assert sweep.code == 1
    assert "stopped, because the search cannot suggest a point: ImportError: it is broken" in sweep.err
    assert "Traceback" not in sweep.err
    assert any(row["status"] == "completed" for row in sweep.rows)
    assert of_kind(sweep, "ended")[-1]["over"] is False
    refused = search(X, mode="nsga2", n_trials=30, enqueue_defaults="false")
    assert refused.code == 1
    assert "mode=nsga2: it is broken" in refused.err


def test_a_launcher_that_is_not_podiums_is_refused(search: Search) -> None:
    sweep = search("--config-name=basic", X, mode="random", schedule="asha", n_trials=2)
    assert sweep.code == 1
    assert "needs podium's launcher" in sweep.err
