"""A search goes on where it stopped: after an order to stop, with more jobs to come, and not with another space."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import pytest
from quadratic import Sweep, await_true

from sweeps.ranking.status import SweepState, sweep_status
from tracking.files import read_lines

Search = Callable[..., Sweep]
X = "x=interval(0.0,1.0)"
ASHA: dict[str, Any] = {"mode": "tpe", "schedule": "asha", "name": "mine"}


def asked(folder: Path) -> list[dict[str, Any]]:
    return [event for event in read_lines(folder / "jobs.jsonl") if event["event"] == "asked"]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The folder of the sweep."""
    return tmp_path / "experiments" / "sweeps" / "mine"


def test_a_search_that_is_stopped_goes_on_with_the_job_that_it_stopped(
    search: Search, mine: Path, tmp_path: Path
) -> None:
    settings = {**ASHA, "n_trials": 6}
    given = [f"hydra.sweeper.{name}={value}" for name, value in settings.items()]
    app = Path(__file__).parents[1] / "apps" / "learner" / "app.py"
    environment = {**os.environ, "PYTHONPATH": str(app.parents[4])}
    process = forked.start(str(app), "-m", X, "fault=slow", *given, cwd=tmp_path, env=environment)
    await_true(lambda: (mine / "jobs.jsonl").exists() and len(asked(mine)) == 3)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert sweep_status(mine).state is SweepState.INTERRUPTED
    before = asked(mine)
    sweep = search(X, "fault=slow", **settings, resume="mine")
    assert sweep.code == 0, sweep.out + sweep.err
    assert asked(mine)[: len(before)] == before
    assert [event["job"] for event in asked(mine)] == list(range(6))
    assert sweep_status(mine).state is SweepState.FINISHED
    assert all(row["status"] in ("completed", "pruned") for row in sweep.rows)


def test_a_search_that_is_over_has_nothing_to_do_until_it_gets_more_jobs(
    search: Search, podium: Callable[..., Sweep], mine: Path
) -> None:
    assert search(X, **ASHA, n_trials=4).code == 0
    again = podium("resume", "mine")
    assert again.code == 0, again.err
    assert "nothing to do" in again.out
    before = asked(mine)
    longer = podium("resume", "mine", "hydra.sweeper.n_trials=7")
    assert longer.code == 0, longer.err
    assert "resumed: 4 of 7 jobs had ended, the search goes on" in longer.out
    assert asked(mine)[:4] == before
    assert len(asked(mine)) == 7
    plan = json.loads((mine / "plan.json").read_text())
    assert plan["search"]["n_trials"] == 7
    assert podium("resume", "mine").code == 0  # with what it was extended to
    assert len(asked(mine)) == 7


@pytest.mark.parametrize("more", [{"budget": "null", "n_trials": 9}, {"budget": "60"}])
def test_a_search_whose_time_is_over_says_so_and_goes_on_when_it_gets_another_end(
    search: Search, podium: Callable[..., Sweep], mine: Path, more: dict[str, object]
) -> None:
    short = {"mode": "random", "schedule": "asha", "name": "mine", "budget": "1s"}
    assert search(X, "fault=slow", **short).code == 0
    before = len(asked(mine))
    again = podium("resume", "mine")
    assert "nothing to do, its search is over: the time of the budget is spent" in again.out
    shown = podium("show", "mine")
    assert "; over: the time of the budget is spent" in shown.out
    assert " of 1 s spent" in shown.out
    longer = podium("resume", "mine", *(f"hydra.sweeper.{name}={value}" for name, value in more.items()))
    assert longer.code == 0, longer.err
    assert "the search goes on" in longer.out
    assert len(asked(mine)) > before


def test_a_search_whose_last_session_died_at_its_end_is_over_once_it_is_resumed(
    search: Search, mine: Path
) -> None:
    assert search(X, **ASHA, n_trials=4).code == 0
    lines = (mine / "jobs.jsonl").read_text().splitlines(keepends=True)
    assert '"event":"ended"' in lines[-1]
    (mine / "jobs.jsonl").write_text("".join(lines[:-1]))
    assert sweep_status(mine).state is SweepState.INTERRUPTED
    again = search(X, **ASHA, n_trials=4, resume="mine")
    assert again.code == 0, again.err
    assert "nothing to do" in again.out
    assert sweep_status(mine).state is SweepState.FINISHED


