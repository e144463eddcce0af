"""The command line: whole plain cells for a pipe, a table for a terminal, JSON for scripts, one line per error."""

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Say

from tracking import ExperimentTracker, ModelRegistry, Verdict
from tracking.cli.app import PROGRAM
from tracking.cli.commands import COMMANDS
from tracking.cli.short_forms import expand
from tracking.cli.toolkit.app import load
from tracking.version import __version__

ROOT = Path(__file__).parents[3]


def test_compare_gives_a_pipe_every_cell_whole_without_colour(store: Path, say: Say) -> None:
    code, out, err = say("compare", "ctr_model")
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert ("long " * 12).strip() in out
    assert re.findall(r"^run_\d+", out, re.MULTILINE) == ["run_002", "run_001", "run_003", "run_004"]
    assert re.search(r"^run_003 +completed +nan ", out, re.MULTILINE)
    assert "Best test_auc: 0.8300" in out


def test_compare_sorts_by_the_metric_that_is_asked_for(store: Path, say: Say) -> None:
    _, out, _ = say("compare", "ctr_model", "--metric", "val_loss")
    assert re.findall(r"^run_\d+", out, re.MULTILINE)[0] == "run_004"
    _, out, _ = say("compare", "ctr_model", "--metric", "val_loss", "--mode", "max", "--json")
    told = json.loads(out)
    assert (told["best"], told["mode"]) == ("run_001", "max")
    assert told["runs"][-1]["metrics"]["val_loss"] == pytest.approx(1.1)
    assert told["runs"][1]["metrics"]["test_auc"] == 0.83
    code, _, err = say("compare", "ctr_model", "--mode", "best")
    assert (code, err) == (2, "tracking: mode 'best' is none of 'max', 'min'\n")


def test_every_command_speaks_json(store: Path, models: ModelRegistry, say: Say) -> None:
    models.record_verdict("ctr", 2, Verdict(True, "Promoted: better.", ("better",), "first"))
    for arguments in (
        ["list"],
        ["compare", "ctr_model"],
        ["plot", "ctr_model", "val_auc"],
        ["show", "run_003"],
        ["best", "ctr_model"],
        ["search", "val_loss > 0"],
        ["list", "ctr_model"],
        ["diff", "run_001", "run_002"],
        ["watch", "ctr_model", "--once"],
        ["models"],
        ["champion", "ctr"],
        ["history", "ctr"],
        ["verdict", "ctr"],
        ["lineage", "ctr@champion"],
        ["lineage", "run_001"],
        ["compare", "ctr@1", "ctr@2"],
        ["verify"],
        ["rollback", "ctr", "--why", "tried"],
        ["promote", "ctr", "2", "--reason", "tried"],
        ["models", "ctr"],
        ["alias", "ctr", "staging", "1"],
        ["alias", "ctr", "staging", "--remove"],
        ["archive", "ctr@1"],
        ["unarchive", "ctr@1"],
        ["remove", "ctr@1", "--yes"],
    ):
        code, out, err = say(*arguments, "--json")
        assert (code, err) == (0, "")
        json.loads(out)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_offers_json(command: str) -> None:
    assert "as_json" in inspect.signature(load("tracking.cli", COMMANDS[command])).parameters


def test_show_tells_the_whole_run(store: Path, say: Say) -> None:
    _, out, _ = say("show", "run_002")
    for expected in (
        "run_002: ctr_model",
        "Status: completed",
        "learning_rate: 0.01",
        "test_auc",
        "model_best.pt",
    ):
        assert expected in out
    _, out, _ = say("show", "run_003", "--json")
    assert json.loads(out)["history"]["test_auc"][0]["value"] == "NaN"


def test_models_can_be_looked_at_and_moved(models: ModelRegistry, say: Say) -> None:
    assert re.search(r"^ctr +2 +2 +test_auc +0.8300 +run_002$", say("models")[1], re.MULTILINE)
    shown = say("champion", "ctr")[1]
    assert "CHAMPION: ctr, version 2" in shown
    assert re.search(r"^Since: 20\d\d-\S+ \S+, promoted( by \S+)?\nWhy: better$", shown, re.MULTILINE)
    assert say("rollback", "ctr", "--why", "worse")[1] == "The champion of ctr is version 1 again.\n"
    told = json.loads(say("champion", "ctr", "--json")[1])
    assert (told["version"], told["reason"]) == (1, "worse")
    assert told["since"] == models.history("ctr")[-1].at.isoformat()
    assert told["by"] == models.history("ctr")[-1].by
    assert say("rollback", "ctr", "--why", "worse")[::2] == (
        1,
        "tracking: model 'ctr' cannot be rolled back: version 1 is the first champion\n",
    )
    assert (
        say("promote", "ctr", "2", "--reason", "checked", "--by", "ann")[1]
        == "The champion of ctr is version 2.\n"
    )
    assert re.search(r"promoted +2 +ann +checked$", say("history", "ctr")[1], re.MULTILINE)


