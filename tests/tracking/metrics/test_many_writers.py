"""Several processes write one run: each has its own journal, and no point is lost or duplicated."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tracking import ExperimentTracker

HEAD = """
import os, sys, signal
from tracking import ExperimentTracker
tracker = ExperimentTracker(sys.argv[1])
def wait():
    print("ready", flush=True)
    sys.stdin.readline()
"""


class Writer:
    """A process that runs `code` and stops at each wait() until `go_on` is called."""

    def __init__(self, code: str, base: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HEAD + code, str(base), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def reach_wait(self) -> None:
        assert self.process.stdout.readline() == "ready\n"

    def go_on(self) -> None:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> str:
        output = self.process.communicate()[0]
        assert self.process.returncode == 0, output
        return output

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def points(base: Path, run_id: str, metric: str = "a") -> list[float]:
    return [point["value"] for point in ExperimentTracker(base).get_run(run_id)["metrics"][metric]]


def journals(base: Path, run_id: str) -> list[str]:
    return sorted(path.name for path in (base / "runs" / run_id).glob("metrics*.jsonl"))


def assert_is_final(base: Path, run_id: str, values: list[float]) -> None:
    """Check that all points are in every file that holds them, and that no journal is left."""
    assert sorted(points(base, run_id)) == sorted(values)
    assert journals(base, run_id) == []
    assert not (base / "runs" / run_id / "metrics.complete").exists()
    summary = ExperimentTracker(base).record(run_id).summary["a"]
    assert (summary.count, summary.min, summary.max) == (len(values), min(values), max(values))
    (base / "runs" / run_id / "summary.json").unlink()
    assert ExperimentTracker(base).record(run_id).summary["a"] == summary


LOG = """
run = tracker.open_run(sys.argv[2])
first = int(sys.argv[3])
wait()
for number in range(first, first + int(sys.argv[4])):
    run.log({"a": number}, step=number % 100)
wait()
"""


def test_eight_processes_log_into_one_run_and_finish_in_any_order(
    tracker: ExperimentTracker, base: Path
) -> None:
    run_id = tracker.create_run("x")
    writers = [Writer(LOG + "run.finish()", base, run_id, str(1000 * n), "1000") for n in range(8)]
    for _ in range(2):
        for writer in writers:
            writer.reach_wait()
        for writer in writers:
            writer.go_on()
    for writer in writers:
        writer.end()
    tracker.finish_run(run_id)
    assert_is_final(base, run_id, list(range(8000)))
    steps = [point["step"] for point in tracker.get_run(run_id)["metrics"]["a"]]
    assert steps == sorted(steps)


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_a_killed_writer_loses_no_point_and_blocks_no_other_writer(base: Path, victim: int) -> None:
    owner = Writer(
        'print(tracker.create_run("x"), flush=True)\nwait()\nsys.argv[2:] = ["run_001", "0", "100"]'
        + LOG
        + "run.finish()",
        base,
    )
    assert owner.process.stdout.readline() == "run_001\n"
    owner.reach_wait()
    writers = [owner, *(Writer(LOG + "run.finish()", base, "run_001", str(100 * n), "100") for n in (1, 2))]
    owner.go_on()
    for _ in range(2):
        for writer in writers:
            writer.reach_wait()
        if _ == 0:
            for writer in writers:
                writer.go_on()
    writers.pop(victim).kill()
    for writer in writers:
        writer.go_on()
        writer.end()
    assert_is_final(base, "run_001", list(range(300)))


def test_a_run_finished_while_others_write_keeps_what_they_log_after(
    tracker: ExperimentTracker, base: Path
) -> None:
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"a": -1})
    writer = Writer(LOG, base, run_id, "0", "10")
    writer.reach_wait()
    writer.go_on()
    writer.reach_wait()
    tracker.finish_run(run_id)
    assert len(journals(base, run_id)) == 2
    assert sorted(points(base, run_id)) == list(range(-1, 10))
    tracker.log_metrics(run_id, {"a": -2})
    assert sorted(points(base, run_id)) == list(range(-2, 10))
    tracker.finish_run(run_id)
    writer.go_on()
    writer.end()  # without a finish: the last process to end gives the run its final form
    assert_is_final(base, run_id, list(range(-2, 10)))


def test_a_writer_that_ends_before_the_run_leaves_its_points_to_the_finish(
    tracker: ExperimentTracker, base: Path
) -> None:
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"a": -1})
    writer = Writer(LOG, base, run_id, "0", "10")
    for _ in range(2):
        writer.reach_wait()
        writer.go_on()
    writer.end()
    assert [name.endswith(".closed.jsonl") for name in journals(base, run_id)] == [True, False]
    tracker.finish_run(run_id)
    assert_is_final(base, run_id, list(range(-1, 10)))


@pytest.mark.parametrize("crashed", [False, True])
def test_processes_that_continue_a_finished_run_at_once_duplicate_no_point(base: Path, crashed: bool) -> None:
    first = Writer(
        'run_id = tracker.create_run("x")\n'
        'for n in range(50): tracker.log_metrics(run_id, {"a": n, "b": n}, n)\n'
        "tracker.finish_run(run_id)",
        base,
    )
    first.end()
    writers = [Writer(LOG + "run.finish()", base, "run_001", str(100 * n), "10") for n in range(1, 5)]
    expected = list(range(50)) + [100 * n + k for n in range(1, 5) for k in range(10)]
    for _ in range(2):
        for writer in writers:
            writer.reach_wait()
        if crashed and _:
            writers.pop().kill()
        for writer in writers:
            writer.go_on()
    for writer in writers:
        writer.end()
    assert_is_final(base, "run_001", expected)
    assert points(base, "run_001", "b") == list(range(50))


def test_parameters_and_tags_of_many_processes_are_all_kept(tracker: ExperimentTracker, base: Path) -> None:
    run_id = tracker.create_run("x")
    code = """
