"""Real processes and signals: no point is lost, no id is claimed twice, a run of a dead process is killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tracking import ExperimentTracker
from tracking.process import identity, is_alive, started

HEAD = "import sys, os, signal\nfrom tracking import ExperimentTracker\ntracker = ExperimentTracker(sys.argv[1])\n"


def start(code: str, base: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HEAD + code, str(base), *arguments],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


def test_eight_processes_of_twenty_runs_claim_distinct_ids_and_all_are_published(base: Path) -> None:
    code = """
sys.stdin.readline()
for number in range(20):
    run_id = tracker.create_run("x", tags={"who": sys.argv[2]})
    tracker.log_metrics(run_id, {"a": number})
    tracker.finish_run(run_id)
    print(run_id)
"""
    workers = [start(code, base, str(number)) for number in range(8)]
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    printed = [worker.communicate()[0].split() for worker in workers]
    assert all(worker.returncode == 0 for worker in workers)
    run_ids = [run_id for ids in printed for run_id in ids]
    assert len(run_ids) == len(set(run_ids)) == 160
    published = json.loads((base / "metadata.json").read_text())
    assert [entry["run_id"] for entry in published] == [f"run_{number:03d}" for number in range(1, 161)]
    assert {entry["status"] for entry in published} == {"completed"}
    whose = {entry["run_id"]: entry["tags"]["who"] for entry in published}
    assert all(whose[run_id] == str(number) for number, ids in enumerate(printed) for run_id in ids)


def test_a_returned_log_call_survives_sigkill_and_the_run_is_shown_as_killed(base: Path) -> None:
    code = """
run = tracker.start_run("x")
for step in range(1000):
    run.log({"a": step}, step=step)
print(run.run_id, flush=True)
sys.stdin.read()
"""
    worker = start(code, base)
    run_id = worker.stdout.readline().strip()
    tracker = ExperimentTracker(base)
    assert tracker.get_run(run_id)["status"] == "running"
    worker.kill()
    # not yet waited for, so the process is a zombie when its end shows
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
    assert tracker.get_run(run_id)["status"] == "killed"
    worker.communicate()
    run = tracker.get_run(run_id)
    assert [point["value"] for point in run["metrics"]["a"]] == list(range(1000))
    assert run["status"] == "killed"
    assert run["finished_at"] is None
    assert tracker.list_runs()[0]["status"] == "killed"
    assert tracker.record(run_id).summary["a"].count == 1000


def test_sigterm_unwinds_finishes_as_killed_and_exits_143(base: Path) -> None:
    code = """
with tracker.start_run("x") as run:
    run.log({"a": 1})
    try:
        print(run.run_id, flush=True)
        sys.stdin.read()
    finally:
        print("unwound", flush=True)
"""
    worker = start(code, base)
    run_id = worker.stdout.readline().strip()
    worker.send_signal(signal.SIGTERM)
    assert worker.communicate()[0] == "unwound\n"
    assert worker.returncode == 143
    record = ExperimentTracker(base).record(run_id)
    assert record.status == "killed"
    assert record.finished_at is not None
    assert record.error == "tracking.process.signals.Terminated: 143"


def test_ctrl_c_finishes_the_run_as_killed(base: Path) -> None:
    code = """
with tracker.start_run("x") as run:
    print(run.run_id, flush=True)
    sys.stdin.read()
"""
    worker = start(code, base)
    run_id = worker.stdout.readline().strip()
    worker.send_signal(signal.SIGINT)
    worker.communicate()
    assert ExperimentTracker(base).record(run_id).status == "killed"


def test_a_signal_during_the_finish_lets_the_run_complete_and_is_then_delivered(base: Path) -> None:
    code = """
run = tracker.start_run("x")
journal_finish = run._journal.finish
def finish():
    os.kill(os.getpid(), signal.SIGTERM)
    journal_finish()
run._journal.finish = finish
run.log({"a": 1})
run.finish()
print("not reached")
"""
    worker = start(code, base)
    assert worker.communicate()[0] == ""
    assert worker.returncode == -signal.SIGTERM
    assert ExperimentTracker(base).record("run_001").status == "completed"


@pytest.mark.parametrize("error", ["", "raise KeyboardInterrupt"])
def test_ctrl_c_during_the_end_of_a_run_waits_until_it_is_written_down(base: Path, error: str) -> None:
    code = f"""
with tracker.start_run("x") as run:
    journal_finish = run._journal.finish
    def finish():
        signal.raise_signal(signal.SIGINT)
        journal_finish()
    run._journal.finish = finish
    run.log({{"a": 1}})
    {error}
print("not reached")
"""
    worker = start(code, base)
    assert worker.communicate()[0] == ""
    assert worker.returncode == -signal.SIGINT
    run_dir = base / "runs" / "run_001"
    assert ExperimentTracker(base).record("run_001").status == ("killed" if error else "completed")
    assert (run_dir / "metrics.json").exists()
    assert not [path for path in run_dir.iterdir() if path.name.endswith((".jsonl", ".tmp"))]


def test_a_second_ctrl_c_does_not_wait(base: Path) -> None:
    code = """