@pytest.mark.parametrize(
    ("overrides", "settings", "said"),
    [
        (("x=interval(0.0,2.0)",), {}, "search.space.x: 0 to 1 -> 0 to 2"),
        ((X,), {"eta": 4}, "search.eta: 2.0 -> 4.0"),
        ((X,), {"mode": "random"}, "search.mode: tpe -> random"),
        ((X, "seed=3"), {}, "search.first_seed: 0 -> 3"),
        ((X, "epochs=8"), {}, "epochs: 9 -> 8"),
    ],
)
def test_another_space_and_other_rules_are_refused_unless_they_are_accepted(
    search: Search, mine: Path, overrides: tuple[str, ...], settings: dict[str, Any], said: str
) -> None:
    assert search(X, **ASHA, n_trials=5, confirm=2).code == 0
    refused = search(*overrides, **{**ASHA, "n_trials": 7, "confirm": 2, **settings}, resume="mine")
    assert refused.code == 1
    assert said in refused.err
    assert "its search, its config or its code changed" in refused.err
    accepted = search(
        *overrides, **{**ASHA, "n_trials": 7, "confirm": 2, **settings}, resume="mine", resume_changed="true"
    )
    assert accepted.code == 0, accepted.out + accepted.err
    assert len(asked(mine)) == 7


def test_a_search_that_confirmed_nothing_may_do_so_when_it_is_resumed(search: Search, mine: Path) -> None:
    assert search(X, **ASHA, n_trials=6, confirm=0).code == 0
    longer = search(X, **ASHA, n_trials=9, confirm=2, resume="mine")
    assert longer.code == 0, longer.err
    assert len([event for event in asked(mine) if event["repeats"] is not None]) == 2


def test_another_key_is_another_search(search: Search, mine: Path) -> None:
    assert search(X, **ASHA, n_trials=3).code == 0
    refused = search(X, "y=1,2", **ASHA, n_trials=5, resume="mine")
    assert refused.code == 1
    assert "a new search with warm_start=mine learns from the jobs that fit" in refused.err


def test_a_search_is_no_sweep_of_listed_points(search: Search) -> None:
    assert search("x=0.1,0.2", name="mine").code == 0
    refused = search("x=0.1,0.2", **ASHA, n_trials=4, resume="mine")
    assert refused.code == 1
    assert "jobs: points of a list -> a search" in refused.err


def test_the_commands_that_look_at_a_sweep_look_at_a_search(
    search: Search, podium: Callable[..., Sweep]
) -> None:
    assert search(X, **ASHA, n_trials=6).code == 0
    for words in (
        ("list",),
        ("show", "mine"),
        ("leaderboard", "mine"),
        ("jobs", "mine", "--status", "pruned"),
        ("logs", "mine", "0"),
        ("aggregate", "mine"),
    ):
        answer = podium(*words)
        assert answer.code == 0, (words, answer.err)
    shown = json.loads(podium("show", "mine", "--json").out)
    assert shown["state"] == "finished"


@pytest.mark.parametrize("longer", [{"budget": "60s"}, {"budget": None}, {"budget": 60}])
def test_a_search_whose_time_is_over_goes_on_with_more_of_it(
    search: Search, mine: Path, longer: dict[str, Any]
) -> None:
    before = search(X, "fault=slow", **ASHA, budget="2s", n_trials=40)
    assert before.code == 0, before.err
    jobs = len(asked(mine))
    assert jobs < 40
    more = {**ASHA, "budget": "2s", "n_trials": jobs + 3, **longer}
    after = search(
        X,
        "fault=slow",
        **{name: value if value is not None else "null" for name, value in more.items()},
        resume="mine",
    )
    assert after.code == 0, after.err
    assert len(asked(mine)) == jobs + 3
