"""A run that is pickled into another process: that one takes part in the run, and does not end it."""

import copy
import multiprocessing
import os
import pickle
from collections.abc import Iterator
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, Run, active_run


@pytest.fixture(scope="module")
def workers() -> Iterator[Pool]:
    """Processes that were started before any run, so that their environment names none."""
    assert "PODIUM_RUN_DIR" not in os.environ
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        yield pool
        pool.close()
        pool.join()


def log(run: Run, number: int) -> tuple[str, str]:
    run.log({"a": number}, step=number)
    run.log_params({f"p{number}": number})
    return run.run_id, str(run.run_dir)


def log_in_a_block(run: Run, number: int) -> None:
    with run:
        log(run, number)


def fail_in_a_block(run: Run) -> None:
    with run:
        raise ValueError("no luck")


def where(run: Run) -> tuple[int, str]:
    os.chdir("/")
    run.log({"a": 0})
    return os.getpid(), repr(run)


def log_into_the_active_run(number: int) -> str | None:
    run = active_run()
    if run is None:
        return None
    run.log({"a": number}, step=number)
    return run.run_id


def log_beside_the_handle(run: Run, number: int) -> str | None:
    return log_into_the_active_run(number)


def values(tracker: ExperimentTracker, run: Run) -> list[Any]:
    return sorted(point["value"] for point in tracker.get_run(run.run_id)["metrics"]["a"])


@pytest.mark.parametrize("task", [log, log_in_a_block])
def test_workers_log_into_the_run_which_goes_on_and_ends_with_its_block(
    tracker: ExperimentTracker, workers: Pool, task: Any
) -> None:
    with tracker.start_run("x") as run:
        workers.starmap(task, [(run, number) for number in range(6)])
        assert tracker.record(run.run_id).status == "running"
        run.log({"a": 6}, step=6)
    record = tracker.record(run.run_id)
    assert record.status == "completed"
    assert record.params == {f"p{number}": number for number in range(6)}
    assert values(tracker, run) == list(range(7))


def test_the_run_that_a_worker_gets_is_its_active_run_also_after_another_one(
    tracker: ExperimentTracker, workers: Pool
) -> None:
    for _ in range(2):
        with tracker.start_run("x") as run:
            arguments = [(run, number) for number in range(8)]
            assert set(workers.starmap(log_beside_the_handle, arguments, chunksize=1)) == {run.run_id}
        assert values(tracker, run) == list(range(8))
    assert set(workers.map(log_into_the_active_run, range(4))) == {None}


def test_what_a_worker_logs_after_the_end_is_kept_and_the_run_stays_ended(
    tracker: ExperimentTracker, workers: Pool
) -> None:
    with tracker.start_run("x") as run:
        workers.apply(log, (run, 0))
    workers.apply(log_in_a_block, (run, 1))
    assert tracker.record(run.run_id).status == "completed"
    assert values(tracker, run) == [0, 1]


def test_a_worker_that_fails_in_a_block_makes_the_run_end_as_failed(
    tracker: ExperimentTracker, workers: Pool
) -> None:
    with tracker.start_run("x") as run:
        with pytest.raises(ValueError, match="no luck"):
            workers.apply(fail_in_a_block, (run,))
        assert tracker.record(run.run_id).status == "running"
    record = tracker.record(run.run_id)
    assert (record.status, record.error) == ("failed", "ValueError: no luck")


def test_the_store_is_found_wherever_the_worker_works(
    base: Path, workers: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(base.parent)
    with ExperimentTracker("experiments").start_run("x") as run:
        pid, named = workers.apply(where, (run,))
    assert pid != os.getpid()
    assert named == "Run('run_001', store='experiments')"
    assert values(ExperimentTracker(base), run) == [0]


def test_a_joblib_worker_takes_part_and_does_not_end_the_run(tracker: ExperimentTracker) -> None:
    joblib = pytest.importorskip("joblib")
    with tracker.start_run("x") as run:
        joblib.Parallel(n_jobs=2)(joblib.delayed(log_in_a_block)(run, number) for number in range(4))
        assert tracker.record(run.run_id).status == "running"
    assert tracker.record(run.run_id).status == "completed"
    assert values(tracker, run) == [0, 1, 2, 3]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda run: pickle.loads(pickle.dumps(run))])
def test_a_copy_in_the_same_process_is_one_more_handle_of_the_run(
    tracker: ExperimentTracker, duplicate: Any
) -> None:
    with tracker.start_run("x") as run:
        duplicate(run).log({"a": 1})
        with duplicate(run) as other:
            other.log({"a": 2})
        assert tracker.record(run.run_id).status == "running"
    assert values(tracker, run) == [1, 2]
    with duplicate(run) as again:
        again.log({"a": 3})
    assert tracker.record(run.run_id).status == "completed"
