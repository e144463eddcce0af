"""What tests of provenance share: git without the user's settings, and a repository."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tracking.provenance import code as code_module

Git_ = Callable[..., str]
PLAIN = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_AUTHOR_NAME": "a"} | {
    "GIT_AUTHOR_EMAIL": "a@b",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@b",
}


@pytest.fixture
def plain_git(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PLAIN.items():
        monkeypatch.setenv(name, value)
    code_module._code.cache_clear()


@pytest.fixture
def git(tmp_path: Path) -> Git_:
    def call(*arguments: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or tmp_path / "repo", capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    return call


@pytest.fixture
def repo(tmp_path: Path, git: Git_) -> Path:
    """A repository with one commit of `train.py` and `weights.bin`."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git("init", "-q", "-b", "main")
    (folder / "train.py").write_text("print(1)\n")
    (folder / "weights.bin").write_bytes(b"\0\1\2")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return folder
