"""Ranking: what wins, what stands below the line, and why."""

import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.text import Text

from sweeps import JobStatus, Outcome, SweepError, aggregate
from sweeps.display.tables import short_names, show_leaderboard
from sweeps.errors import JobsFailedError, ObjectiveError
from sweeps.jobs import Event, EventKind, Job, PlannedJob, Reason
from sweeps.plan.plan import Plan
from sweeps.ranking.aggregate import rank
from sweeps.ranking.exit_errors import require_few_failures, require_ranked
from sweeps.ranking.leaderboard import Leaderboard
from sweeps.state.ledger import Ledger
from tracking import ExperimentTracker, Run, job_context
from tracking.files import read_json, write_json


def make_sweep(
    folder: Path,
    outcomes: Sequence[Outcome],
    *,
    jobs: int | None = None,
    metric: str | None = None,
    mode: str = "max",
    at: str = "best",
) -> Path:
    sweep = folder / "sweeps" / f"s{len(list(folder.glob('sweeps/*')))}"
    sweep.mkdir(parents=True)
    count = len(outcomes) if jobs is None else jobs
    plan = Plan(
        sweep=sweep.name,
        created_at="2026-01-31T09:30:00+00:00",
        command=("app.py",),
        swept=("model.x",),
        objective={"metric": metric, "mode": mode, "at": at},
        report=None,
        total=count,
    )
    plan.save(sweep / "plan.json")
    ledger = Ledger(sweep / "jobs.jsonl")
    ledger.ask(PlannedJob(n, (), {"model.x": n}, str(n), str(n)) for n in range(count))
    for outcome in outcomes:
        ledger.finish(outcome)
    return sweep


def run_of(store: Path, job: int, *, sweep: str = "s0", attempt: int = 1) -> Run:
    """Open a run as a job does."""
    with job_context(sweep=sweep, job=job, key="k", config_hash="h", attempt=attempt):
        return ExperimentTracker(store).start_run("e")


class Screen(io.StringIO):
    """A terminal that remembers what it shows."""

    def isatty(self) -> bool:
        return True


def returned(job: int, value: float | dict[str, float] | None) -> Outcome:
    return Outcome(job, JobStatus.COMPLETED, 1.0, value=value)


def order(board: Leaderboard) -> list[int]:
    return [row.job for row in board.rows]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.floats() | st.none(), max_size=8), mode=st.sampled_from(["max", "min"]))
def test_ranks_are_contiguous_ordered_and_finite_and_nobody_is_lost(
    tmp_path: Path, values: list[float | None], mode: str
) -> None:
    board = aggregate(
        make_sweep(tmp_path, [returned(job, value) for job, value in enumerate(values)], mode=mode)
    )
    assert sorted(order(board)) == list(range(len(values)))
    ranked = [row for row in board.rows if row.rank is not None]
    assert board.rows[: len(ranked)] == tuple(ranked)
    assert [row.rank for row in ranked] == list(range(1, len(ranked) + 1))
    scores = [row.objective for row in ranked if row.objective is not None]
    assert all(math.isfinite(score) for score in scores)
    assert scores == sorted(scores, reverse=mode == "max")
    assert len(ranked) == sum(value is not None and math.isfinite(value) for value in values)


def test_of_several_returned_values_the_named_one_is_ranked(tmp_path: Path) -> None:
    values = ({"loss": 0.5, "acc": 0.1}, {"loss": 0.25}, {"acc": 0.9}, 0.125)
    outcomes = [returned(job, value) for job, value in enumerate(values)]
    board = rank(make_sweep(tmp_path, outcomes, metric="loss", mode="min"))
    assert [(row.job, row.objective) for row in board.rows] == [(3, 0.125), (1, 0.25), (0, 0.5), (2, None)]
    assert board.returned == {"loss", "acc"}


@pytest.mark.parametrize(
    ("logged", "ranked"), [({"objective": 0.5}, 0.5), ({"acc": 0.9, "objective": 0.5}, None)]
)
def test_a_returned_number_is_no_metric_of_a_job_that_logs_others(
    tmp_path: Path, logged: dict[str, float], ranked: float | None
) -> None:
    with run_of(tmp_path, 0) as run:
        run.log(logged)
    outcome = Outcome(0, JobStatus.COMPLETED, 1.0, value=0.5, runs=(run.run_id,))
    (row,) = rank(make_sweep(tmp_path, [outcome], metric="loss", mode="min")).rows
    assert row.objective == ranked


