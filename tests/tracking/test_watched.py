"""What one process sees of a run that another one writes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tracking import ExperimentTracker
from tracking.watched import WatchedRun, last_sign

WRITES = """
import sys
from tracking import ExperimentTracker
with ExperimentTracker(sys.argv[1]).start_run("e") as run:
    for line in sys.stdin:
        run.log({name: 1.0 for name in line.split()})
        print(run.run_dir, run.should_stop(), flush=True)
"""


class Writer:
    """A process that logs the metrics that it is told to."""

    def __init__(self, store: Path) -> None:
        command = [sys.executable, "-c", WRITES, str(store)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def log(self, *names: str) -> tuple[Path, bool]:
        """Log a value of each metric; return the folder of the run, and whether it is to stop."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(" ".join(names) + "\n")
        self.process.stdin.flush()
        folder, stops = self.process.stdout.readline().split()
        return Path(folder), stops == "True"

    def end(self) -> None:
        self.process.communicate()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "experiments")
    yield writer
    writer.end()


def test_each_look_counts_what_was_logged_since(writer: Writer) -> None:
    folder, _ = writer.log("a", "b")
    run = WatchedRun(folder, ("a", "b"))
    assert run.level() == 1
    writer.log("a")
    assert run.level() == 1
    writer.log("b", "c")
    writer.log("a", "b")
    assert (run.level(), run.level()) == (3, 3)
    run.close()


def test_a_run_hears_that_it_is_to_stop_and_says_pruned_at_its_end(writer: Writer) -> None:
    folder, stops = writer.log("a")
    run = WatchedRun(folder, ("a",))
    assert not stops
    run.prune()
    assert writer.log("a") == (folder, True)
    assert not run.is_pruned()
    writer.end()
    assert run.is_pruned()
    run.close()


def test_the_process_of_a_run_is_known_while_it_lives(writer: Writer) -> None:
    folder, _ = writer.log("a")
    run = WatchedRun(folder, ("a",))
    assert run.process() == writer.process.pid
    writer.end()
    assert run.process() is None
    run.close()


def test_a_run_of_this_process_is_seen_likewise(tmp_path: Path) -> None:
    with ExperimentTracker(tmp_path).start_run("e") as run:
        run.log({"a": float("nan")})
        seen = WatchedRun(run.run_dir, ("a",))
        assert (seen.level(), seen.process()) == (1, os.getpid())
        seen.close()


def test_a_run_was_last_heard_of_when_it_ended_or_logged_last(tmp_path: Path) -> None:
    assert last_sign(tmp_path / "runs" / "run_001") is None
    with ExperimentTracker(tmp_path).start_run("e", capture_output=False) as run:
        folder = Path(run.run_dir)
        assert last_sign(folder) is None  # nothing was logged
        for value in range(3):
            run.log({"loss": value})
        journal = folder / "metrics.jsonl"
        whole = journal.read_bytes()
        last = json.loads(whole.splitlines()[-1])["timestamp"]
        assert last_sign(folder) == datetime.fromisoformat(last)
        (folder / "usage.jsonl").write_text('{"timestamp": "2099-01-01T00:00:00.000+00:00"}\n{"timesta')
        assert last_sign(folder) == datetime(2099, 1, 1, tzinfo=UTC)
    assert last_sign(folder) == ExperimentTracker(tmp_path).record(run.run_id).finished_at
