"""The winner's run is shown to a function of the app's, in a process of its own, before it is promoted."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sweeps.ranking.winner import showing
from tracking.files import read_json

MODULE = """
import os, pathlib
def note(run_dir):
    text = os.fsencode(f"{pathlib.Path(run_dir).name} {os.getpid()}")
    pathlib.Path(__file__).with_name("shown.txt").write_bytes(text)
def fail(run_dir):
    print("before")
    raise ValueError("no ink")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_pictures.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_function_is_called_in_another_process_with_the_folder(module: Path) -> None:
    with showing("own_pictures.note") as show:
        assert show(Path("runs") / "a b\n\udcff") is None
    shown = (module / "shown.txt").read_bytes()
    assert shown.startswith(b"a b\n")
    assert str(os.getpid()).encode() not in shown


def test_a_function_that_fails_is_told_of_with_its_last_line(module: Path) -> None:
    with showing("own_pictures.fail") as show:
        assert show(Path("run")) == "own_pictures.fail failed: ValueError: no ink"
    with showing("own_pictures.missing") as show:
        assert "has no attribute 'missing'" in str(show(Path("run")))


def test_without_a_winner_the_function_is_not_called(module: Path) -> None:
    with showing("own_pictures.note"):
        pass
    assert not (module / "shown.txt").exists()
    with showing(None) as show:
        assert show(Path("run")) is None


SCRIPT = """
import hydra
from omegaconf import OmegaConf
from tracking import ExperimentTracker

@hydra.main(config_path=".", config_name="config", version_base="1.3")
def main(cfg):
    with ExperimentTracker().start_run("e", capture_output=False) as run:
        run.log({"score": cfg.x})
        run.log_text("weights", "model_best.pt")
    return cfg.x

if __name__ == "__main__":
    main()
"""
CONFIG = """
defaults: [{override hydra/sweeper: podium}, {override hydra/launcher: podium}]
x: 0
"""
FIRST = """
import pathlib, own_pictures
def call(run_dir):
    assert not pathlib.Path("experiments/models").exists()
    own_pictures.note(run_dir)
"""


@pytest.mark.parametrize("promotes", [True, False])
def test_a_sweep_shows_its_winner_before_it_promotes_it(
    run_script: Callable, module: Path, promotes: bool
) -> None:
    (module / "config.yaml").write_text(CONFIG)
    (module / "first.py").write_text(FIRST)
    promotion = ["hydra.sweeper.promotion.promote=true", "hydra.sweeper.promotion.model_name=m"]
    chosen = ["hydra.sweeper.winner=first.call", "hydra.sweeper.name=mine", *(promotion if promotes else [])]
    done = run_script(SCRIPT, "-m", "x=0,2", *chosen)
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stdout
    place = module / "experiments" / "sweeps" / "mine"
    winner = read_json(place / "leaderboard.json")["rows"][0]["run"]
    assert (module / "shown.txt").read_text().split()[0] == winner
    assert (place / "promotion.json").exists() == promotes


def test_a_sweep_whose_winner_cannot_be_shown_says_so_and_goes_on(run_script: Callable, module: Path) -> None:
    (module / "config.yaml").write_text(CONFIG)
    done = run_script(SCRIPT, "-m", "x=0,2", "hydra.sweeper.winner=own_pictures.fail")
    assert done.returncode == 0, done.stderr
    assert "own_pictures.fail failed: ValueError: no ink" in done.stdout
