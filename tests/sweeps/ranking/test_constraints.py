"""Constraints: a job that breaks one follows those that keep all, with the reason, and never wins."""

import json
from pathlib import Path
from typing import Any

import pytest
from written import write_sweep

from sweeps import aggregate
from sweeps.display.tables import show_leaderboard
from sweeps.jobs import JobStatus, Outcome
from sweeps.ranking.aggregate import rank
from sweeps.ranking.exit_errors import require_ranked
from sweeps.ranking.leaderboard import Leaderboard
from sweeps.settings.search_settings import Constraint
from sweeps.state.job_runs import FoundRun, violations_of
from tracking import ExperimentTracker, job_context
from tracking.objective import Objective

BOUND = ["ms <= 5"]


def board_of(store: Path, *values: dict[str, Any], bounds: list[str] = BOUND, **plan: Any) -> Leaderboard:
    outcomes = {job: {"value": value} for job, value in enumerate(values)}
    points = plan.pop("points", [{"x": job} for job in range(len(values))])
    return rank(write_sweep(store, points, outcomes=outcomes, constraints=bounds, **plan))


def told(board: Leaderboard) -> list[tuple[int, int | None, str | None]]:
    return [(row.job, row.rank, row.error) for row in board.rows]


def test_a_job_that_breaks_a_constraint_follows_and_a_missing_metric_breaks_it(tmp_path: Path) -> None:
    board = board_of(
        tmp_path,
        {"loss": 1.0},
        {"val_auc": 0.9, "ms": 7.0},
        {"val_auc": 0.7, "ms": 5.0},
        {"val_auc": 0.99},
        {"val_auc": 0.8, "ms": 1.0},
        {"val_auc": 0.95, "ms": "nan"},
    )
    assert told(board) == [
        (4, 1, None),
        (2, 2, None),
        (1, None, "breaks ms <= 5"),
        (3, None, "breaks ms <= 5: it has no such number"),
        (5, None, "breaks ms <= 5: it has no such number"),
        (0, None, "no finite val_auc to rank by"),
    ]
    assert [row.objective for row in board.rows[2:4]] == [0.9, 0.99]


def test_every_constraint_that_is_broken_is_named(tmp_path: Path) -> None:
    bounds = ["ms <= 5", "recall >= 0.5", "val_auc >= 0.6"]
    board = board_of(tmp_path, {"val_auc": 0.5, "ms": 9.0, "recall": 0.9}, bounds=bounds)
    assert told(board) == [(0, None, "breaks ms <= 5 and val_auc >= 0.6")]


def test_the_last_logged_value_counts_before_a_returned_one(tmp_path: Path) -> None:
    with job_context(sweep="s", job=0, key="k", config_hash="h"):
        run = ExperimentTracker(tmp_path).start_run("e")
    run.log({"ms": 9.0}, step=0)
    run.log({"ms": 4.0}, step=1)
    run.finish()
    found = FoundRun("run_001", ExperimentTracker(tmp_path).record("run_001"))
    outcome = Outcome(0, JobStatus.COMPLETED, 1.0, value={"ms": 7.0, "size": 3.0})
    bounds = [Constraint.parse("ms <= 5"), Constraint.parse("size <= 2")]
    by_loss = [Objective.of("loss")]
    assert violations_of(bounds, by_loss, outcome, found) == {"ms <= 5": -1.0, "size <= 2": 1.0}


@pytest.mark.parametrize(("at", "violation"), [("best", -1.0), ("last", 4.0)])
def test_of_an_objective_the_value_counts_that_ranks_it(tmp_path: Path, at: str, violation: float) -> None:
    with job_context(sweep="s", job=0, key="k", config_hash="h"):
        run = ExperimentTracker(tmp_path).start_run("e")
    for step, ms in enumerate((4.0, 9.0)):
        run.log({"auc": 0.5, "ms": ms}, step=step)
    run.finish()
    found = FoundRun("run_001", ExperimentTracker(tmp_path).record("run_001"))
    objectives = [Objective.of("auc"), Objective.of("ms", "min", at)]
    outcome = Outcome(0, JobStatus.COMPLETED, 1.0)
    assert violations_of([Constraint.parse("ms <= 5")], objectives, outcome, found) == {"ms <= 5": violation}


def test_the_metric_of_a_constraint_has_a_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with job_context(sweep="20260131-093000", job=0, key="k", config_hash="h"):
        run = ExperimentTracker(tmp_path).start_run("e")
    run.log({"val_auc": 0.9, "ms": 9.0})
    run.finish()
    folder = write_sweep(tmp_path, [{"x": 0}], outcomes={0: {"runs": ["run_001"]}}, constraints=BOUND)
    board = aggregate(folder)
    assert (board.report, board.rows[0].metrics) == (("ms",), {"ms": 9.0})
    assert json.loads((folder / "leaderboard.json").read_text())["constraints"] == BOUND
    page = (folder / "leaderboard.md").read_text()
    assert r"Only what keeps ms \<= 5 has a rank." in page
    show_leaderboard(board, folder)
    assert capsys.readouterr().out.endswith("job 0 completed: breaks ms <= 5\n")


def test_a_candidate_keeps_a_constraint_with_all_of_its_repeats(tmp_path: Path) -> None:
    values = [{"val_auc": 0.9, "ms": ms} for ms in (1.0, 7.0)] + [{"val_auc": 0.5, "ms": 1.0}] * 2
    points = [{"x": job // 2, "seed": job % 2} for job in range(4)]
    board = board_of(tmp_path, *values, points=points, repeats=["seed"], seed_key="seed")
    assert [(each.rank, each.jobs) for each in board.candidates] == [(1, (2, 3)), (None, (0, 1))]
    assert board.candidates[1].error == "1 of 2 seeds did not count, job 1: breaks ms <= 5"


def test_without_any_job_that_keeps_them_nothing_is_ranked_and_told_so(tmp_path: Path) -> None:
    board = board_of(tmp_path, {"val_auc": 0.9, "ms": 7.0}, {"val_auc": 0.9})
    assert board.winner is None
    assert require_ranked(board, promotes=True) == "nothing to rank: none of 2 completed jobs keeps ms <= 5"
