"""A sweep is extended by further points: what has a record keeps it, only the new points run, and all are ranked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quadratic import Sweep, await_true

from sweeps.jobs import PlannedJob
from sweeps.plan.plan import Recorded
from sweeps.plan.planner import Planner
from tracking.files import read_json, read_lines, write_json

FIRST = ("-m", "hydra.sweeper.name=first", "hydra.launcher.n_jobs=1")
QUICK = ("track=false", "hydra.sweeper.objective.metric=loss", "hydra.launcher.isolation=reuse")
RESUME = "hydra.sweeper.resume=first"


def started(result: Sweep) -> list[int]:
    return [event["job"] for event in result.events if event["event"] == "started"]


def points(result: Sweep) -> dict[int, dict[str, Any]]:
    return {row["job"]: row["point"] for row in result.rows}


def test_new_points_get_the_next_numbers_and_run_alone(sweep: Callable, podium: Callable) -> None:
    sweep(*FIRST, "x=1,2")
    result = sweep(*FIRST, "x=0,1,2,3", RESUME)
    assert result.code == 0, result.err
    assert "2 new jobs, 4 in all" in result.out
    assert "resumed: 2 of 4 jobs had ended, 2 to run" in result.out
    assert points(result) == {0: {"x": 1}, 1: {"x": 2}, 2: {"x": 0}, 3: {"x": 3}}
    assert [row["job"] for row in result.rows] == [1, 0, 3, 2]
    assert {row["status"] for row in result.rows} == {"completed"}
    assert sorted(started(result)) == [0, 1, 2, 3]
    again = podium("resume", "first")
    assert "nothing to do" in again.out
    assert "finished" in podium("show", "first").out


def test_the_command_takes_further_values_too_and_keeps_what_is_not_named(
    sweep: Callable, podium: Callable
) -> None:
    sweep(*FIRST, "x=1,2", "seed=1,2", *QUICK)
    result = podium("resume", "first", "x=5", "--json")
    assert result.code == 0, result.err
    assert points(result)[4] == {"x": 5, "seed": 1}
    assert len(result.rows) == 6
    notes = [json.loads(line).get("text", "") for line in result.out.splitlines()]
    assert "2 new jobs, 6 in all" in notes
    assert "4 jobs are no longer in the space and stay as they are" in notes
    command = read_json(result.dir / "plan.json")["command"]
    assert command[-1] == "x=5"
    assert not [word for word in command if "resume" in word or "output" in word]
    assert "finished" in podium("show", "first").out


def test_a_word_that_means_the_same_is_answered_with_the_command(podium: Callable) -> None:
    answer = podium("extend", "first", "x=3")
    assert answer.code == 2
    assert "python -m sweeps resume SWEEP KEY=VALUES" in answer.err


def test_a_job_that_never_ended_and_left_the_space_is_named_and_left(
    start: Callable, finish: Callable, podium: Callable, tmp_path: Path
) -> None:
    process = start(*FIRST, "x=1,2,3,4", "fault=waits_at_first_if_three")
    await_true(lambda: list(tmp_path.glob("waiting-*")))
    process.kill()
    finish(process)
    result = podium("resume", "first", "x=1,2,5")
    assert result.code == 0, result.err
    stay = "2 jobs are no longer in the space and stay as they are; unfinished: job 2 (x=3), job 3 (x=4)"
    assert stay in result.out
    assert {row["job"]: row["status"] for row in result.rows} == {
        0: "completed", 1: "completed", 2: "killed", 3: "unfinished", 4: "completed"
    }  # fmt: skip
    assert "Sweep first: finished" in podium("show", "first").out
    back = podium("resume", "first", "x=3,4")
    assert back.code == 0, back.err
    assert {row["status"] for row in back.rows} == {"completed"}
    assert points(back) == {0: {"x": 1}, 1: {"x": 2}, 2: {"x": 3}, 3: {"x": 4}, 4: {"x": 5}}


def test_an_extended_sweep_that_was_killed_goes_on(
    sweep: Callable, start: Callable, finish: Callable, podium: Callable, tmp_path: Path
) -> None:
    fault = "fault=waits_at_first_if_three"
    sweep(*FIRST, "x=1,2", fault)
    process = start(*FIRST, "x=1,2,3,4", fault, RESUME)
    await_true(lambda: list(tmp_path.glob("waiting-*")))
    process.kill()
    finish(process)
    result = podium("resume", "first")
    assert result.code == 0, result.err
    assert points(result) == {0: {"x": 1}, 1: {"x": 2}, 2: {"x": 3}, 3: {"x": 4}}
    assert {row["status"] for row in result.rows} == {"completed"}
    ended = [event["job"] for event in result.events if event["event"] == "finished"]
    assert sorted(ended) == [0, 1, 2, 3]


@pytest.mark.parametrize("further", [(), ("x=1,2,4",)])
def test_a_kill_between_the_plan_and_the_ledger_loses_nothing(
    sweep: Callable, podium: Callable, further: tuple[str, ...]
) -> None:
    first = sweep(*FIRST, "x=1,2", *QUICK)
    plan = read_json(first.dir / "plan.json")
    longer = [word.replace("x=1,2", "x=1,2,3") for word in plan["command"]]
    write_json(first.dir / "plan.json", {**plan, "command": longer, "total": 3})
    assert "interrupted" in podium("show", "first").out
    assert len(json.loads(podium("jobs", "first", "--json").out)) == 3
    result = podium("resume", "first", *further, "--yes")
    assert result.code == 0, result.err
    assert points(result) == {0: {"x": 1}, 1: {"x": 2}, 2: {"x": 4 if further else 3}}
    assert sorted(started(result)) == [0, 1, 2]


def test_other_fixed_values_are_a_changed_config(sweep: Callable) -> None:
    sweep(*FIRST, "x=1,2", *QUICK)
    result = sweep(*FIRST, "x=1,2,3", "seed=1", *QUICK, RESUME)
    assert result.code == 1
    assert "seed: 0 -> 1" in result.err
    assert len(points(sweep(*FIRST, "x=1,2", *QUICK, RESUME))) == 2


@pytest.mark.parametrize(
    ("first", "more", "added"),
    [
        (["hydra.sweeper.mode=zip", "x=1,2", "seed=3,4"], ["x=1,2,3", "seed=3,4,5"], [{"x": 3, "seed": 5}]),
        (["hydra.sweeper.mode=list", "hydra.sweeper.points=[{x: 1}]"], ["hydra.sweeper.points=[{x: 7}, {x: 1}]"],
         [{"x": 7}]),
        (["x=1,2", "hydra.sweeper.repeat=2"], ["hydra.sweeper.repeat=3"], [{"x": 1, "seed": 2}, {"x": 2, "seed": 2}]),
        (["hydra.sweeper.spaces=[{x: 1}, {x: 2}]"], ["hydra.sweeper.spaces=[{x: '3,1'}, {x: 2}]"], [{"x": 3}]),
        (["+y=1,null"], ["+y=nan,null,1,[2]"], [{"y": "NaN"}, {"y": [2]}]),
        (["shape=square"], ["shape=square,triangle"], None),
        (["shape=square,triangle", "x=1"], ["shape=triangle"], []),
        (["x=1,2,3", "hydra.sweeper.filter='x < 3'"], ["hydra.sweeper.filter='x > 0'"], [{"x": 3}]),
    ],
)  # fmt: skip
def test_every_kind_of_space_can_be_extended(
    sweep: Callable, first: list[str], more: list[str], added: list[dict[str, Any]] | None
) -> None:
    before = sweep(*FIRST, *first, *QUICK)
    assert before.code == 0, before.err
    count = len(before.planned)
    result = sweep(*FIRST, *first, *more, *QUICK, RESUME)
    if added is None:  # a key that was not swept
        assert "swept keys: none -> shape" in result.err
        return
    assert result.code == 0, result.err
    new = [point for number, point in sorted(points(result).items()) if number >= count]
    assert new == added
    assert len(started(result)) == len(result.rows)


def test_random_points_are_counted_not_drawn_again(sweep: Callable, podium: Callable) -> None:
    drawn = ("x=int(interval(1,1000000))", "hydra.sweeper.mode=random", *QUICK)
    sweep(*FIRST, *drawn, "hydra.sweeper.n_trials=3")
    result = sweep(*FIRST, *drawn, "hydra.sweeper.n_trials=5", RESUME)
    assert result.code == 0, result.err
    assert "2 new jobs, 5 in all" in result.out
    kept = points(result)
    assert len({point["x"] for point in kept.values()}) == 5
    # As after an update that draws other numbers from a seed: the recorded ones are the sweep's.
    other = podium("resume", "first", "hydra.sweeper.seed=9")
    assert other.code == 0, other.err
    assert "nothing to do" in other.out
    assert points(other) == kept


def test_a_random_point_that_is_not_drawn_any_more_still_runs(
    start: Callable, finish: Callable, podium: Callable, tmp_path: Path
) -> None:
    process = start(
        *FIRST, "x=interval(3,3.5)", "fault=waits", "hydra.sweeper.mode=random", "hydra.sweeper.n_trials=2"
    )
    await_true(lambda: list(tmp_path.glob("waiting-*")))
    process.kill()
    before = finish(process).planned
    again = ("hydra.sweeper.seed=9", "hydra.sweeper.resume_changed=true", "fault=none")
    result = podium("resume", "first", *again)
    assert result.code == 0, result.err
    assert [job["point"] for job in result.planned] == [job["point"] for job in before]
    assert {row["status"] for row in result.rows} == {"completed"}


def test_a_sweep_of_the_old_format_can_be_extended(sweep: Callable, podium: Callable) -> None:
    first = sweep(*FIRST, "x=1,2", *QUICK)
    plan, events = read_json(first.dir / "plan.json"), first.events
    jobs = [event for event in events if event["event"] == "asked"]
    del plan["total"], plan["left"]
    write_json(first.dir / "plan.json", {**plan, "version": 1, "jobs": jobs})
    others = (json.dumps(event) + "\n" for event in events if event["event"] != "asked")
    (first.dir / "jobs.jsonl").write_text("".join(others))
    result = podium("resume", "first", "x=1,2,3")
    assert result.code == 0, result.err
    assert points(result) == {0: {"x": 1}, 1: {"x": 2}, 2: {"x": 3}}
    assert sorted(started(result)) == [0, 1, 2]
    assert len(list(read_lines(first.dir / "jobs.jsonl"))) > len(events)
    assert points(podium("resume", "first")) == points(result)


def test_failures_that_left_the_space_count_and_are_named_when_failed_jobs_are_to_run_again(
    sweep: Callable, podium: Callable
) -> None:
    assert sweep(*FIRST, "x=1,2", "fault=raise", "hydra.sweeper.objective.metric=loss").code == 1
    shifted = ("hydra.sweeper.resume_changed=true", "fault=none")
    result = podium("resume", "first", "x=3", *shifted, "hydra.sweeper.name=other")
    assert "hydra.sweeper.name=other: a resumed sweep keeps its name, first" in result.out
    assert (result.code, [row["status"] for row in result.rows]) == (1, ["completed", "failed", "failed"])
    assert "2 of 3 jobs failed" in result.err
    again = podium("resume", "first", "--failed", "--changed", "x=3")
    assert again.code == 1
    assert "unfinished or failed: job 0 (x=1), job 1 (x=2), give their values too to run them" in again.out
    assert podium("resume", "first", "--failed", "--changed", "x=1,2,3").code == 0


class Nothing:
    """Composes nothing."""

    def prepare(self, points: Any) -> None:
        list(points)


VALUES = st.lists(st.sampled_from(range(12)), unique=True, max_size=8)


@given(VALUES, VALUES, st.sets(st.integers(0, 7), max_size=2), st.booleans())
def test_a_recorded_point_keeps_its_number_and_no_number_is_given_twice(
    before: list[int], now: list[int], lost: set[int], random: bool
) -> None:
    jobs = {
        number: PlannedJob(number, ("seed=1", f"x={value}"), {"x": value})
        for number, value in enumerate(before)
        if number not in lost
    }
    missing = [number for number in range(len(before)) if number in lost]
    settings = type("Settings", (), {"check": None})()
    planner = Planner(Nothing(), ("seed=1",), settings, Recorded(jobs, missing, random))
    numbers = planner.add([(f"x={value}",) for value in now])
    planned = {job.number: job.point["x"] for job in planner.planned()}
    assert planned == {number: job.point["x"] for number, job in jobs.items()} | {
        number: int(point[0].removeprefix("x=")) for number, point in planner.points.items()
    }
    assert sorted(numbers) == sorted(planner.points)
    assert len(planner.points) == len(now)
    assert set(planner.left) == set(jobs) - set(planner.points)
    for number, job in jobs.items():
        assert planned[number] == job.point["x"]
        assert number in planner.points or random or job.point["x"] not in now
    assert planner.total == max([len(before), *(number + 1 for number in numbers)])
    if not random:
        assert sorted(planned[number] for number in numbers) == sorted(now)


@given(
    st.lists(st.integers(0, 3), max_size=6),
    st.lists(st.integers(0, 3), max_size=6),
    st.sets(st.integers(0, 6)),
)
def test_a_search_keeps_each_recorded_point_and_numbers_those_that_follow(
    before: list[int], now: list[int], lost: set[int]
) -> None:
    shared = ("seed=1", "~there")
    jobs = {
        number: PlannedJob(number, (*shared, "~gone", f"x={value}"), {"x": value})
        for number, value in enumerate(before)
        if number not in lost
    }
    missing = [number for number in range(len(before)) if number in lost]
    settings = type("Settings", (), {"check": None})()
    planner = Planner(Nothing(), shared, settings, Recorded(jobs, missing))
    assert planner.restore() == sorted(jobs)
    assert planner.points == {number: ("~gone", f"x={job.point['x']}") for number, job in jobs.items()}
    assert not planner.left
    added = [planner.place((f"x={value}",)) for value in now]  # also such as there were
    assert [job.number for job in added] == list(range(len(before), len(before) + len(now)))
    assert [job.point["x"] for job in added] == now
    assert [job.number for job in planner.planned()] == sorted([*jobs, *(job.number for job in added)])