def test_a_logged_whole_number_is_an_objective_like_any_other(tmp_path: Path) -> None:
    with run_of(tmp_path, 0) as run:
        run.log({"loss": 0})
    outcome = Outcome(0, JobStatus.COMPLETED, 1.0, runs=(run.run_id,))
    sweep = make_sweep(tmp_path, [outcome], metric="loss", mode="min")
    aggregate(sweep)
    assert ",0.0," in (sweep / "leaderboard.csv").read_text()


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        (None, {"loss": 0.5, "acc": 1.0}, r"2 named values \(acc, loss\); to rank by acc: .*objective.metric=acc"),
        (None, {"objective_0": 0.5}, r"1 named value \(objective_0\); to rank by .*objective.metric=objective_0"),
        ("los", {"loss": 0.5}, "objective.metric=los: none of 1 completed job logged it; logged: nothing; returned: loss"),
        (None, None, "no job returned a number"),
    ],
)  # fmt: skip
def test_a_ranking_without_a_value_names_the_values_there_are(
    tmp_path: Path, metric: str | None, value: dict[str, float] | None, said: str
) -> None:
    board = rank(make_sweep(tmp_path, [returned(0, value)], metric=metric))
    with pytest.raises(ObjectiveError, match=said):
        require_ranked(board, promotes=True)
    if metric is None:  # nothing was asked to be ranked, so nothing is wrong
        note = str(require_ranked(board, promotes=False))
        assert note.startswith("nothing to rank: no job returned a number; ")
        assert re.search(said, note)
        assert [(row.status, row.error) for row in board.rows] == [("completed", None)]


def test_a_failed_job_counts_when_the_space_has_it_no_more_and_an_unfinished_one_does_not(
    tmp_path: Path,
) -> None:
    stopped = Outcome(1, JobStatus.KILLED, 1.0, error="stopped", reason=Reason.STOPPED)
    failed = Outcome(0, JobStatus.FAILED, 1.0, error="no such luck", reason=Reason.ERROR)
    sweep = make_sweep(tmp_path, [failed, stopped, returned(3, 0.5)], jobs=4)
    plan = read_json(sweep / "plan.json")
    write_json(sweep / "plan.json", {**plan, "left": [0, 1, 2]})
    settings = SimpleNamespace(tolerates=lambda failed, _total: failed < 1, max_failures=0)
    with pytest.raises(JobsFailedError, match="1 of 2 jobs failed"):
        require_few_failures(rank(sweep), settings, sweep)
    write_json(sweep / "plan.json", {**plan, "left": [1, 2]})
    with pytest.raises(JobsFailedError, match="1 of 2 jobs failed"):
        require_few_failures(rank(sweep), settings, sweep)


def test_a_job_that_was_stopped_early_is_ranked_and_no_failure(tmp_path: Path) -> None:
    pruned = Outcome(0, JobStatus.PRUNED, 1.0, value=0.9)
    without = Outcome(2, JobStatus.PRUNED, 1.0)
    sweep = make_sweep(tmp_path, [pruned, returned(1, 0.5), without])
    board = rank(sweep)
    assert [(row.job, row.rank, row.error) for row in board.rows] == [
        (0, 1, None),
        (1, 2, None),
        (2, None, "no finite objective to rank by"),
    ]
    settings = SimpleNamespace(tolerates=lambda failed, _total: failed < 1, max_failures=0)
    require_few_failures(board, settings, sweep)
    assert require_ranked(board, promotes=True) is None


def test_without_a_completed_job_the_failures_are_what_there_is_to_say(tmp_path: Path) -> None:
    failed = Outcome(0, JobStatus.FAILED, 1.0, error="no such luck", reason=Reason.ERROR)
    assert require_ranked(rank(make_sweep(tmp_path, [failed], metric="loss")), promotes=True) is None


def test_a_tie_goes_to_the_lower_job_number(tmp_path: Path) -> None:
    assert order(rank(make_sweep(tmp_path, [returned(2, 1.0), returned(0, 1.0), returned(1, 1.0)]))) == [
        0,
        1,
        2,
    ]


def test_non_finite_objectives_stand_below_the_line_with_the_reason(tmp_path: Path) -> None:
    board = rank(make_sweep(tmp_path, [returned(0, math.nan), returned(1, math.inf), returned(2, 0.5)]))
    assert order(board) == [2, 0, 1]
    assert [row.error for row in board.rows] == [None, "objective is nan", "objective is inf"]


def test_jobs_the_ledger_does_not_know_are_unfinished(tmp_path: Path) -> None:
    board = rank(make_sweep(tmp_path, [returned(1, 0.5)], jobs=3))
    assert [(row.job, row.status) for row in board.rows] == [
        (1, "completed"),
        (0, "unfinished"),
        (2, "unfinished"),
    ]


def test_a_torn_last_line_of_the_ledger_is_one_unfinished_job(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path, [returned(0, 0.5), returned(1, 0.6)])
    ledger = sweep / "jobs.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-20])
    assert [row.status for row in rank(sweep).rows] == ["completed", "unfinished"]


@pytest.mark.parametrize(
    ("mode", "at", "value"), [("max", "best", 0.9), ("max", "last", 0.7), ("min", "best", 0.5)]
)
def test_a_logged_metric_counts_at_its_best_or_its_last(
    tmp_path: Path, mode: str, at: str, value: float
) -> None:
    with run_of(tmp_path, 0) as run:
        for step, logged in enumerate([0.5, 0.9, math.nan, 0.7]):
            run.log({"val_auc": logged}, step=step)
        run.log({"test_auc": 0.8})
    outcome = Outcome(0, JobStatus.COMPLETED, 1.0, runs=(run.run_id,))
    (row,) = rank(make_sweep(tmp_path, [outcome], metric="val_auc", mode=mode, at=at)).rows
    assert row.objective == value
    assert row.epochs == 4
    assert row.metrics == {"test_auc": 0.8}


