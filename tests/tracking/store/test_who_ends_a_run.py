"""Who ends a run: the process that opened it last, at the end of its outermost block; nobody else, and no earlier."""

import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, Run, active_run
from tracking.process import identity

FORK = multiprocessing.get_context("fork")


def status(tracker: ExperimentTracker, run_id: str) -> tuple[str, str | None]:
    record = ExperimentTracker(tracker.base_dir).record(run_id)
    return str(record.status), record.error


def steps(tracker: ExperimentTracker, run_id: str) -> list[int]:
    return [point["step"] for point in tracker.get_run(run_id)["metrics"]["a"]]


def in_a_process(work: Callable[[], object]) -> int:
    """Do `work` in a process of its own, as a rank would; return its exit code."""
    process = FORK.Process(target=work)
    process.start()
    process.join(60)
    return process.exitcode


def change(run: Run, **values: Any) -> None:
    path = run.run_dir / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def raise_in(open_run: Callable[[], Run]) -> None:
    with open_run() as run:
        run.log({"a": 1}, step=1)
        raise RuntimeError("rank 1 died")


def log_in(open_run: Callable[[], Run]) -> None:
    with open_run() as run:
        run.log({"a": 1}, step=2)


@pytest.mark.parametrize("is_guest", [True, False])
def test_a_rank_that_leaves_ends_nothing_and_its_failure_is_not_lost(
    tracker: ExperimentTracker, is_guest: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    with tracker.start_run("x") as run:
        run.log({"a": 1}, step=0)

        def opened() -> Run:
            return active_run() if is_guest else ExperimentTracker(tracker.base_dir).open_run(run.run_id)

        assert in_a_process(lambda: log_in(opened)) == 0
        assert status(tracker, run.run_id) == ("running", None)
        assert in_a_process(lambda: raise_in(opened)) == 1
        assert status(tracker, run.run_id) == ("running", "RuntimeError: rank 1 died")
        run.log({"a": 1}, step=3)
    assert status(tracker, run.run_id) == ("failed", "RuntimeError: rank 1 died")
    assert "in raise_in" in (run.run_dir / "error.txt").read_text()
    assert steps(tracker, run.run_id) == [0, 1, 2, 3]
    assert not list(run.run_dir.glob("metrics*.jsonl"))
    capfd.readouterr()


def test_a_rank_that_finishes_completes_only_its_own_part(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x")
    other = ExperimentTracker(tracker.base_dir)

    def rank() -> None:
        other.log_metrics(run_id, {"a": 1}, step=1)
        other.finish_run(run_id)

    assert in_a_process(rank) == 0
    assert status(tracker, run_id) == ("running", None)
    tracker.log_metrics(run_id, {"a": 1}, step=2)
    tracker.finish_run(run_id)
    assert (status(tracker, run_id), steps(tracker, run_id)) == (("completed", None), [1, 2])


def test_a_rank_that_finishes_as_failed_fails_the_run(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x") as run:
        run.log({"a": 1}, step=0)
        other = ExperimentTracker(tracker.base_dir)
        assert in_a_process(lambda: other.open_run(run.run_id).finish("failed", error="no data")) == 0
        run.release()  # as a tracker does with a run that was not used for long
        run.log({"a": 1}, step=1)
        run.finish()
    assert status(tracker, run.run_id) == ("failed", "no data")


def test_a_rank_that_ends_by_an_error_without_a_block_fails_the_run(
    tracker: ExperimentTracker, capfd: pytest.CaptureFixture[str]
) -> None:
    def rank() -> None:
        ExperimentTracker(tracker.base_dir).log_metrics(run.run_id, {"a": 1})
        raise ValueError("bad")

    with tracker.start_run("x") as run:
        in_a_process(rank)
    assert status(tracker, run.run_id) == ("failed", "ValueError: bad")
    capfd.readouterr()


@pytest.mark.parametrize(("code", "told"), [(3, ("failed", "SystemExit: 3")), (0, ("completed", None))])
def test_a_rank_that_exits_without_a_block_fails_the_run_by_its_code(
    tracker: ExperimentTracker, code: int, told: tuple[str, str | None]
) -> None:
    def rank() -> None:
        ExperimentTracker(tracker.base_dir).log_metrics(run.run_id, {"a": 1})
        sys.exit(code)

    with tracker.start_run("x") as run:
        assert in_a_process(rank) == code
    assert status(tracker, run.run_id) == told


@pytest.mark.parametrize(
    ("error", "told"),
    [(KeyboardInterrupt(), "RuntimeError: rank 1 died"), (OSError("peer"), "OSError: peer")],
)
def test_the_failure_of_a_rank_explains_an_interrupt_and_stands_beside_an_error(
    tracker: ExperimentTracker, error: BaseException, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def train(run: Run) -> None:
        in_a_process(lambda: raise_in(lambda: ExperimentTracker(tracker.base_dir).open_run(run.run_id)))
        raise error

    with pytest.raises(type(error)), tracker.start_run("x") as run:
        train(run)
    assert status(tracker, run.run_id) == ("failed", told)
    assert "rank 1 died" in (run.run_dir / "error.txt").read_text()
    capfd.readouterr()


def test_a_second_handle_of_the_same_process_ends_nothing(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x") as run:
        for other in (tracker, ExperimentTracker(tracker.base_dir)):
            with other.open_run(run.run_id) as second:
                second.log({"a": 1}, step=1)
            assert status(tracker, run.run_id)[0] == "running"
        with active_run() as again:
            assert again is run
        assert status(tracker, run.run_id)[0] == "running"
        assert active_run() is run
        with pytest.raises(ValueError, match="no"), tracker.open_run(run.run_id):
            raise ValueError("no")
    assert status(tracker, run.run_id) == ("failed", "ValueError: no")


def test_a_handle_that_start_run_returned_keeps_the_run_open_without_a_block(
    tracker: ExperimentTracker,
) -> None:
    run = tracker.start_run("x", capture_output=False)
    with tracker.open_run(run.run_id) as second:
        second.log({"a": 1})
    assert status(tracker, run.run_id)[0] == "running"
    with run:
        pass
    assert status(tracker, run.run_id)[0] == "completed"
    assert active_run() is None
    run_id = tracker.create_run("x")  # which gives an id and no handle
    with tracker.open_run(run_id) as second:
        second.log({"a": 1})
    assert status(tracker, run_id)[0] == "completed"


@pytest.mark.parametrize("same_tracker", [True, False])
def test_a_finished_run_that_is_logged_into_is_running_until_its_block_ends(
    tracker: ExperimentTracker, same_tracker: bool
) -> None:
    with tracker.start_run("x") as run:
        run.log({"a": 1}, step=0)
    assert [each.run_id for each in tracker.search_runs("status == 'completed'")] == [run.run_id]
    later = tracker if same_tracker else ExperimentTracker(tracker.base_dir)
    with later.open_run(run.run_id) as again:
        assert status(tracker, run.run_id)[0] == "completed"  # nothing was logged yet
        again.log({"a": 2}, step=1)
        record = tracker.record(run.run_id)
        assert (record.status, record.finished_at) == ("running", None)
        assert [each.run_id for each in tracker.search_runs("status == 'running'")] == [run.run_id]
    with pytest.raises(ValueError, match="boom"), later.open_run(run.run_id):
        raise ValueError("boom")
    assert status(tracker, run.run_id) == ("failed", "ValueError: boom")
    with later.open_run(run.run_id) as again:
        again.log({"a": 3}, step=2)
    assert status(tracker, run.run_id) == ("completed", None)


def test_looking_at_a_finished_run_in_a_block_and_editing_it_leave_its_end_as_it_is(
    tracker: ExperimentTracker, tmp_path: Path
) -> None:
    run_id = tracker.create_run("x")
    tracker.finish_run(run_id, "failed")
    ended = tracker.record(run_id).finished_at
    (tmp_path / "roc.png").write_bytes(b"")
    with tracker.open_run(run_id) as run:
        run.set_tags({"seen": "yes"})
        run.log_params({"seen": 1})
        run.log_artifact(tmp_path / "roc.png")
    with pytest.raises(KeyboardInterrupt), tracker.open_run(run_id):
        raise KeyboardInterrupt
    record = tracker.record(run_id)
    assert (record.status, record.finished_at, record.params) == ("failed", ended, {"seen": 1})


def test_a_run_that_was_finished_in_its_block_and_logged_into_again_ends_with_the_block(
    tracker: ExperimentTracker,
) -> None:
    with tracker.start_run("x") as run:
        run.finish("failed", error="early")
        run.log({"a": 1})
        assert status(tracker, run.run_id) == ("running", None)
    assert status(tracker, run.run_id) == ("completed", None)
    run.finish("failed", error="on second thoughts")
    run.finish()  # what a process has said itself, it may take back
    assert status(tracker, run.run_id) == ("completed", None)


ELSEWHERE = {"host": "node-7", "machine": "another", "boot_id": "another", "token": None}


def requeued(tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch, rank: str | None) -> str:
    """A run of a process on a machine that cannot be seen; return its id."""
    monkeypatch.setenv("RANK", "0") if rank else None
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"a": 1}, step=0)
    change(tracker.open_run(run_id), **ELSEWHERE)
    monkeypatch.setenv("RANK", rank) if rank else None
    return run_id


@pytest.mark.parametrize("rank", [None, "0"])
def test_a_run_that_was_requeued_on_another_node_goes_on_there(
    tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch, rank: str | None
) -> None:
    run_id = requeued(tracker, monkeypatch, rank)

    def die() -> None:
        with ExperimentTracker(tracker.base_dir).open_run(run_id) as run:
            run.log({"a": 1}, step=1)
            os._exit(0)

    assert status(tracker, run_id)[0] == "running"
    assert in_a_process(die) == 0
    assert status(tracker, run_id)[0] == "killed"  # the node of the new process knows
    assert in_a_process(lambda: log_in(lambda: ExperimentTracker(tracker.base_dir).open_run(run_id))) == 0
    assert (status(tracker, run_id), steps(tracker, run_id)) == (("completed", None), [0, 1, 2])


def test_a_further_rank_on_another_node_does_not_end_the_run(
    tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = requeued(tracker, monkeypatch, "3")
    in_a_process(lambda: log_in(lambda: ExperimentTracker(tracker.base_dir).open_run(run_id)))
    assert status(tracker, run_id)[0] == "running"
    # a rank with a run of its own continues that one
    change(tracker.open_run(run_id), rank="3")
    in_a_process(lambda: log_in(lambda: ExperimentTracker(tracker.base_dir).open_run(run_id)))
    assert status(tracker, run_id)[0] == "completed"


def test_a_run_of_other_code_that_is_running_is_ended_by_who_opens_it(
    write_plain_store: Callable[..., None], base: Path
) -> None:
    write_plain_store(2)
    tracker = ExperimentTracker(base)
    with tracker.open_run("run_002") as run:
        run.log({"a": 1}, step=0)
    assert status(tracker, "run_002")[0] == "completed"


@pytest.mark.parametrize(
    ("variables", "rank"),
    [
        ({}, None),
        ({"RANK": "3", "LOCAL_RANK": "1"}, "3"),
        ({"RANK": "", "SLURM_PROCID": "2"}, "2"),
        ({"MV2_COMM_WORLD_RANK": "1"}, "1"),
        ({"HOROVOD_RANK": "0", "LOCAL_RANK": "1"}, "0"),
        ({"LOCAL_RANK": "1"}, "1"),
        ({"NODE_RANK": "0"}, "0"),
        ({"NODE_RANK": "0", "LOCAL_RANK": "1"}, "1"),
        ({"NODE_RANK": "1", "LOCAL_RANK": "0"}, "1.0"),
    ],
)
def test_the_rank_is_that_of_the_launcher(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], rank: str | None
) -> None:
    for name in (*identity.RANKS, "LOCAL_RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert identity.rank() == rank


@pytest.mark.parametrize("leaves_first", [True, False])
def test_a_process_that_takes_part_in_a_block_and_is_the_last_gives_the_run_its_final_form(
    tracker: ExperimentTracker, leaves_first: bool
) -> None:
    logged, is_over = FORK.Event(), FORK.Event()

    def rank() -> None:
        with ExperimentTracker(tracker.base_dir).open_run(run.run_id) as part:
            part.log({"a": 1}, step=1)
            if not leaves_first:
                logged.set()
                is_over.wait(60)
        logged.set()
        is_over.wait(60)

    with tracker.start_run("x") as run:
        run.log({"a": 1}, step=0)
        process = FORK.Process(target=rank)
        process.start()
        assert logged.wait(60)
    assert list(run.run_dir.glob("metrics*.jsonl"))
    is_over.set()
    process.join(60)
    assert steps(tracker, run.run_id) == [0, 1]
    assert status(tracker, run.run_id) == ("completed", None)
    assert not list(run.run_dir.glob("metrics*.jsonl"))
    assert (run.run_dir / "summary.json").is_file()