run = tracker.open_run(sys.argv[2])
wait()
for number in range(20):
    run.log_params({f"p{sys.argv[3]}_{number}": number})
    run.set_tags({f"t{sys.argv[3]}_{number}": number})
"""
    writers = [Writer(code, base, run_id, str(n)) for n in range(4)]
    for writer in writers:
        writer.reach_wait()
    for writer in writers:
        writer.go_on()
    for writer in writers:
        writer.end()
    record = tracker.record(run_id)
    assert (len(record.params), len(record.tags)) == (80, 80)
    (entry,) = json.loads((base / "metadata.json").read_text())
    assert entry["tags"] == record.tags


def test_handles_and_trackers_of_one_process_share_a_journal(base: Path) -> None:
    one, two = ExperimentTracker(base), ExperimentTracker(base / ".." / base.name)
    run_id = one.create_run("x")
    one.log_metrics(run_id, {"a": 0})
    two.log_metrics(run_id, {"a": 1})
    assert journals(base, run_id) == ["metrics.jsonl"]
    two.finish_run(run_id)
    one.log_metrics(run_id, {"a": 2})
    one.finish_run(run_id)
    assert_is_final(base, run_id, [0, 1, 2])


def test_a_finish_from_elsewhere_leaves_a_living_owner_its_journal(
    tracker: ExperimentTracker, base: Path
) -> None:
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"a": 0})
    Writer("tracker.finish_run(sys.argv[2], status='failed')", base, run_id).end()
    assert journals(base, run_id) == ["metrics.jsonl"]
    assert tracker.record(run_id).status == "failed"
    tracker.log_metrics(run_id, {"a": 1})
    tracker.finish_run(run_id)
    assert_is_final(base, run_id, [0, 1])


def test_a_run_of_another_host_is_written_beside_it(tracker: ExperimentTracker, base: Path) -> None:
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"a": 0})
    path = base / "runs" / run_id / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "host": "elsewhere"}))
    before = (base / "runs" / run_id / "metrics.jsonl").read_bytes()
    Writer("tracker.log_metrics(sys.argv[2], {'a': 1}); tracker.finish_run(sys.argv[2])", base, run_id).end()
    assert (base / "runs" / run_id / "metrics.jsonl").read_bytes() == before
    assert points(base, run_id) == [0, 1]
    assert json.loads(path.read_text())["host"] == "elsewhere"