def test_test_metrics_are_shown_where_their_names_have_a_slash(tmp_path: Path) -> None:
    with run_of(tmp_path, 0) as run:
        run.log({"val/acc": 0.9}, step=0)
        run.log({"test/loss": 0.3, "test/acc": 0.8, "train/loss": 0.1})
    outcome = Outcome(0, JobStatus.COMPLETED, 1.0, runs=(run.run_id,))
    board = rank(make_sweep(tmp_path, [outcome], metric="val/acc", mode="max"))
    assert board.report == ("test/acc", "test/loss")
    assert board.rows[0].metrics == {"test/acc": 0.8, "test/loss": 0.3}


def test_a_mapping_of_returned_numbers_is_read_by_the_metrics_name(tmp_path: Path) -> None:
    outcome = Outcome(0, JobStatus.COMPLETED, 1.0, value={"loss": 0.25, "other": 1.0})
    assert rank(make_sweep(tmp_path, [outcome], metric="loss", mode="min")).rows[0].objective == 0.25


def test_a_failed_job_is_never_ranked_whatever_it_logged(tmp_path: Path) -> None:
    with run_of(tmp_path, 0) as run:
        run.log({"val_auc": 0.99}, step=0)
    failed = Outcome(0, JobStatus.FAILED, 1.0, error="ValueError: late", runs=(run.run_id,))
    (row,) = rank(make_sweep(tmp_path, [failed], metric="val_auc")).rows
    assert (row.rank, row.objective, row.error) == (None, 0.99, "ValueError: late")


def test_markdown_keeps_its_columns_whatever_an_error_says(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path, [Outcome(0, JobStatus.FAILED, 1.0, error="a | b")])
    aggregate(sweep)
    table = [line for line in (sweep / "leaderboard.md").read_text().splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_leaderboard_fits_the_terminal_without_cutting_a_number(
    tmp_path: Path, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = []
    for job in range(3):
        with run_of(tmp_path, job) as run:
            run.log({"val_auc": 0.7912 + job / 1000}, step=0)
            run.log({"test_loss": 0.3, "test_accuracy": 0.8, "test_auc": 0.7777})
        outcomes.append(Outcome(job, JobStatus.COMPLETED, 11.5, runs=(run.run_id,)))
    sweep = make_sweep(tmp_path, outcomes, metric="val_auc")
    monkeypatch.setenv("COLUMNS", str(width))
    screen = Screen()
    show_leaderboard(rank(sweep), sweep, file=screen)
    text = Text.from_ansi(screen.getvalue()).plain
    assert "…" not in text
    table = text.partition("no room for")[0]
    assert max(len(line.rstrip()) for line in table.splitlines()) <= width
    for value in ("0.7932", "0.7922", "0.7912", "run_003"):
        assert value in text
    assert ("leaderboard.csv" in text) == (width < 200)


def test_a_swept_key_that_is_named_like_a_column_is_shown_whole(tmp_path: Path) -> None:
    assert short_names(["training.epochs", "model.dropout"]) == {
        "training.epochs": "training.epochs",
        "model.dropout": "dropout",
    }


def test_a_job_whose_end_nobody_wrote_down_is_judged_by_its_run(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path, [], jobs=2, metric="val_auc")
    ledger = Ledger(sweep / "jobs.jsonl")
    for job in range(2):
        run = run_of(tmp_path, job)
        run.log({"val_auc": 0.5 + job}, step=0)
        ledger.note(Event(EventKind.RUN, job, {"run": run.run_id}))
        run.finish("completed" if job else "killed")
    assert [(row.job, row.rank, row.status) for row in rank(sweep).rows] == [
        (1, 1, "completed"),
        (0, None, "killed"),
    ]


def test_a_folder_without_a_sweep_is_named(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match=r"no sweep there \(plan.json is missing\)"):
        aggregate(tmp_path)


def test_a_run_tells_which_candidate_its_job_repeats() -> None:
    def told(point: dict[str, object], **more: list[str]) -> dict[str, str] | None:
        job = Job(0, "k", "h", (), point, Path("0"), b"")
        return job.ranked_by({"metric": "a", "mode": "max", "at": "best", **more})

    assert told({"x": 1, "seed": 0}) == {"metric": "a", "mode": "max", "at": "best"}
    first = told({"x": 1, "seed": 0}, repeats=["seed"])
    assert first is not None
    assert first.keys() == {"metric", "mode", "at", "candidate"}
    assert told({"seed": 1, "x": 1}, repeats=["seed"]) == first
    assert told({"x": 2, "seed": 0}, repeats=["seed"]) != first
    folded = told({"x": 1, "seed": 0, "data.fold": 0}, repeats=["seed", "data.fold"])
    assert folded == told({"x": 1, "data.fold": 3, "seed": 2}, repeats=["seed", "data.fold"]) == first
