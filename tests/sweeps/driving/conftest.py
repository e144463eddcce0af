"""The small app that learns, searched as its user would: a command in a process of its own."""

import os
from collections.abc import Callable
from pathlib import Path

import forked
import pytest
from quadratic import Sweep

LEARNER = Path(__file__).parents[1] / "apps" / "learner" / "app.py"
ROOT = LEARNER.parents[4]


@pytest.fixture
def search(tmp_path: Path) -> Callable[..., Sweep]:
    """Search the app's space to the end: `settings` of the sweeper, and overrides of the app."""

    def search(*overrides: str, **settings: object) -> Sweep:
        given = [f"hydra.sweeper.{name}={value}" for name, value in settings.items()]
        answer = forked.run(
            str(LEARNER),
            "-m",
            *(word for word in overrides if word.startswith("--")),
            *given,
            *(word for word in overrides if not word.startswith("--")),
            cwd=tmp_path,
            timeout=120,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"},
        )
        return Sweep(answer.returncode, answer.stdout, answer.stderr, tmp_path)

    return search
