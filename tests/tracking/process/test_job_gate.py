"""A gate asks after so many values, once for each answer, and closes for the runs of its process."""

import os
from pathlib import Path

import pytest

from tracking import ExperimentTracker, RunStatus, job_context
from tracking.process.job_gate import Gate, Verdict

METRIC = "val_auc"


class Asked:
    """Answers with the next of some verdicts, and notes what was asked."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.verdicts = list(verdicts)
        self.levels: list[int] = []
        self.told: list[Path] = []

    def gate(self, until: int, *metrics: str) -> Gate:
        return Gate(metrics or (METRIC,), until, self.answer, self.told.append)

    def answer(self, _run_dir: Path, level: int) -> Verdict:
        self.levels.append(level)
        return self.verdicts.pop(0)


def in_job(gate: Gate, attempt: int = 1, previous: tuple[str, ...] = ()) -> object:
    return job_context(
        sweep="s", job=0, key="k", config_hash="h", attempt=attempt, previous=previous, gate=gate
    )


@pytest.fixture
def tracker(tmp_path: Path) -> ExperimentTracker:
    return ExperimentTracker(tmp_path / "experiments")


def status(tracker: ExperimentTracker, run_id: str = "run_001") -> RunStatus:
    record = tracker.record(run_id)
    assert record is not None
    return record.status


def test_a_run_asks_at_each_level_and_never_after_the_last(tracker: ExperimentTracker) -> None:
    asked = Asked(Verdict(True, 4), Verdict(True, None))
    with in_job(asked.gate(2)), tracker.start_run("e") as run:
        for step in range(1, 9):
            run.log({METRIC: step / 10, "other": 1.0}, step=step)
            assert not run.should_stop()
    assert asked.levels == [2, 4]
    assert asked.told == [run.run_dir]
    assert status(tracker) is RunStatus.COMPLETED


def test_a_run_that_asks_before_its_first_value_is_known_to_ask_and_waits_for_nobody(
    tracker: ExperimentTracker,
) -> None:
    asked = Asked()
    with in_job(asked.gate(1)), tracker.start_run("e") as run:
        assert not run.should_stop()
        assert (asked.told, asked.levels) == ([run.run_dir], [])


def test_a_run_that_is_told_to_stop_ends_as_pruned_and_keeps_what_it_logged(
    tracker: ExperimentTracker,
) -> None:
    asked = Asked(Verdict(False))
    with in_job(asked.gate(2)), tracker.start_run("e") as run:
        for step in (1, 2):
            run.log({METRIC: step / 10}, step=step)
        assert not run.is_pruned
        assert run.should_stop()
        assert run.should_stop()  # and nobody is asked again
        assert run.is_pruned
        run.log({"test_auc": 0.5})
    record = tracker.record("run_001")
    assert record is not None
    assert (record.status, record.error) == (RunStatus.PRUNED, None)
    assert record.summary[METRIC].max == 0.2
    assert asked.levels == [2]


def test_an_error_after_the_order_to_stop_stays_a_failure(tracker: ExperimentTracker) -> None:
    asked = Asked(Verdict(False))

    def task() -> None:
        with tracker.start_run("e") as run:
            run.log({METRIC: 0.1}, step=1)
            assert run.should_stop()
            raise ValueError("its own fault")

    with in_job(asked.gate(1)), pytest.raises(ValueError, match="its own fault"):
        task()
    record = tracker.record("run_001")
    assert record is not None
    assert record.status is RunStatus.FAILED
    assert "its own fault" in (record.error or "")


def test_a_value_counts_where_all_metrics_of_the_objective_have_it(tracker: ExperimentTracker) -> None:
    asked = Asked(Verdict(True, None))
    with in_job(asked.gate(2, "a", "b")), tracker.start_run("e") as run:
        for names in (("a",), ("a",), ("b",)):
            run.log(dict.fromkeys(names, 1.0))
            assert not run.should_stop()
        assert asked.levels == []
        run.log({"b": float("nan")})
        assert not run.should_stop()
    assert asked.levels == [2]


def test_a_user_who_asks_a_run_to_stop_completes_it_all_the_same(tracker: ExperimentTracker) -> None:
    asked = Asked(Verdict(True, None))
    with in_job(asked.gate(1)), tracker.start_run("e") as run:
        run.log({METRIC: 0.1}, step=1)
        (run.run_dir / "stop").touch()
        assert run.should_stop()
        assert not run.is_pruned
    assert status(tracker) is RunStatus.COMPLETED


def test_a_forked_child_asks_nobody(tracker: ExperimentTracker) -> None:
    asked = Asked(Verdict(True, None))
    with in_job(asked.gate(1)), tracker.start_run("e") as run:
        run.log({METRIC: 0.1}, step=1)
        child = os.fork()
        if not child:
            asked.verdicts.clear()
            os._exit(int(run.should_stop()))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_outside_of_a_judged_job_nobody_is_asked(tracker: ExperimentTracker) -> None:
    with tracker.start_run("e") as run:
        run.log({METRIC: 0.1}, step=1)
        assert not run.should_stop()
    assert status(tracker) is RunStatus.COMPLETED
