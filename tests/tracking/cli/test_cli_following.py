"""Following runs while they log: nothing twice, nothing missed, and an end when the run ends."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from command_line import Say
from hypothesis import given
from hypothesis import strategies as st

from tracking import ExperimentTracker
from tracking.metrics.follow import Follower, whole_history
from tracking.metrics.line import Line
from tracking.paths import RunPaths

ROOT = Path(__file__).parents[3]
LOGS_AND_WAITS = """
import sys
from tracking import ExperimentTracker
run = ExperimentTracker(sys.argv[1]).open_run(sys.argv[2]) if len(sys.argv) > 2 else \\
    ExperimentTracker(sys.argv[1]).start_run("x", capture_output=False)
run.log({"loss": 0.5}, step=100)
print(run.run_id, flush=True)
sys.stdin.read()
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(base: Path) -> Iterator[Start]:
    """Start a Python process in the checkout; it is gone when the test is."""
    started: list[subprocess.Popen[str]] = []

    def call(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PODIUM_STORE": str(base)},
        )
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        process.communicate()


def next_line(process: "subprocess.Popen[str]") -> str:
    stream: IO[str] | None = process.stdout
    assert stream is not None
    return stream.readline()


def test_tail_tells_each_log_call_as_it_comes_and_ends_with_the_run(
    tracker: ExperimentTracker, start: Start
) -> None:
    run = tracker.open_run(tracker.create_run("x"))
    for step in range(5):
        run.log({"loss": 1 / (step + 1)}, step=step)
    process = start("-m", "tracking", "tail", run.run_id, "--lines", "2", "--json")
    assert [json.loads(next_line(process))["step"] for _ in range(2)] == [3, 4]
    for step in range(5, 8):
        run.log({"loss": 0.1, "val_auc": 0.7}, step=step)
        assert json.loads(next_line(process))["step"] == step
    run.log({"loss": float("nan")})
    run.finish("completed")
    rest, err = process.communicate()
    assert json.loads(rest)["metrics"] == {"loss": "NaN"}
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 3), ("killed", 4)])
def test_the_exit_code_of_tail_tells_how_the_run_ended(
    tracker: ExperimentTracker, base: Path, say: Say, status: str, code: int
) -> None:
    run = tracker.open_run(tracker.create_run("x"))
    run.log({"loss": 0.25, "steps": 12}, step=3)
    run.finish(status, error="it broke" if status == "failed" else None)
    found, out, _ = say("tail", run.run_id, "--store", str(base))
    first, last = out.splitlines()
    assert found == code
    assert first.endswith("  step 3  loss=0.2500  steps=12")
    assert re.match(rf"{run.run_id} {status} after \d+\.\d s", last)
    assert last.endswith(": it broke") == (status == "failed")


def test_tail_ends_when_the_process_of_the_run_is_killed(base: Path, start: Start) -> None:
    writer = start("-c", LOGS_AND_WAITS, str(base))
    run_id = next_line(writer).strip()
    assert run_id, writer.communicate()
    process = start("-m", "tracking", "tail", run_id)
    assert "step 100  loss=0.5000" in next_line(process)
    writer.kill()
    writer.wait()
    out, _ = process.communicate()
    assert (out.split()[:2], process.returncode) == ([run_id, "killed"], 4)


def test_tail_tells_what_several_processes_log(tracker: ExperimentTracker, base: Path, start: Start) -> None:
    run = tracker.open_run(tracker.create_run("x"))
    run.log({"loss": 0.1}, step=1)
    process = start("-m", "tracking", "tail", run.run_id, "--json")
    assert json.loads(next_line(process))["step"] == 1
    writer = start("-c", LOGS_AND_WAITS, str(base), run.run_id)
    assert next_line(writer).strip() == run.run_id
    assert json.loads(next_line(process))["step"] == 100
    run.log({"loss": 0.1}, step=2)
    assert json.loads(next_line(process))["step"] == 2
    writer.communicate()
    run.finish("completed")
    assert process.communicate() == ("", "")