run = tracker.start_run("x")
def finish():
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    print("not reached")
run._journal.finish = finish
run.finish()
"""
    worker = start(code, base)
    assert worker.communicate()[0] == ""
    assert worker.returncode == -signal.SIGINT
    assert ExperimentTracker(base).record("run_001").status == "killed"


def test_a_forked_child_that_leaves_the_block_does_not_end_the_run(base: Path) -> None:
    code = """
child = -1
try:
    with tracker.start_run("x") as run:
        child = os.fork()
        if child == 0:
            run.log({"a": 1})
            sys.exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
        print(tracker.record(run.run_id).status, flush=True)
        run.log({"a": 2})
finally:
    if child:
        print(tracker.record(run.run_id).status, flush=True)
"""
    worker = start(code, base)
    assert worker.communicate()[0].split() == ["running", "completed"]
    assert ExperimentTracker(base).record("run_001").summary["a"].count == 2


def test_the_handler_of_sigterm_is_restored(tracker: ExperimentTracker) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with tracker.start_run("x"):
        held = signal.getsignal(signal.SIGTERM)
        assert held != before
        with tracker.start_run("y"):
            assert signal.getsignal(signal.SIGTERM) == held
        assert signal.getsignal(signal.SIGTERM) == held
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("choice", ["lambda *_: print('mine', flush=True)", "signal.SIG_IGN"])
def test_a_handler_of_the_program_is_left_alone(base: Path, choice: str) -> None:
    code = f"""
handler = {choice}
signal.signal(signal.SIGTERM, handler)
with tracker.start_run("x") as run:
    assert signal.getsignal(signal.SIGTERM) is handler
    os.kill(os.getpid(), signal.SIGTERM)
    run.log({{"a": 1}})
assert signal.getsignal(signal.SIGTERM) is handler
"""
    worker = start(code, base)
    assert worker.communicate()[0] == ("mine\n" if "mine" in choice else "")
    assert worker.returncode == 0
    assert ExperimentTracker(base).record("run_001").status == "completed"


def test_a_child_forked_inside_a_run_has_its_own_runs_killed_by_sigterm(base: Path) -> None:
    code = """
with tracker.start_run("outer"):
    child = os.fork()
    if child == 0:
        with tracker.start_run("inner"):
            os.kill(os.getpid(), signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 143
"""
    worker = start(code, base)
    worker.communicate()
    assert worker.returncode == 0
    assert [record.status for record in ExperimentTracker(base).records("outer")] == ["completed"]
    assert [record.status for record in ExperimentTracker(base).records("inner")] == ["killed"]


def test_a_run_whose_process_ended_can_be_continued_and_finished_by_another(base: Path) -> None:
    worker = start('print(tracker.create_run("x"), flush=True); os._exit(0)', base)
    run_id = worker.communicate()[0].strip()
    tracker = ExperimentTracker(base)
    assert tracker.get_run(run_id)["status"] == "killed"
    tracker.log_metrics(run_id, {"a": 1})
    assert tracker.get_run(run_id)["status"] == "running"
    tracker.open_run(run_id).finish("failed", error="exit code 1\nlast words")
    record = tracker.record(run_id)
    assert (record.status, record.error) == ("failed", "exit code 1")
    assert (record.run_dir / "error.txt").read_text() == "exit code 1\nlast words"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"host": "elsewhere"}, "running"),
        ({"boot_id": "earlier"}, "killed"),
        ({"boot_id": "another", "machine": "another"}, "running"),
        ({"process_started": 1}, "killed"),
        ({"pid_namespace": "pid:[1]"}, "running"),
    ],
)
def test_a_process_is_known_by_more_than_its_pid(
    tracker: ExperimentTracker, change: dict[str, object], status: str
) -> None:
    run_id = tracker.create_run("x")
    path = tracker.record(run_id).run_dir / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert tracker.get_run(run_id)["status"] == status


def test_a_forked_child_logs_into_the_run_of_its_parent(base: Path) -> None:
    code = """
from tracking import active_run
with tracker.start_run("x") as run:
    run.log({"a": 0})
    child = os.fork()
    if child == 0:
        assert active_run() is not run
        active_run().log({"a": 1})
        run.log({"a": 1})
        os._exit(0)
    os.waitpid(child, 0)
    run.log({"a": 2})
    print(tracker.record(run.run_id).summary["a"].count)
"""
    worker = start(code, base)
    assert worker.communicate()[0] == "4\n"
    assert worker.returncode == 0


def test_a_process_knows_itself() -> None:
    assert identity.is_own(identity.owner())
    assert not identity.is_own({**identity.owner(), "pid": 1})
    assert not identity.is_own({})


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    assert child.pid
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{child.pid}").exists()
    assert not is_alive(child.pid)
    child.wait()
    assert not is_alive(child.pid)
    assert is_alive(os.getpid())
    assert started(os.getpid()) == identity.owner()["process_started"]
