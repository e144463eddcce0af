"""The console command: the tracker's commands, groups of other packages, and what both call themselves."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from command_line import Say

from tracking import ExperimentTracker
from tracking.cli import app, groups, short_forms
from tracking.cli.commands import COMMANDS
from tracking.cli.completion import completing


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments of each call of the one group, `extra`."""
    calls: list[list[str]] = []

    def extra(arguments: list[str]) -> int:
        """Do more.

        At length.
        """
        calls.append(arguments)
        return 7

    class Loaded:
        name = "extra"

        def load(self) -> object:
            return extra

    found = {"extra": Loaded(), "broken": EntryPoint("broken", "no_such_package:main", groups.ENTRY_POINTS)}
    for module in (groups, completing, short_forms):  # imported before, or they would keep what they find now
        monkeypatch.setattr(module, "groups", lambda: found, raising=False)
    return calls


def test_a_group_gets_the_words_after_its_name_and_gives_the_exit_code(
    group: list[list[str]], say: Say
) -> None:
    assert say("extra", "--flag", "list", "x=1") == (7, "", "")
    assert say("--complete", "extra", "x=")[0] == 7
    assert group == [["--flag", "list", "x=1"], ["--complete", "x="]]


def test_the_help_has_every_command_in_a_section_and_every_group(group: list[list[str]], say: Say) -> None:
    code, out, err = say("--help")
    assert (code, err) == (0, "")
    for name in COMMANDS:
        assert f"\n  {name} " in out
    for title in ("Runs:", "Models:", "Edit runs:", "Delete and repair:", "Other:", "Groups of commands:"):
        assert f"\n{title}\n" in out
    assert "extra       Do more.\n" in out
    assert "broken      (cannot be imported: No module named 'no_such_package')" in out
    assert group == []


def test_a_group_that_cannot_be_imported_is_one_sentence(group: list[list[str]], say: Say) -> None:
    assert say("broken", "x") == (
        1,
        "",
        "tracking broken: cannot be imported: No module named 'no_such_package'\n",
    )
    assert group == []


def test_a_near_miss_of_a_group_is_suggested(group: list[list[str]], say: Say) -> None:
    code, _, err = say("extr")
    assert code == 2
    assert "did you mean 'extra' or 'export'?" in err
    assert group == []


@pytest.mark.usefixtures("installed")
def test_the_groups_of_the_distribution_are_shown_with_what_they_do(say: Say) -> None:
    out = " ".join(say("--help")[1].split("Groups of commands:")[1].split())
    assert "export-model Export a trained model to ONNX or torch.export." in out
    assert "inspect Show what a table holds, without training" in out
    assert "predict Score the rows of a file with a trained model." in out
    assert "sweeps Look at sweeps, resume them, and cancel them." in out
    assert "train Train a model, or with -m a sweep of them" in out
    assert say("sweeps", "list")[1].startswith("No sweeps in experiments yet")


def test_a_command_of_the_tracker_looks_for_no_groups(
    monkeypatch: pytest.MonkeyPatch, say: Say, tracker: ExperimentTracker, base: Path
) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", None)
    groups.groups.cache_clear()
    tracker.create_run("train")
    assert say("list", "--store", str(base))[0] == 0
    assert say("compare", "train", "--store", str(base))[0] == 0  # an experiment named like a group
    assert say("--list", "--store", str(base))[0] == 0
    assert say("--version")[0] == 0


@pytest.mark.usefixtures("installed", "as_podium")
def test_called_as_podium_every_text_says_podium(say: Say, store: Path) -> None:
    assert say("--help")[1].startswith("Usage: podium [OPTIONS] COMMAND")
    assert "Example: podium compare ctr_model" in say("compare", "--help")[1]
    assert say("sweeps", "--help")[1].startswith("Usage: podium sweeps [OPTIONS] COMMAND")
    assert "\n  podium sweeps resume latest x=1,2,3\n" in say("sweeps", "--help")[1]
    assert say("list", "--wrong")[2].startswith("podium: No such option")
    assert say("list", "--wrong")[2].endswith("(podium list --help shows how it is called)\n")
    assert say("sweeps", "shw")[2].startswith("podium sweeps: No such command 'shw'")
    assert "run further points with: podium sweeps resume SWEEP KEY=VALUES" in say("sweeps", "extend")[2]
    for command in COMMANDS:
        assert "python -m" not in say(command, "--help")[1], command
    live = ExperimentTracker(store).create_run("x")
    assert f"ask it to stop: podium stop {live}" in say("delete", live, "--yes")[2]


def test_podium_keeps_how_it_was_called_for_what_it_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment: dict[str, str] = {}
    monkeypatch.setattr("os.environ", environment)
    monkeypatch.setattr("sys.argv", ["/bin/podium", "--version"])
    assert app.podium() == 0
    assert capsys.readouterr().out.startswith("podium ")
    assert environment == {
        "PODIUM_TRACKING_COMMAND": "podium",
        "PODIUM_SWEEPS_COMMAND": "podium sweeps",
        "PODIUM_TRAINER_COMMAND": "podium train",
    }