@pytest.mark.parametrize("command", [("tail", "run_001"), ("watch", "x")])
def test_ctrl_c_ends_it_in_order(tracker: ExperimentTracker, start: Start, command: tuple[str, ...]) -> None:
    tracker.log_metrics(tracker.create_run("x"), {"loss": 0.5}, step=1)
    process = start("-m", "tracking", *command)
    assert next_line(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, err) == (130, "")


def test_watch_gives_a_pipe_a_table_whenever_something_changed(
    tracker: ExperimentTracker, start: Start
) -> None:
    run = tracker.open_run(tracker.create_run("x"))
    run.log({"loss": 0.5}, step=1)
    process = start("-m", "tracking", "watch", "x", "--interval", "0.1", "--json")
    assert json.loads(next_line(process))["runs"][0]["loss"] == 0.5
    run.log({"loss": 0.25}, step=2)
    (row,) = json.loads(next_line(process))["runs"]
    assert (row["status"], row["loss"], row["step"]) == ("running", 0.25, 2)
    run.finish("completed")
    assert json.loads(next_line(process))["runs"][0]["status"] == "completed"


def test_tail_without_follow_ends_at_once(tracker: ExperimentTracker, base: Path, say: Say) -> None:
    run_id = tracker.create_run("x")
    assert say("tail", run_id, "--no-follow", "--store", str(base)) == (0, "", "")
    tracker.log_metrics(run_id, {"loss": 0.5}, step=1)
    tracker.log_metrics(run_id, {"loss": 0.5}, step=2)
    arguments = ["tail", run_id, "--no-follow", "--store", str(base)]
    assert len(say(*arguments)[1].splitlines()) == 2
    assert len(say(*arguments, "-n", "1")[1].splitlines()) == 1
    assert say(*arguments, "-n", "0")[1] == ""


def test_a_run_of_other_code_is_told_from_its_metrics_json(
    write_plain_store: Callable[..., None], base: Path, say: Say
) -> None:
    write_plain_store(1)
    code, out, _ = say("tail", "run_001", "--store", str(base))
    assert code == 0
    assert [line.split()[1:] for line in out.splitlines()[:2]] == [
        ["step", "0", "val_auc=0.7100"],
        ["step", "1", "val_auc=0.7200"],
    ]


@given(st.data())
def test_a_follower_tells_each_whole_line_once_however_the_bytes_arrive(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lines = [Line(step, "2024-11-15T10:30:00.000+01:00", {"loss": step / 2}) for step in range(8)]
    text = b"".join(line.encode() for line in lines)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6).map(sorted))
    paths = RunPaths(tmp_path_factory.mktemp("run"))
    follower = Follower(paths)
    told: list[Line] = []
    with paths.journal.open("ab", buffering=0) as journal:
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            journal.write(text[start:end])
            told += follower.read()
            assert told == lines[: text[:end].count(b"\n")]
    follower.close()


def test_a_journal_that_is_renamed_or_removed_is_told_to_its_end_and_once(tmp_path: Path) -> None:
    first, second = (Line(step, f"2024-11-15T10:30:0{step}.000+01:00", {"a": 1.0}) for step in (1, 2))
    paths = RunPaths(tmp_path)
    follower = Follower(paths)
    assert (follower.read(), follower.has_seen_journals) == ([], False)
    paths.journal.write_bytes(first.encode())
    assert follower.read() == [first]
    with paths.journal.open("ab") as journal:
        journal.write(second.encode())
    paths.journal.rename(paths.closed_journal("0a" * 6))
    assert follower.read() == [second]
    paths.closed_journal("0a" * 6).unlink()
    assert (follower.read(), follower.has_seen_journals) == ([], True)
    follower.close()


def test_log_calls_are_put_together_again_from_the_history_of_a_finished_run(
    tracker: ExperimentTracker, base: Path
) -> None:
    run = tracker.open_run(tracker.create_run("x"))
    for step in range(3):
        run.log({"a": 1.0, "b": 2.0}, step=step)
    before = Follower(RunPaths(run.run_dir))
    expected = before.read()
    before.close()
    run.finish("completed")
    assert whole_history(RunPaths(run.run_dir)) == expected
