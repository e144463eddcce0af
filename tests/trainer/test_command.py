"""`podium train` becomes `python -m trainer`."""

import os
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from trainer.command import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str], dict[str, str]]]:
    calls: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr("os.execve", lambda *call: calls.append(call))
    return calls


def test_the_app_gets_every_word_as_it_is(started: list[tuple[str, list[str], dict[str, str]]]) -> None:
    words = ["-m", "training.epochs=1,2", "--cfg", "job", "--help"]
    main(words)
    assert started == [(sys.executable, [sys.executable, "-m", "trainer", *words], dict(os.environ))]


def test_a_shell_is_answered_by_hydras_own_completion(
    started: list[tuple[str, list[str], dict[str, str]]],
) -> None:
    main(["--complete", "-m", "model=l"])
    ((_, command, environment),) = started
    assert command[1:] == ["-m", "trainer", "--shell-completion", "query=fish"]
    assert environment["COMP_LINE"] == "trainer -m model=l"


@pytest.mark.parametrize("name", ["trainer.py"])
def test_a_module_of_the_users_in_the_working_folder_is_named(
    started: list[tuple[str, list[str], dict[str, str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    assert main([]) == 1
    error = f"error: {str(tmp_path / name)!r} takes the place of podium's package {name[:-3]!r}"
    assert capsys.readouterr().err.startswith(error)
    assert main(["--complete", ""]) == 1
    assert capsys.readouterr().err == ""
    assert started == []


def test_without_its_extra_it_does_not_start(
    started: list[tuple[str, list[str], dict[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["--help"]) == 1
    sentence = 'error: torch is not installed; pip install "podium[trainer]" installs it\n'
    assert capsys.readouterr().err == sentence
    assert started == []


def test_the_help_of_the_app_says_how_it_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    conf = OmegaConf.load(ROOT / "conf" / "config.yaml")
    assert conf.hydra.help.app_name == "python -m trainer"
    assert "python -m tracking list" in conf.hydra.help.header
    for package, name in (("TRAINER", "podium train"), ("TRACKING", "podium"), ("SWEEPS", "podium sweeps")):
        monkeypatch.setenv(f"PODIUM_{package}_COMMAND", name)
    assert conf.hydra.help.app_name == "podium train"
    assert "podium train -m training.learning_rate" in conf.hydra.help.header
    assert "podium sweeps leaderboard" in conf.hydra.help.header
