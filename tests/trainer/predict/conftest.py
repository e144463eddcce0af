"""What the tests of `python -m trainer.predict` share: a model of each task, rows to score, and the command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from saved_models import customers, save

from trainer.predict.score_command import main

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and a model for each task."""
    folder = tmp_path_factory.mktemp("models")
    customers().to_csv(folder / "old.csv", index=False)
    for task in ("binary", "multiclass", "regression"):
        save(folder / task, folder / "old.csv", task)
    return folder


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Call the command; return its exit code and what it said."""

    def call(**words: Any) -> tuple[int, str, str]:
        flags = ["--json"] if words.pop("as_json", False) else []
        code = main([*(f"{key}={value}" for key, value in words.items()), *flags])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def new(tmp_path: Path) -> Path:
    customers(50, seed=1).to_csv(tmp_path / "new.csv", index=False)
    return tmp_path / "new.csv"