def test_aliases_and_versions_of_a_model_are_given_and_removed(
    models: ModelRegistry, store: Path, say: Say
) -> None:
    assert say("alias", "ctr", "staging", "1") == (0, "staging names version 1 of ctr.\n", "")
    assert re.search(r"^ctr .* run_002 +staging=1$", say("models")[1], re.MULTILINE)
    assert re.search(r"^ +1 +test_auc .* run_001 .* staging$", say("models", "ctr")[1], re.MULTILINE)
    assert re.search(r" aliased staging +1 ", say("history", "ctr")[1])
    assert "version 1 of 'ctr' has the alias 'staging'" in say("remove", "ctr@1", "--yes")[2]
    assert say("alias", "ctr", "staging")[0] == 2
    assert say("alias", "ctr", "staging", "1", "--remove")[0] == 2
    assert say("alias", "ctr", "staging", "--remove") == (0, "staging names nothing in ctr.\n", "")
    assert "needs a confirmation" in say("remove", "ctr")[2]
    assert say("remove", "ctr@1", "--yes")[1].splitlines() == [
        "Removed 1 version of ctr: 1",
        "No version needs 1 run (run_001) any more; python -m tracking delete takes runs.",
    ]
    assert say("delete", "run_001", "--yes")[0] == 0
    assert say("remove", "ctr", "-y", "--why", "retired")[1].startswith("Removed 1 version of ctr: 2\n")
    assert say("models")[1].startswith("No models in ")
    assert say("history", "ctr")[1].rstrip().endswith("retired")
    assert "no model 'ctr'" in say("remove", "ctr", "--yes")[2]


def test_a_store_that_is_named_must_be_there_and_the_default_one_may_come_later(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PODIUM_STORE", raising=False)
    assert say("list") == (0, "No runs in 'experiments' yet.\n", "")
    assert say("models") == (0, "No models in 'experiments' yet.\n", "")
    absent = "tracking: the store 'absent' does not exist; give the folder of the runs with --store or PODIUM_STORE\n"
    assert say("list", "--store", "absent") == (1, "", absent)
    assert say("ctr_model", "--store=absent") == (1, "", absent)
    assert say("list", "--store", "experiments")[0] == 1
    monkeypatch.setenv("PODIUM_STORE", "absent")
    assert say("models") == (1, "", absent)
    monkeypatch.delenv("PODIUM_STORE")
    (tmp_path / "experiments").write_text("")
    code, _, err = say("list")
    assert code == 1
    assert err.startswith("tracking: the store 'experiments' is no folder; give")


def test_help_has_a_short_option_and_tells_of_the_short_forms_and_the_version(say: Say) -> None:
    code, out, _ = say("-h")
    assert (code, out) == (0, say("--help")[1])
    assert "EXPERIMENT plot METRIC RUN...  is  plot EXPERIMENT METRIC RUN..." in out
    assert "--list" in out
    assert say("show", "-h")[1] == say("show", "--help")[1]
    assert say("--version") == (0, f"podium {__version__}\n", "")


def test_an_experiment_that_is_named_like_a_command_is_reached_through_compare(
    tracker: ExperimentTracker, base: Path, say: Say
) -> None:
    tracker.log_metrics(tracker.create_run("list"), {"a": 1})
    assert "Found 1 run for 'list'" in say("compare", "list", "--store", str(base))[1]


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (["ctr"], ["compare", "ctr"]),
        (["ctr", "plot", "auc", "run_001"], ["plot", "ctr", "auc", "run_001"]),
        (["--list"], ["list"]),
        (["--store", "d", "--list"], ["list", "--store", "d"]),
        (["--store", "d", "ctr", "--json"], ["compare", "--store", "d", "ctr", "--json"]),
        (["show", "run_001"], ["show", "run_001"]),
        (["note", "run_001", "--", "--list"], ["note", "run_001", "--", "--list"]),
        (["--help"], ["--help"]),
        ([], ["--help"]),
    ],
)
def test_short_forms_are_written_out(short: list[str], long: list[str]) -> None:
    assert expand(short) == long


def test_hostile_names_do_not_steer_the_terminal(tracker: ExperimentTracker, base: Path, say: Say) -> None:
    run_id = tracker.create_run("x", tags={"t": "\x1b[31mred"})
    tracker.log_params(run_id, {"p": "a\x1b]0;title\x07\nb"})
    tracker.log_metrics(run_id, {"../../m": 1})
    for arguments in (["show", run_id], ["compare", "x"]):
        assert "\x1b" not in say(*arguments, "--store", str(base))[1]
    code, out, _ = say("plot", "x", "../../m", "--store", str(base))
    assert code == 0
    (picture,) = base.rglob("*.png")
    assert picture.parent == base
    assert picture.name.startswith("metric_comparison_.._.._m-")
    assert out.startswith(f"Wrote {base}")


def test_every_command_explains_itself_with_an_example(say: Say) -> None:
    for name in COMMANDS:
        code, out, _ = say(name, "--help")
        assert code == 0
        assert f"Example: python -m tracking {name}" in out
    assert all(name in say("--help")[1] for name in COMMANDS)
    assert PROGRAM.build(COMMANDS).info.name == "tracking"


def test_a_newline_in_a_cell_is_shown_escaped(tracker: ExperimentTracker, base: Path, say: Say) -> None:
    tracker.log_params(tracker.create_run("x"), {"note": "one\ntwo"})
    _, out, _ = say("compare", "x", "--store", str(base))
    assert re.search(r"^run_001 .*one\\ntwo$", out, re.MULTILINE)


def test_a_locale_that_cannot_show_a_name_is_no_error(tracker: ExperimentTracker, base: Path) -> None:
    tracker.create_run("modèle")
    command = [sys.executable, "-m", "tracking", "list", "--store", str(base)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert "mod\\xe8le" in done.stdout
