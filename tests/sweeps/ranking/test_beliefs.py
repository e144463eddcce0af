"""What a search has come to, from the files of its sweep alone: also while it runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from search_written import NAME, SEARCH, Written, curve, three_jobs

from sweeps.cli.app import main
from sweeps.cli.show_search import of_search
from sweeps.ranking.beliefs import comparable
from sweeps.ranking.status import SweepStatus
from sweeps.state.lock import locked


@pytest.fixture
def sweep(tmp_path: Path) -> Written:
    return three_jobs(tmp_path)


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def say(*words: str) -> str:
        assert main(["show", NAME, *words, "--store", str(tmp_path)]) == 0
        return capsys.readouterr().out

    return say


def plain_of(found: SweepStatus) -> dict[str, Any]:
    known = of_search(found)
    assert known is not None
    return known.as_plain()


def test_show_tells_the_best_the_rungs_and_the_epochs(sweep: Written, say: Callable[..., str]) -> None:
    text = say()
    assert "search     tpe, schedule asha: 3 of 40 jobs so far" in text
    assert "best       0.8999, job 1 (run_003)" in text
    assert "best point rate=0.1; in the lead since 4 of 22 epochs" in text
    assert "rungs      after 2 epochs: 3 jobs, 2 paused; the next to go on is job 2 (0.4425)" in text
    assert "           after 6 epochs: 1 job, 0 paused\n" in text
    assert "epochs     22 spent, 32 saved (59%)" in text
    assert "importance cannot tell yet: 3 of at least 20 jobs" in text
    assert "jobs       3: 1 completed, 2 pruned" in text


def test_the_list_tells_the_best_of_a_search_before_its_first_leaderboard(
    sweep: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    def first() -> dict[str, Any]:
        assert main(["list", "--json", "--store", str(sweep.store)]) == 0
        (found,) = json.loads(capsys.readouterr().out)
        return dict(found)

    found = first()
    assert (found["completed"], found["pruned"], found["jobs"]) == (1, 2, 3)
    assert (found["best"], found["run"]) == (curve(0.9, 18), "run_003")
    sweep.ask(3)
    told = {"kind": "completed", "values": [0.99], "epochs": 18, "violations": {"size <= 1": 2.0}}
    sweep.tell("finished", job=3, status="completed", wall_s=1.0, runs=[], told=told)
    sweep.ask(4)
    told = {"kind": "failed", "values": [0.99], "epochs": 18, "violations": {}}
    sweep.tell("finished", job=4, status="failed", wall_s=1.0, runs=[], told=told)
    assert first()["best"] == curve(0.9, 18)
    assert main(["list", "--store", str(sweep.store)]) == 0
    assert "4/5" in capsys.readouterr().out


def test_show_tells_why_a_search_is_over_and_what_of_its_budget_is_spent(
    tmp_path: Path, say: Callable[..., str]
) -> None:
    written = Written(
        tmp_path, search={**SEARCH, "n_trials": None, "budget_epochs": 1000, "budget_s": 7200.0}
    )
    written.tell("began", slots=1)
    written.ask(0)
    written.finish(0, 0.9, 18, "completed")
    running = say()
    assert "search     tpe, schedule asha: 1 job so far\n" in running
    assert "epochs     18 of 1,000 spent" in running
    assert "time       0 s of 2 h spent" in running
    assert json.loads(say("--json"))["search"]["over"] is None
    written.tell("ended", over=True, why="the target is reached")
    assert "search     tpe, schedule asha: 1 job; over: the target is reached\n" in say()
    assert json.loads(say("--json"))["search"]["over"] == "the target is reached"
    written.tell("began", slots=1)  # it goes on
    assert "1 job so far" in say()


def test_show_tells_the_same_as_data(sweep: Written, say: Callable[..., str]) -> None:
    found = json.loads(say("--json"))["search"]
    best = found["best"]
    assert (best["job"], best["value"], best["point"], best["epochs"]) == (
        1,
        curve(0.9, 18),
        {"optimizer.rate": 0.1},
        18,
    )
    assert found["rungs"] == [
        {"level": 2, "jobs": 3, "paused": [2, 0], "best": curve(0.7, 2)},
        {"level": 6, "jobs": 1, "paused": [], "best": None},
    ]
    assert best["leads_since"] == {"jobs": 0, "epochs": 4}
    assert found["epochs"] == {"spent": 22, "saved": 32}
    assert found["importance"]["why"] == "3 of at least 20 jobs"


def test_while_it_runs_a_job_that_goes_on_is_not_paused(sweep: Written) -> None:
    sweep.tell("started", job=2, attempt=2)
    with locked(sweep.folder):
        found = sweep.now()
        assert found.counts == {"completed": 1, "pruned": 1, "running": 1}
        plain = plain_of(found)
    assert [each["paused"] for each in plain["rungs"]] == [(0,), ()]
    assert plain["epochs"] == {"spent": 22, "saved": 16}


def test_a_paused_job_may_be_the_best_and_is_no_failure(tmp_path: Path) -> None:
    written = Written(tmp_path)
    for job, quality in enumerate((0.5, 0.99)):
        written.ask(job)
        written.judge(6, job_0=0.5) if job == 0 else written.judge(6, job_1=0.99)
        written.finish(job, quality, 6)
    written.ask(2)
    written.finish(2, 0.6, 18, "completed")
    board = written.now().board
    assert [(row.rank, row.job, row.how, row.epochs, row.error) for row in board.rows] == [
        (1, 1, "pruned", 6, None),
        (2, 2, "completed", 18, None),
        (3, 0, "pruned", 6, None),
    ]


@pytest.mark.parametrize("logged", [2, 5, 17])
def test_what_a_stopped_job_logs_after_its_judgement_counts_for_nothing(tmp_path: Path, logged: int) -> None:
    written = Written(tmp_path, constraints=("val_auc >= 0.1",))
    written.ask(0)
    written.tell(
        "rung",
        arrivals=[
            {
                "job": 0,
                "level": 2,
                "values": [curve(0.1, 2)],
                "violations": {"val_auc >= 0.1": 0.1 - curve(0.1, 2)},
            }
        ],
        go_on={},
    )
    written.finish(0, 0.1, logged)
    written.ask(1)
    written.judge(2, 1, job_1=0.9)
    written.finish(1, 0.9, 9, "completed")
    (best, row) = written.now().board.rows
    assert (best.job, best.objective, best.epochs) == (1, curve(0.9, 9), 9)
    assert (row.objective, row.epochs, row.is_feasible) == (curve(0.1, 2), 2, False)


def test_a_job_that_went_on_has_the_value_of_its_last_judgement(sweep: Written) -> None:
    sweep.tell("resumed", job=0, until=6)
    sweep.judge(6, job_0=0.6)
    sweep.finish(0, 0.6, 11)
    (row,) = (row for row in sweep.now().board.rows if row.job == 0)
    assert (row.objective, row.epochs) == (curve(0.6, 6), 6)


def test_an_app_that_cannot_go_on_has_stopped_jobs_and_none_comes_next(
    tmp_path: Path, say: Callable[..., str]
) -> None:
    written = Written(tmp_path, search={**SEARCH, "resumes": False, "max_epochs": None})
    written.ask(0)
    written.judge(2, job_0=0.5)
    written.finish(0, 0.5, 2)
    text = say()
    assert "rungs      after 2 epochs: 1 job, 1 stopped\n" in text
    assert "epochs     2 spent\n" in text


def test_a_search_without_a_job_yet_is_shown(tmp_path: Path, say: Callable[..., str]) -> None:
    Written(tmp_path)
    assert "search     tpe, schedule asha: 0 of 40 jobs so far" in say()
    assert json.loads(say("--json"))["search"]["best"] is None


def test_a_sweep_without_a_search_has_none(tmp_path: Path, say: Callable[..., str]) -> None:
    Written(tmp_path, search=None)
    assert json.loads(say("--json"))["search"] is None
    assert "importance" not in say()


def test_importance_compares_jobs_at_the_level_that_half_of_them_reached(
    tmp_path: Path, say: Callable[..., str]
) -> None:
    written = Written(tmp_path)
    qualities = [1 - abs(job - 11) / 20 for job in range(24)]
    for job, quality in enumerate(qualities):
        written.ask(job)
        written.judge(2, job, **{f"job_{job}": quality})
        if job >= 8:
            written.judge(6, **{f"job_{job}": quality})
        written.finish(job, quality, 6 if job >= 8 else 2)
    found = written.now()
    points, values, level = comparable(found.board, found.history.reached)
    assert (level, len(points)) == (6, 16)
    assert values == [curve(quality, 6) for quality in qualities[8:]]
    for job in range(24, 48):
        written.ask(job)
        written.judge(2, **{f"job_{job}": 0.1})
        written.finish(job, 0.1, 2)
    found = written.now()
    points, values, level = comparable(found.board, found.history.reached)
    assert (level, len(points)) == (2, 48)
    assert "importance rate 100%; of 48 jobs after 2 epochs, R2 " in say()


def test_a_job_that_was_complete_before_the_level_counts_with_its_end_and_one_after_it_does_not(
    tmp_path: Path,
) -> None:
    written = Written(tmp_path)
    for job, (epochs, status) in enumerate([(6, "pruned"), (4, "completed"), (18, "completed")]):
        written.ask(job)
        if status == "pruned":
            written.judge(6, job_0=0.5)
        written.finish(job, 0.5, epochs, status)
    found = written.now()
    points, values, level = comparable(found.board, found.history.reached)
    assert (level, values) == (6, [curve(0.5, 6), curve(0.5, 4)])
    assert points == [{"optimizer.rate": 1.0}, {"optimizer.rate": 0.1}]


@pytest.mark.parametrize(
    "damaged", [{"arrivals": [{"job": 1}], "go_on": {}}, {"arrivals": 3, "go_on": {}}, {"arrivals": []}]
)
def test_a_damaged_judgement_is_left_out(sweep: Written, damaged: dict[str, Any]) -> None:
    before = sweep.now().history.reached
    sweep.tell("rung", **damaged)
    assert sweep.now().history.reached == before


def test_a_search_is_finished_when_it_says_so_itself(sweep: Written, say: Callable[..., str]) -> None:
    sweep.tell("began", slots=1)
    assert sweep.now().state == "interrupted"
    assert "(its search is not over)" in say()
    sweep.tell("ended", over=False)
    assert sweep.now().state == "interrupted"
    sweep.tell("began", slots=1)
    sweep.tell("ended", over=True)
    assert sweep.now().state == "finished"
    assert "2 paused\n" in say()  # and none goes on any more
    sweep.tell("began", slots=1)  # resumed with a larger budget, and killed
    assert sweep.now().state == "interrupted"


def test_the_swept_keys_of_a_search_are_shown_with_what_it_draws_from(
    tmp_path: Path, say: Callable[..., str]
) -> None:
    Written(tmp_path, search={**SEARCH, "space": {"optimizer.rate": "log, 1e-05 to 0.1"}})
    assert "swept      optimizer.rate: log, 1e-05 to 0.1" in say()


def test_the_seed_is_a_column_once_the_search_has_repeated_a_job(tmp_path: Path) -> None:
    written = Written(tmp_path, repeats=("seed",), seed_key="seed", swept=("optimizer.rate", "seed"))
    for job in range(2):
        written.ask(job)
        written.finish(job, 0.5 + job / 10, 18, "completed")
    assert written.now().board.swept == ("optimizer.rate",)
    written.tell(
        "asked", job=2, point={"optimizer.rate": 0.1, "seed": 1}, overrides=[], key=None, config_hash=None
    )
    board = written.now().board
    assert board.swept == ("optimizer.rate", "seed")
    assert board.candidates == ()
    written.finish(2, 0.4, 18, "completed")
    board = written.now().board
    assert [(each.jobs, each.n, each.note) for each in board.candidates] == [
        ((1, 2), 2, None),
        ((0,), 1, "one seed"),
    ]


def test_a_job_that_breaks_a_constraint_tells_of_the_keys_too(tmp_path: Path) -> None:
    written = Written(tmp_path, constraints=("ms <= 5",))
    for job in range(2):
        written.ask(job)
        written.finish(job, 0.5, 4, "completed", value={"ms": 4.0 + 2 * job})
    found = written.now()
    assert [row.is_feasible for row in found.board.rows] == [True, False]
    assert len(comparable(found.board, found.history.reached)[0]) == 2
