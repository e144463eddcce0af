"""What is followed is deleted, replaced, damaged or comes back: that costs itself, and the other runs go on."""

import shutil
from functools import partial
from pathlib import Path

import pytest
from event_files import START, add, add_to_each, begin, follow, looks, nothing, statuses, steps

from tracking import ExperimentTracker
from tracking.transfer import Imported, follow_source
from tracking.transfer.found_runs import FoundRun, Item
from tracking.transfer.tensorboard.event_folders import EventFolders


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
