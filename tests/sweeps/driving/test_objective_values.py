"""What a search hears of its jobs: the values at a judgement and at the end, from the runs that they left."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sweeps.driving.objective_values import ObjectiveValues, counting, logged
from sweeps.jobs import JobStatus, Outcome, Reason
from sweeps.search.decisions import Arrival, EndKind
from sweeps.settings.search_settings import Constraint
from sweeps.state.job_runs import JobRuns
from tracking import ExperimentTracker, job_context
from tracking.objective import At, Objective

LOSS, COST = Objective.of("loss", "min"), Objective.of("cost", "min")
Log = Callable[..., str]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """Log losses from a step on in a run of job 0 of the sweep s; return the id of the run."""

    def log(losses: Sequence[float], first: int | None = 1, **last: float) -> str:
        with (
            job_context(sweep="s", job=0, folder=tmp_path, attempt=1, key="k", config_hash="c"),
            ExperimentTracker(tmp_path / "store").start_run("e", capture_output=False) as run,
        ):
            for number, loss in enumerate(losses):
                run.log({"loss": loss, "cost": 2 * loss}, step=None if first is None else first + number)
            if last:
                run.log(last)
        return run.run_id

    return log


def values(tmp_path: Path, objectives: Sequence[Objective] = (LOSS,), *constraints: str) -> ObjectiveValues:
    return ObjectiveValues(
        JobRuns(tmp_path / "store", "s"), objectives, [Constraint.parse(text) for text in constraints]
    )


def folder(tmp_path: Path, run: str) -> Path:
    return tmp_path / "store" / "runs" / run


def test_only_the_first_values_count_at_a_judgement(tmp_path: Path, log: Log) -> None:
    run = folder(tmp_path, log([0.5, 0.3, 0.4, 0.1]))
    assert values(tmp_path).reached(0, 3, [run]) == Arrival(0, 3, (0.3,))
    assert values(tmp_path, [Objective.of("loss", "min", "last")]).reached(0, 3, [run]).values == (0.4,)
    assert values(tmp_path, [LOSS, COST]).reached(0, 1, [run]).values == (0.5, 1.0)


def test_a_bound_counts_at_a_judgement_once_its_metric_is_logged(tmp_path: Path, log: Log) -> None:
    run = folder(tmp_path, log([0.5, 0.3, 0.4, 0.1], size=7.0, bad=math.nan))
    found = values(tmp_path, [LOSS], "size <= 5", "cost <= 0.5", "loss <= 0.25", "bad <= 1", "ms <= 1")
    assert found.reached(0, 3, [run]).violations == {
        "size <= 5": 2.0,
        "cost <= 0.5": pytest.approx(0.3),  # the third value, the last one
        "loss <= 0.25": pytest.approx(0.05),  # the second one, the best
    }


def test_values_of_an_attempt_before_count_where_the_next_one_did_not_log_them_again(
    tmp_path: Path, log: Log
) -> None:
    runs = [folder(tmp_path, log([0.5, 0.1, 0.9])), folder(tmp_path, log([0.2, 0.3], first=2))]
    assert logged(runs, ["loss"]) == {"loss": [0.5, 0.2, 0.3]}
    assert values(tmp_path).reached(0, 2, runs).values == (0.2,)


@pytest.mark.parametrize(
    ("attempts", "counted"),
    [
        ([(1, [0.5, 0.1, 0.9]), (1, [0.7])], [0.7]),  # it begins anew, and has not come as far
        ([(1, [0.5, 0.1, 0.9]), (1, [0.7]), (1, [0.8, 0.6])], [0.8, 0.6]),
        ([(1, [0.5, 0.1, 0.9]), (4, [0.2])], [0.5, 0.1, 0.9, 0.2]),
        ([(1, [0.5, 0.1, 0.9]), (6, [0.2])], [0.5, 0.1, 0.9, 0.2]),  # a step is missing
        ([(1, [0.5, 0.1]), (3, [0.9, 0.3]), (4, [0.2])], [0.5, 0.1, 0.9, 0.2]),
        ([(1, [0.5, 0.1]), (3, [0.9, 0.3]), (2, [0.2])], [0.5, 0.2]),
        ([(None, [0.5, 0.1, 0.9]), (None, [0.7])], [0.7]),  # values without a step
        ([(1, [0.5, 0.1]), (1, [])], [0.5, 0.1]),  # it has not logged yet
    ],
)
def test_what_an_attempt_has_logged_is_void_from_where_the_next_one_begins(
    tmp_path: Path, log: Log, attempts: list[tuple[int | None, list[float]]], counted: list[float]
) -> None:
    runs = [folder(tmp_path, log(losses, first=first)) for first, losses in attempts]
    assert logged(runs, ["loss"]) == {"loss": counted}


def test_a_run_that_is_gone_or_cannot_be_read_has_no_values(
    tmp_path: Path, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    run = folder(tmp_path, log([0.5]))
    assert values(tmp_path).reached(0, 1, [tmp_path / "nowhere"]).values == (None,)
    for file in run.glob("metrics*"):
        file.unlink()
    (run / "metrics.json").write_text("{ torn")
    assert values(tmp_path).reached(0, 1, [run]).values == (None,)
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (JobStatus.COMPLETED, None, EndKind.COMPLETED),
        (JobStatus.PRUNED, None, EndKind.PAUSED),
        (JobStatus.FAILED, Reason.ERROR, EndKind.FAILED),
        (JobStatus.FAILED, Reason.EXIT, EndKind.FAILED),
        (JobStatus.FAILED, Reason.REFUSED, EndKind.FAILED),
        (JobStatus.KILLED, Reason.MEMORY, EndKind.FAILED),
        (JobStatus.KILLED, Reason.TIMEOUT, EndKind.FAILED),
        (JobStatus.KILLED, Reason.SIGNAL, EndKind.LOST),
        (JobStatus.FAILED, Reason.LOST, EndKind.LOST),
    ],
)
def test_an_end_is_that_of_the_parameters_or_of_the_machine(
    tmp_path: Path, log: Log, status: JobStatus, reason: Reason | None, kind: EndKind
) -> None:
    outcome = Outcome(0, status, 1.0, runs=(log([0.5, 0.3]),), reason=reason)
    end = values(tmp_path).end(outcome)
    assert end is not None
    assert (end.kind, end.values, end.epochs) == (kind, (0.3,), 2)


@pytest.mark.parametrize(
    ("error", "cut_off", "kind"),
    [
        ("killed by SIGSEGV", False, EndKind.FAILED),
        ("killed by SIGABRT", False, EndKind.FAILED),
        ("killed by SIGSEGV, in a process of 3 jobs", True, EndKind.LOST),
        ("killed by SIGKILL", False, EndKind.LOST),
        ("killed by SIGTERM", False, EndKind.LOST),
        ("killed by SIGHUP", False, EndKind.LOST),
    ],
)
def test_a_signal_that_code_brings_on_itself_is_a_failure_of_the_job(
    tmp_path: Path, error: str, cut_off: bool, kind: EndKind
) -> None:
    outcome = Outcome(0, JobStatus.KILLED, 1.0, error=error, reason=Reason.SIGNAL, cut_off=cut_off)
    end = values(tmp_path).end(outcome)
    assert end is not None
    assert end.kind is kind


def test_of_a_job_that_was_stopped_a_search_hears_nothing(tmp_path: Path, log: Log) -> None:
    outcome = Outcome(0, JobStatus.KILLED, 1.0, runs=(log([0.5]),), reason=Reason.STOPPED)
    assert values(tmp_path).end(outcome) is None


@pytest.mark.parametrize("losses", [[], [math.nan], [math.inf, -math.inf]])
def test_a_completed_job_without_a_number_has_failed(tmp_path: Path, log: Log, losses: list[float]) -> None:
    end = values(tmp_path).end(Outcome(0, JobStatus.COMPLETED, 1.0, runs=(log(losses),)))
    assert end is not None
    assert (end.kind, end.values) == (EndKind.FAILED, (None,))


def test_a_returned_number_is_the_value_of_a_sweep_that_names_no_metric(tmp_path: Path) -> None:
    end = values(tmp_path, [Objective.of(None, "max")]).end(Outcome(0, JobStatus.COMPLETED, 1.0, value=0.7))
    assert end is not None
    assert (end.kind, end.values, end.epochs) == (EndKind.COMPLETED, (0.7,), 0)


def test_a_metric_that_is_missing_breaks_a_bound_once_the_job_is_over(tmp_path: Path, log: Log) -> None:
    found, run = values(tmp_path, [LOSS], "size <= 5", "cost <= 0.5"), log([0.5, 0.3])
    over = found.end(Outcome(0, JobStatus.COMPLETED, 1.0, runs=(run,)))
    paused = found.end(Outcome(0, JobStatus.PRUNED, 1.0, runs=(run,)))
    assert over is not None
    assert paused is not None
    assert over.violations == {"size <= 5": math.inf, "cost <= 0.5": pytest.approx(0.1)}
    assert paused.violations == {"cost <= 0.5": pytest.approx(0.1)}


def test_the_history_of_a_job_is_what_it_came_to_after_each_epoch(tmp_path: Path, log: Log) -> None:
    outcome = Outcome(0, JobStatus.COMPLETED, 1.0, runs=(log([0.5, 0.6, 0.2]),))
    assert values(tmp_path, [LOSS, COST]).history(outcome) == ((0.5, 1.0), (0.5, 1.0), (0.2, 0.4))
    returned = Outcome(0, JobStatus.COMPLETED, 1.0, value=0.7)
    assert values(tmp_path, [Objective.of(None)]).history(returned) == ((0.7,),)
    assert values(tmp_path).history(Outcome(0, JobStatus.FAILED, 1.0)) == ()


@pytest.mark.parametrize(
    ("objectives", "value", "lacks"),
    [
        ((LOSS,), None, False),
        ((LOSS, COST), None, False),
        ((Objective.of("acc"),), None, True),
        ((LOSS, Objective.of("acc")), None, True),
        ((Objective.of("acc"),), {"acc": 0.5}, False),
        ((Objective.of("bad", "min"),), None, False),  # logged, though no number
        ((Objective.of(None),), None, True),
        ((Objective.of(None),), 0.5, False),
    ],
)
def test_a_job_lacks_an_objective_that_it_neither_logged_nor_returned(
    tmp_path: Path,
    log: Log,
    objectives: tuple[Objective, ...],
    value: float | dict[str, float] | None,
    lacks: bool,
) -> None:
    found = values(tmp_path, objectives)
    outcome = Outcome(0, JobStatus.COMPLETED, 1.0, value=value, runs=(log([0.5], bad=math.nan),))
    assert found.lacks(outcome) == lacks
    assert not (lacks and found.history(outcome))


def test_the_value_that_counts_is_finite_or_none() -> None:
    last = Objective("loss", LOSS.mode, At.LAST)
    assert counting(LOSS, [math.nan, 3.0, -math.inf, 2.0]) == 2.0
    assert counting(LOSS, [math.nan]) is None
    assert counting(last, [1.0, math.nan]) is None
    assert counting(last, []) is None
