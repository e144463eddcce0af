"""What a forked child has of its parent's: its locks are free, its signals are its own, and the parent's runs are not."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tracking import ExperimentTracker, Run, active_run
from tracking.files import locks
from tracking.process import identity, presence
from tracking.process.hooks import renew_in_children
from tracking.process.signals import guard

FORK = multiprocessing.get_context("fork")
LIMIT_S = 60  # of a child that would wait for ever


def in_a_child(work: Callable[[], object]) -> int:
    """Do `work` in a forked child; return its exit code: 0, 1 after an error, -14 if it waits for ever."""
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@contextmanager
def held_by_a_thread(*held: object) -> Iterator[None]:
    """Hold locks in another thread during the block."""
    has_them, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with ExitStack() as stack:
            for lock in held:
                stack.enter_context(lock)  # type: ignore[arg-type]  # locks, and contexts that hold one
            has_them.set()
            may_end.wait(LIMIT_S)

    thread = threading.Thread(target=hold)
    thread.start()
    assert has_them.wait(LIMIT_S)
    try:
        yield
    finally:
        may_end.set()
        thread.join()


def test_a_child_logs_whatever_a_thread_of_its_parent_was_doing(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x") as run:
        run.log({"a": 0})

        def child() -> None:
            run.log({"a": 1})
            tracker.log_metrics(run.run_id, {"a": 2})
            active_run().log({"a": 3})
            tracker.finish_run(tracker.create_run("own"))

        with held_by_a_thread(tracker._lock, tracker._store.publisher._lock, run._journal._lock):
            assert in_a_child(child) == 0
        run.log({"a": 4})
    assert sorted(point["value"] for point in tracker.get_run(run.run_id)["metrics"]["a"]) == [0, 1, 2, 3, 4]
    assert [str(each.status) for each in tracker.records()] == ["completed", "completed"]


def test_a_child_does_not_hold_what_a_thread_of_its_parent_had_locked(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    own = tmp_path / "own"

    def child() -> None:
        assert not handles_of(path)
        assert handles_of(own)  # of the thread that forked

    with held_by_a_thread(locks.lock(path)), locks.lock(own):
        assert handles_of(path)
        assert in_a_child(child) == 0


def handles_of(path: Path) -> list[Path]:
    """The descriptors of this process that lead to a file."""
    return [each for each in Path("/proc/self/fd").iterdir() if os.path.realpath(each) == str(path)]


def sleep_for_ever() -> None:
    threading.Event().wait()


@pytest.mark.parametrize("is_in_block", [True, False])
def test_the_signals_of_a_child_are_those_of_before_the_run(
    tracker: ExperimentTracker, is_in_block: bool
) -> None:
    interrupt = signal.getsignal(signal.SIGINT)

    def child() -> None:
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) is interrupt
        with tracker.start_run("own"):
            assert signal.getsignal(signal.SIGTERM) == guard._handle
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

    with tracker.start_run("x"):
        if is_in_block:
            assert in_a_child(child) == 0
        else:
            with guard.deferring():  # as while a run is written down
                assert in_a_child(child) == 0
        assert signal.getsignal(signal.SIGTERM) == guard._handle
    assert signal.getsignal(signal.SIGINT) is interrupt


def test_workers_of_a_pool_end_at_once_when_they_are_told_to(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x") as run:
        workers = [FORK.Process(target=sleep_for_ever) for _ in range(2)]
        for worker in workers:
            worker.start()
        with FORK.Pool(2) as pool:
            assert pool.map(abs, [-1, -2]) == [1, 2]
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(LIMIT_S)
        assert [worker.exitcode for worker in workers] == [-signal.SIGTERM] * 2
    assert tracker.record(run.run_id).status == "completed"


def test_a_child_neither_ends_the_runs_of_its_parent_nor_holds_its_lock(tracker: ExperimentTracker) -> None:
    processes = tracker.base_dir / ".podium" / "processes"
    run_id = tracker.create_run("x")
    token = identity.owner()["token"]

    def child() -> None:
        from tracking.store import ending

        assert presence._held == {}
        assert identity.owner()["token"] != token
        ending.end_what_is_open()
        with ExperimentTracker(tracker.base_dir).open_run(run_id) as run:
            run.log({"a": 1})
        ending.end_what_is_open()

    assert in_a_child(child) == 0
    assert tracker.record(run_id).status == "running"
    assert presence.is_held(processes, token)
    tracker.finish_run(run_id)


def test_methods_are_called_in_a_child_as_long_as_their_object_lives() -> None:
    class Thing:
        def __init__(self, name: str) -> None:
            self.name = name

        def renew(self) -> None:
            called.append(self.name)

    called: list[str] = []
    kept, gone = Thing("kept"), Thing("gone")
    for thing in (kept, kept, gone):
        renew_in_children(thing.renew)
    del gone, thing

    def child() -> None:
        assert called == ["kept"]

    assert in_a_child(child) == 0
    assert called == []


def test_a_run_handed_to_a_child_is_not_finished_by_it(tracker: ExperimentTracker) -> None:
    def child(run: Run) -> None:
        with run:
            run.log({"a": 1})
        run.finish()

    with tracker.start_run("x") as run:
        assert in_a_child(lambda: child(run)) == 0
        assert tracker.record(run.run_id).status == "running"
    assert tracker.record(run.run_id).summary["a"].count == 1


def test_a_child_that_is_told_to_end_right_after_the_fork_ends(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x"):
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                time.sleep(LIMIT_S)
                os._exit(9)
            os.kill(pid, signal.SIGTERM)
            _, status = os.waitpid(pid, 0)
            assert os.waitstatus_to_exitcode(status) == -signal.SIGTERM
        assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
