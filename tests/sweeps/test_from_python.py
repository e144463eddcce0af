"""A sweep that Python starts, as a cell of a notebook does, and not a command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.cli.app import main
from sweeps.ranking.aggregate import aggregate

PROGRAM = """
import sys, warnings
from hydra import initialize
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra

from tracking import active_run

def task(cfg):
    if cfg.lr > 0.3:
        raise ValueError("too large")
    return 1 - cfg.lr

def launch(*overrides):
    with initialize(version_base="1.3", config_path=None):
        hydra = GlobalHydra.instance().hydra
        plugins = ["hydra/sweeper=podium", "hydra/launcher=podium"]
        return hydra.multirun(config_name="config", task_function=task, overrides=[*plugins, *overrides])

if __name__ == "__main__":
    ConfigStore.instance().store("config", {"lr": 0.1})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        board = launch("lr=0.1,0.5,0.2")
    print("WARNED", *[each.message for each in caught if "failed" in str(each.message)])
    print("FRAME", board.frame()[["rank", "lr", "status"]].to_dict("list"))
    try:
        launch("lrr=1,2")
    except Exception as error:
        print("RAISED", type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def piped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder, and the output, of a program that Python reads from a pipe, as it reads cells."""
    folder = tmp_path_factory.mktemp("piped")
    done = subprocess.run(
        [sys.executable, "-"], input=PROGRAM, cwd=folder, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_failed_jobs_are_a_warning_and_the_leaderboard_is_returned(piped: tuple[Path, str]) -> None:
    _, out = piped
    assert "WARNED 1 of 3 jobs failed (max_failures=0)" in out
    assert (
        "FRAME {'rank': [1.0, 2.0, nan], 'lr': [0.1, 0.2, 0.5], 'status': ['completed', 'completed', 'failed']}"
        in out
    )


def test_a_wrong_override_is_an_exception_that_can_be_caught(piped: tuple[Path, str]) -> None:
    _, out = piped
    assert "RAISED PodiumError" in out
    assert "lrr" in out.split("RAISED PodiumError")[1]


def test_a_sweep_whose_command_would_start_no_sweep_says_how_to_resume_it(
    piped: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = piped
    (sweep,) = (each for each in (folder / "experiments" / "sweeps").iterdir() if each.is_dir())
    assert json.loads((sweep / "plan.json").read_text())["command"] == []
    assert main(["resume", "latest", "--store", str(folder / "experiments")]) == 1
    advice = f"to resume it, make the same call with hydra.sweeper.resume={sweep.name}"
    assert advice in capsys.readouterr().err


def test_a_sweep_is_ranked_by_its_name(piped: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = piped
    monkeypatch.chdir(folder)
    board = aggregate("latest")
    assert aggregate(board.sweep[:8], store=folder / "experiments") == board
    assert [row.objective for row in board.rows] == [0.9, 0.8, None]
