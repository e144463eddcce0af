"""What tests of re-made runs share: a repository with a program that is tracked."""

import os
import tempfile
from pathlib import Path

import pytest
from rerun_project import PLAIN, TRAIN, commit, git


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Keep scratch folders and the user's git apart from the tests; return where scratch folders lie."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    for name, value in PLAIN.items():
        monkeypatch.setenv(name, value)
    return folder / f"podium-rerun-{os.getuid()}"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with `train.py` and its module `steps.py`; data and runs are ignored by git."""
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "train.py").write_text(TRAIN)
    (folder / "steps.py").write_text("scale = 1.0\n")
    (folder / "data/rows.csv").write_text("1,2\n3,4\n")
    (folder / ".gitignore").write_text("data/\nexperiments/\n__pycache__/\n")
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    return folder


@pytest.fixture
def store(repo: Path) -> Path:
    """The store of the programs."""
    return repo / "experiments"
