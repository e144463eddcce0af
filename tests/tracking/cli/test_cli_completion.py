"""What a shell is told when the tab key is pressed."""

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Say

from tracking import ModelRegistry
from tracking.cli.commands import COMMANDS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["ctr"], {"ctr_model"}),
        (["sea"], {"search"}),
        (["show", ""], {"run_001", "run_002", "run_003", "run_004"}),
        (["diff", "run_001", "run_00"], {"run_001", "run_002", "run_003", "run_004"}),
        (["diff", "run_001", "run_002", ""], set()),
        (["tag", "run_001", "run_004"], {"run_004"}),
        (["compare", ""], {"ctr_model"}),
        (["compare", "ctr_model", "--metric", "val"], {"val_auc", "val_loss"}),
        (["compare", "--metric", "val_auc", ""], {"ctr_model"}),
        (["ctr_model", "plot", "test"], {"test_auc"}),
        (["best", "ctr_model", "--mode", ""], {"max", "min"}),
        (["best", "ctr_model", "--a"], {"--at"}),
        (["search", "--sort", "-val"], {"-val_auc", "-val_loss"}),
        (["search", "--columns", "status,lear"], {"status,learning_rate"}),
        (["search", "--experiment", ""], {"ctr_model"}),
        (["champion", ""], {"ctr"}),
        (["--v"], {"--version"}),
        (["show", "--store", ""], set()),
        (["show", "--store", "/nowhere", "run"], set()),
    ],
)
def test_the_word_before_the_cursor_is_completed(
    models: ModelRegistry, say: Say, words: list[str], found: set[str]
) -> None:
    code, out, err = say("--complete", *words)
    assert (code, err) == (0, "")
    assert set(out.split()) == found


def test_nothing_yet_is_completed_with_commands_and_experiments(store: Path, say: Say) -> None:
    assert set(say("--complete", "")[1].split()) == {*COMMANDS, "ctr_model"}
    assert set(say("--complete")[1].split()) == {*COMMANDS, "ctr_model"}


def test_bash_asks_for_what_follows_the_module_and_leaves_other_calls_of_python_alone(store: Path) -> None:
    script = """
        eval "$("$0" -m tracking completion)"
        ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _podium_tracking; echo "${COMPREPLY[*]}"; }
        ask "$0" -m tracking show run_00
        ask "$0" -m tracking compare ctr_model --metric test
        ask "$0" -m http.server run
        ask "$0" -m tracking
    """
    done = subprocess.run(["bash", "-c", script, sys.executable], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "run_001 run_002 run_003 run_004",
        "test_auc",
        "",
        "",
    ]
