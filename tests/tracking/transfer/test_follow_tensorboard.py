"""Folders of event files are followed while they grow, by one process, until a signal."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from event_files import START, add, begin, take, values

from tracking import ExperimentTracker
from tracking.transfer import Imported, follow_source, open_source
from tracking.transfer.formats import SourceFormat
from tracking.transfer.found_runs import FoundRun, Item
from tracking.transfer.tensorboard.event_folders import EventFolders

ROOT = Path(__file__).resolve().parents[3]


def looks(*between: Callable[[], object]) -> Callable[[], bool]:
    """Do something after each look at the source; the last one ends the following."""
    left = [*between]

    def wait() -> bool:
        if not left:
            return False
        left.pop(0)()
        return True

    return wait


def follow(base: Path, logs: Path, *between: Callable[[], object]) -> list[Imported]:
    told: list[Imported] = []
    follow_source(base, EventFolders(logs), wait=looks(*between), tell=told.append)
    return told


def nothing() -> None:
    pass


def statuses(tracker: ExperimentTracker) -> dict[str, str]:
    return {record.run_id: record.status.value for record in tracker.records()}


def steps(tracker: ExperimentTracker, run_id: str, name: str = "loss") -> list[Any]:
    return [step for step, _ in values(tracker, run_id, name)]


def start_following(base: Path, logs: Path) -> "subprocess.Popen[str]":
    words = ["-m", "tracking", "import", str(logs), "--follow", "--json", "--store", str(base)]
    return subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def add_to_each(files: list[Path]) -> None:
    """Add a point, at a step that is new, to each file."""
    for path in files:
        add(path, len(path.read_bytes()), {"loss": 1.0})


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


def test_a_run_that_was_deleted_here_is_left_out_and_the_others_go_on(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    files = [begin(tmp_path / "logs" / name) for name in "ab"]

    grow = partial(add_to_each, files)
    grow()
    told = follow(
        base,
        tmp_path / "logs",
        lambda: tracker.delete_run("run_001"),
        grow,
        nothing,
        grow,
        lambda: tracker.restore_run("run_001"),
        grow,
    )
    assert [outcome.grown for outcome in told] == [{}, {"b": 1}, {}, {"b": 1}, {"a": 3, "b": 1}]
    assert [[*outcome.left_out] for outcome in told] == [[], [], ["a"], [], []]
    assert "it was deleted here and is in the trash as run_001" in told[2].left_out["a"]
    assert statuses(tracker) == {"run_001": "ended", "run_002": "ended"}


def test_a_run_that_was_removed_by_hand_while_it_grew_is_imported_anew_and_the_others_end_in_order(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    files = [begin(tmp_path / "logs" / name) for name in "abc"]

    grow = partial(add_to_each, files)

    def remove() -> None:
        shutil.rmtree(base / "runs" / "run_001")
        shutil.rmtree(base / "runs" / "run_002")
        add(files[0], 1, {"loss": 1.0})  # run_002 is missed at the end alone

    grow()
    told = follow(base, tmp_path / "logs", grow, remove, nothing)
    assert told[2:] == [Imported({"a": "run_004"}, points=3)]
    assert statuses(tracker) == {"run_003": "ended", "run_004": "ended"}


def test_what_is_left_out_or_damaged_is_told_once(base: Path, tmp_path: Path) -> None:
    path = begin(tmp_path / "logs" / "a")
    add(path, 0, {"loss": 1.0, "line\nbreak": 1.0})
    begin(tmp_path / "logs" / "never", at=1e14)
    begin(tmp_path / "logs" / "lost").write_bytes(b"x" * 100)

    def grow() -> None:
        add(path, 1, {"loss": 1.0, "line\nbreak": 1.0})

    first, *others = follow(base, tmp_path / "logs", nothing, grow, grow)
    assert (sorted(first.left_out), sorted(first.damaged)) == (["never"], ["a", "lost"])
    assert others == [Imported(grown={"a": 1}), Imported(grown={"a": 1})]


def test_a_run_that_was_left_out_is_looked_at_again_once_it_has_grown(base: Path, tmp_path: Path) -> None:
    path = begin(tmp_path / "logs" / "a", at=1e14)
    readings = 0

    class Counted(EventFolders):
        def read(self, item: Item) -> FoundRun:
            nonlocal readings
            readings += 1
            return super().read(item)

    told: list[Imported] = []
    wait = looks(nothing, nothing, lambda: add(path, 0, {"loss": 1.0}), nothing)
    follow_source(base, Counted(tmp_path / "logs"), wait=wait, tell=told.append)
    assert (readings, len(told)) == (2, 1)


def test_a_file_that_is_gone_or_comes_back_repeats_no_point_and_no_word(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    first = begin(tmp_path / "logs" / "a")
    add(first, 0, {"loss": 1.0})
    second = begin(tmp_path / "logs" / "a", "events.out.tfevents.1700000100.host.2.0")
    add(second, 1, {"loss": 1.0})
    away = tmp_path / "away"

    def grow() -> None:
        add(second, 2, {"loss": 1.0})

    def comes_back() -> None:
        away.rename(first)
        add(first, 3, {"loss": 1.0})

    told = follow(base, tmp_path / "logs", grow, lambda: first.rename(away), nothing, comes_back)
    assert told[1:] == [Imported(grown={"a": 1}), Imported(grown={"a": 1})]
    assert steps(tracker, "run_001") == [0, 1, 2, 3]


def test_a_longer_copy_in_the_place_of_a_file_goes_on_with_it(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    path = begin(tmp_path / "logs" / "a")
    add(path, 0, {"loss": 1.0})

    def synced(step: int) -> None:  # as rsync replaces a file
        copy = tmp_path / "copy"
        shutil.copy(path, copy)
        add(copy, step, {"loss": 1.0})
        copy.replace(path)

    told = follow(base, tmp_path / "logs", lambda: synced(1), lambda: synced(2))
    assert told[1:] == [Imported(grown={"a": 1}), Imported(grown={"a": 1})]
    assert steps(tracker, "run_001") == [0, 1, 2]


@pytest.mark.parametrize("has_grown", [False, True])
@pytest.mark.parametrize("count", [1, 50])
@pytest.mark.parametrize("is_removed_before", [False, True])
def test_another_training_in_the_place_of_a_file_is_a_run_of_its_own(
    tracker: ExperimentTracker,
    base: Path,
    tmp_path: Path,
    *,
    has_grown: bool,
    count: int,
    is_removed_before: bool,
) -> None:
    path = begin(tmp_path / "logs" / "a")
    for step in range(5):
        add(path, step, {"loss": 1.0})
    open_runs = []

    def other() -> None:
        begin(tmp_path / "logs" / "a", at=START + 1000)
        for step in range(count):
            add(path, step, {"acc": 1.0})

    told = follow(
        base,
        tmp_path / "logs",
        lambda: has_grown and add(path, 5, {"loss": 1.0}),
        lambda: is_removed_before and path.unlink(),
        other,
        nothing,
        lambda: add(path, count, {"acc": 1.0}),
        lambda: open_runs.append(statuses(tracker)),
    )
    assert told[-2:] == [Imported({"a": "run_002"}, points=count), Imported(grown={"a": 1})]
    assert steps(tracker, "run_001") == [*range(6 if has_grown else 5)]
    assert steps(tracker, "run_002", "acc") == [*range(count + 1)]
    assert open_runs == [{"run_001": "ended", "run_002": "running"}]


def test_a_run_whose_folder_is_gone_is_not_running_any_more(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    path = begin(tmp_path / "logs" / "a")
    add(path, 0, {"loss": 1.0})
    found = []
    follow(
        base,
        tmp_path / "logs",
        lambda: add(path, 1, {"loss": 1.0}),
        lambda: found.append(statuses(tracker)["run_001"]),
        lambda: shutil.rmtree(tmp_path / "logs" / "a"),
        lambda: found.append(statuses(tracker)["run_001"]),
    )
    assert found == ["running", "ended"]


def test_a_run_that_cannot_be_kept_any_more_is_left_out_and_ends_and_the_others_go_on(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    files = [begin(tmp_path / "logs" / name) for name in "ab"]

    grow = partial(add_to_each, files)
    found = []
    told = follow(
        base,
        tmp_path / "logs",
        grow,
        grow,
        lambda: add(files[0], 9, {"loss": 1.0}, at=1e14),
        lambda: found.append(statuses(tracker)),
        grow,
    )
    assert found == [{"run_001": "ended", "run_002": "running"}]
    assert [[*outcome.left_out] for outcome in told] == [[], [], [], ["a"], []]
    assert told[-1].grown == {"b": 1}
