"""Folders of event files are followed while they grow, by one process, until a signal."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from event_files import START, add, begin, looks, statuses, steps, take, values

from tracking import ExperimentTracker
from tracking.transfer import Imported, follow_source, open_source
from tracking.transfer.formats import SourceFormat
from tracking.transfer.found_runs import FoundRun, Item
from tracking.transfer.tensorboard.event_folders import EventFolders

ROOT = Path(__file__).resolve().parents[3]


def start_following(base: Path, logs: Path) -> "subprocess.Popen[str]":
    words = ["-m", "tracking", "import", str(logs), "--follow", "--json", "--store", str(base)]
    return subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_following_imports_each_new_point_once_and_new_runs_too(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    path = begin(logs / "a")
    add(path, 0, {"loss": 1.0})
    told: list[Imported] = []
    statuses = []

    def status() -> None:
        record = tracker.record("run_001")
        statuses.append(record and record.status.value)

    def one_more() -> None:
        status()
        add(path, 1, {"loss": 0.5})

    def another_run() -> None:
        status()
        add(begin(logs / "b", at=START + 50), 0, {"loss": 2.0})
        add(path, 2, {"loss": 0.25})

    def another_import() -> None:
        status()
        assert "is importing it already" not in str(take(base, logs))

    wait = looks(one_more, another_run, another_import)
    follow_source(base, EventFolders(logs), wait=wait, tell=told.append)
    assert statuses == ["ended", "running", "running"]
    assert told == [
        Imported({"a": "run_001"}, points=1),
        Imported(grown={"a": 1}),
        Imported({"b": "run_002"}, grown={"a": 1}, points=1),
    ]
    assert values(tracker, "run_001", "loss") == [(0, 1.0), (1, 0.5), (2, 0.25)]
    status()
    assert statuses[-1] == "ended"
    assert take(base, logs) == Imported(present={"a": "run_001", "b": "run_002"})


def test_following_may_begin_before_the_first_file_is_there(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    (tmp_path / "logs").mkdir()
    source = open_source(str(tmp_path / "logs"), SourceFormat.TENSORBOARD, may_be_empty=True)
    assert isinstance(source, EventFolders)
    told: list[Imported] = []

    def empty_file() -> None:
        begin(tmp_path / "logs" / "a").write_bytes(b"")

    def first_points() -> None:
        add(begin(tmp_path / "logs" / "a"), 0, {"loss": 1.0})

    follow_source(base, source, wait=looks(empty_file, first_points), tell=told.append)
    assert told == [Imported(), Imported({"a": "run_001"}, points=1)]


def test_points_that_another_import_has_added_meanwhile_are_not_repeated(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    path = begin(tmp_path / "logs" / "a")
    add(path, 0, {"loss": 1.0})

    def grows_and_is_imported() -> None:
        add(path, 1, {"loss": 0.5})
        assert take(base, tmp_path / "logs").grown == {"a": 1}
        add(path, 2, {"loss": 0.25})

    follow_source(
        base, EventFolders(tmp_path / "logs"), wait=looks(grows_and_is_imported), tell=lambda _: None
    )
    assert values(tracker, "run_001", "loss") == [(0, 1.0), (1, 0.5), (2, 0.25)]


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_an_import_that_is_followed_elsewhere_is_left_to_that_process_and_a_signal_ends_it_in_order(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    logs = tmp_path / "logs"
    path = begin(logs / "a")
    add(path, 0, {"loss": 1.0})
    process = start_following(base, logs)
    try:
        assert process.stdout is not None
        assert read_object(process)["imported"] == {"a": "run_001"}
        add(path, 1, {"loss": 0.5})
        assert read_object(process)["grown"] == {"a": 1}
        add(path, 2, {"loss": 0.25})
        outcome = take(base, logs)  # before or after the other process has seen the point
        assert outcome.grown == {}
        assert f"process {process.pid} is importing it already" in outcome.left_out.get(
            "a", f"process {process.pid} is importing it already"
        )
    finally:
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == exit_code
    take(base, logs)
    assert values(tracker, "run_001", "loss") == [(0, 1.0), (1, 0.5), (2, 0.25)]
    record = tracker.record("run_001")
    assert record is not None
    assert record.status.value == "ended"


def read_object(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def test_a_follower_that_was_killed_has_kept_what_it_imported(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    path = begin(logs / "a")
    add(path, 0, {"loss": 1.0})
    process = start_following(base, logs)
    read_object(process)
    add(path, 1, {"loss": 0.5})
    read_object(process)
    process.kill()
    process.communicate(timeout=60)
    add(path, 2, {"loss": 0.25})
    assert take(base, logs).grown == {"a": 1}
    assert values(tracker, "run_001", "loss") == [(0, 1.0), (1, 0.5), (2, 0.25)]
    record = tracker.record("run_001")
    assert record is not None
    assert record.status.value == "ended"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("reading", range(4))
def test_a_signal_while_a_run_is_read_ends_at_once_and_costs_no_point(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, number: signal.Signals, reading: int
) -> None:
    files = [begin(tmp_path / "logs" / name) for name in "ab"]

    class Interrupted(EventFolders):
        readings = 0
        has_waited = False

        def news(self, item: Item) -> FoundRun:
            found = super().news(item)
            if self.readings == reading:
                signal.raise_signal(number)
                self.has_waited = True
            self.readings += 1
            return found

    def grow(step: int = 1) -> None:
        for path in files:
            add(path, step, {"loss": 1.0})

    grow(0)
    source = Interrupted(tmp_path / "logs")
    with pytest.raises((KeyboardInterrupt, SystemExit)) as caught:
        follow_source(base, source, wait=looks(grow), tell=lambda _: None)
    assert (caught.value.code if isinstance(caught.value, SystemExit) else 0) in (0, 143)
    assert not source.has_waited
    assert "running" not in statuses(tracker).values()
    grow()
    take(base, tmp_path / "logs")
    expected = [0, 1] if reading < 2 else [0, 1, 1]
    assert [steps(tracker, run_id) for run_id in ("run_001", "run_002")] == [expected, expected]
