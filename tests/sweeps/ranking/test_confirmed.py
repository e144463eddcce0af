"""A search repeats its best candidates: with repeats, only one of these can win, by its mean; the others follow by value."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from written import write_sweep

from sweeps import aggregate
from sweeps.display.tables import show_leaderboard
from sweeps.ranking.aggregate import rank
from sweeps.ranking.leaderboard import Leaderboard

SEARCH = {"mode": "tpe", "schedule": "none"}
Job = tuple[int, int, float | dict[str, Any]]  # x, seed, and its value or its outcome


def sweep_of(store: Path, jobs: Sequence[Job], **plan: Any) -> Path:
    outcomes = {
        number: {"value": {"val_auc": value}} if isinstance(value, float) else {"value": None, **value}
        for number, (_, _, value) in enumerate(jobs)
    }
    points = [{"x": x, "seed": seed} for x, seed, _ in jobs]
    known = {"repeats": ["seed"], "seed_key": "seed", "search": SEARCH}
    return write_sweep(store, points, outcomes=outcomes, **(known | plan))


def told(board: Leaderboard) -> list[tuple[int | None, tuple[int, ...], str | None]]:
    return [(each.rank, each.jobs, each.note or each.error) for each in board.candidates]


FAILED: dict[str, Any] = {"status": "failed", "error": "no such luck"}
UNCONFIRMED: list[Job] = [(0, 0, 0.7), (1, 0, 0.9), (2, 0, FAILED), (3, 0, 0.8)]


def test_before_any_confirmation_jobs_rank_by_their_own_values(tmp_path: Path) -> None:
    board = rank(sweep_of(tmp_path, UNCONFIRMED))
    assert board.candidates == ()
    assert [(row.rank, row.job) for row in board.rows] == [(1, 1), (2, 3), (3, 0), (None, 2)]


def test_only_a_candidate_with_repeats_can_win_and_the_others_follow_by_value(tmp_path: Path) -> None:
    jobs = [*UNCONFIRMED, (4, 0, 0.99), (1, 1, 0.7), (3, 1, 0.84), (3, 2, 0.82), (1, 2, 0.74)]
    board = rank(sweep_of(tmp_path, jobs))
    assert told(board) == [
        (1, (3, 6, 7), None),
        (2, (4,), "one seed"),
        (3, (1, 5, 8), None),
        (4, (0,), "one seed"),
        (None, (2,), "1 of 1 seeds did not count, job 2: no such luck"),
    ]
    assert [(row.rank, row.job) for row in board.rows] == [
        (1, 6), (1, 7), (1, 3), (2, 4), (3, 1), (3, 8), (3, 5), (4, 0), (None, 2),
    ]  # fmt: skip
    assert board.winner is not None
    assert board.winner.job == 6


def test_a_candidate_whose_repeat_is_missing_or_failed_counts_with_those_it_has(tmp_path: Path) -> None:
    waiting: dict[str, Any] = {"event": "started"}  # its end is not in the ledger
    jobs = [*UNCONFIRMED, (1, 1, 0.9), (3, 1, 0.5), (1, 2, waiting), (3, 2, 0.5), (0, 1, FAILED)]
    board = rank(sweep_of(tmp_path, jobs))
    assert told(board)[:3] == [(1, (1, 4, 6), "2 of 3 seeds"), (2, (0, 8), "one seed"), (3, (3, 5, 7), None)]
    assert [row.rank for row in board.rows] == [1, 1, 2, 3, 3, 3, None, None, None]


def test_of_several_objectives_what_was_not_repeated_stays_on_the_front(tmp_path: Path) -> None:
    points = [{"x": x, "seed": seed} for x, seed in ((0, 0), (1, 0), (2, 0), (3, 0), (1, 1))]
    values = [(0.9, 9.0), (0.8, 5.0), (0.7, 1.0), (0.6, 7.0), (0.8, 5.0)]
    outcomes = {number: {"value": {"val_auc": auc, "ms": ms}} for number, (auc, ms) in enumerate(values)}
    others = [{"metric": "ms", "mode": "min", "at": "best"}]
    objective = {"metric": "val_auc", "mode": "max", "at": "best", "others": others}
    known = {"repeats": ["seed"], "seed_key": "seed", "search": SEARCH, "objective": objective}
    board = rank(write_sweep(tmp_path, points, outcomes=outcomes, **known))
    assert told(board) == [
        (1, (0,), "one seed"),
        (1, (1, 4), None),
        (1, (2,), "one seed"),
        (2, (3,), "one seed"),
    ]


def test_an_ordinary_sweep_over_seeds_counts_a_candidate_with_all_of_them(tmp_path: Path) -> None:
    jobs = [(0, 0, 0.9), (0, 1, FAILED), (1, 0, 0.5), (1, 1, 0.5), (2, 0, 0.8)]
    board = rank(sweep_of(tmp_path, jobs, search=None))
    assert [(each.rank, each.jobs, each.note) for each in board.candidates] == [
        (1, (4,), None),
        (2, (2, 3), None),
        (None, (0, 1), None),
    ]


def test_the_files_and_the_screen_mark_what_has_one_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sweep_of(tmp_path, [(0, 0, 0.7), (0, 1, 0.8), (1, 0, 0.9)])
    board = aggregate(folder)
    rows = list(csv.DictReader(io.StringIO((folder / "leaderboard.csv").read_text())))
    assert [(row["rank"], row["n"], row["note"]) for row in rows] == [("1", "2", ""), ("2", "1", "one seed")]
    show_leaderboard(board, folder)
    assert "one seed" in capsys.readouterr().out


def test_a_candidate_that_was_stopped_early_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pruned: dict[str, Any] = {"status": "pruned", "value": {"val_auc": 0.6}}
    folder = sweep_of(tmp_path, [(0, 0, 0.7), (0, 1, 0.8), (1, 0, pruned)])
    board = aggregate(folder)
    rows = list(csv.DictReader(io.StringIO((folder / "leaderboard.csv").read_text())))
    assert [row["status"] for row in rows] == ["completed", "pruned"]
    show_leaderboard(board, folder)
    assert "pruned" in capsys.readouterr().out


def test_a_completed_repeat_counts_before_one_that_was_stopped_early(tmp_path: Path) -> None:
    pruned: dict[str, Any] = {"status": "pruned", "value": {"val_auc": 0.1}}
    board = rank(sweep_of(tmp_path, [(0, 0, pruned), (0, 1, 0.8), (0, 2, 0.6), (1, 0, 0.9)]))
    assert [(each.jobs, each.n, each.objective) for each in board.candidates] == [
        ((0, 1, 2), 2, pytest.approx(0.7)),
        ((3,), 1, 0.9),
    ]
