"""The files of a run however many there are: looked at once, listed by folder, and seen when they change."""

import os
from pathlib import Path

import pytest

from tracking import ExperimentTracker
from tracking.browse import file_tree, run_files
from tracking.browse.file_tree import FileTrees
from tracking.browse.reader import StoreReader
from tracking.errors import MissingFileError
from tracking.paths import RunPaths, StorePaths


@pytest.fixture
def paths(tracker: ExperimentTracker, base: Path) -> RunPaths:
    """A run with many artifacts in one folder, and a few beside it."""
    with tracker.start_run("ctr_model") as run:
        pass
    found = StorePaths(base).run(run.run_id)
    many = found.artifacts / "predictions" / "of_rows"
    many.mkdir(parents=True)
    for number in range(40):
        (many / f"{number:03}.txt").write_text("x")
    (found.artifacts / "z_plots").mkdir()
    (found.artifacts / "z_plots" / "roc.txt").write_text("x")
    (found.artifacts / "data.json").write_text("{}")
    return found


@pytest.fixture
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_files, "MOST_FILES", 30)
    monkeypatch.setattr(run_files, "MOST_OF_FOLDER", 3)


def aged(folder: Path) -> None:
    """Let a folder look as if it had not changed for a while."""
    os.utime(folder, ns=(10**18, 10**18))


@pytest.mark.usefixtures("_few")
def test_of_very_many_files_each_folder_has_its_first_ones(paths: RunPaths, reader: StoreReader) -> None:
    for name in ("a", "b", "c", "d"):
        (paths.artifacts / name).write_text("x")
    facts = reader.run("run_001")
    listed = [each["path"] for each in facts["files"]]
    many = "artifacts/predictions/of_rows"
    assert [path for path in listed if path.startswith(many)] == [
        f"{many}/{number:03}.txt" for number in range(3)
    ]
    assert {"artifacts/z_plots/roc.txt", "artifacts/data.json"} <= {*listed}
    assert {"path": many, "shown": 3, "left_out": 37} in facts["folders"]
    assert facts["files_left_out"] == sum(each["left_out"] for each in facts["folders"])


@pytest.mark.usefixtures("_few")
def test_the_files_of_a_folder_are_listed_in_parts(paths: RunPaths, reader: StoreReader) -> None:
    many = "artifacts/predictions/of_rows"
    part = reader.files("run_001", many, offset=38, most=10)["files"]
    assert [each["path"] for each in part] == [f"{many}/038.txt", f"{many}/039.txt"]
    assert len(reader.files("run_001", many, offset=0, most=1000)["files"]) == 30
    for missing in ("artifacts/predictions/none", "..", "artifacts/.."):
        with pytest.raises(MissingFileError):
            reader.files("run_001", missing, offset=0, most=10)


def test_folders_that_have_not_changed_are_not_listed_again(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees = FileTrees()
    for folder in [paths.folder, *(path for path in paths.folder.rglob("*") if path.is_dir())]:
        aged(folder)
    first = trees.of(paths)
    looked: list[str] = []
    scan = os.scandir
    monkeypatch.setattr(file_tree.os, "scandir", lambda place: looked.append(str(place)) or scan(place))
    assert trees.of(paths) == first
    assert looked == []
    (paths.artifacts / "z_plots" / "new.txt").write_text("x")
    assert trees.of(paths)["artifacts/z_plots"].names == ("new.txt", "roc.txt")
    assert looked == [str(paths.artifacts / "z_plots")]


def test_a_folder_that_has_just_changed_is_listed_again(paths: RunPaths) -> None:
    trees = FileTrees()
    for number in range(200):  # more than one within a tick of the file system's clock
        (paths.artifacts / f"{number}.txt").write_text("x")
        assert f"{number}.txt" in trees.of(paths)["artifacts"].names


def test_the_trees_of_few_runs_are_kept(paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    trees = FileTrees()
    monkeypatch.setattr(file_tree, "MOST_NAMES", 10)
    assert len(trees.of(paths)["artifacts/predictions/of_rows"].names) == 40
    assert not trees._kept
