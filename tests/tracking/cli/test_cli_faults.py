"""What is wrong is said in one line: wrong words, damaged runs and models, streams that are closed."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Say

from tracking import ModelRegistry

ROOT = Path(__file__).parents[3]


def test_lost_and_damaged_versions_are_named_and_the_rest_is_listed(
    models: ModelRegistry, store: Path, say: Say
) -> None:
    shutil.copytree(store / "models" / "ctr", store / "models" / "other")
    shutil.rmtree(store / "models" / "ctr" / "v2")
    code, out, err = say("models")
    assert code == 1
    assert re.search(r"^ctr +1 +- +- +- +-$", out, re.MULTILINE)
    assert re.search(r"^other +2 +2 +test_auc", out, re.MULTILINE)
    assert "models/ctr/v2 is lost" in err
    assert "models/ctr/v2 is lost" in say("champion", "ctr")[2]
    code, out, err = say("rollback", "ctr", "--why", "worse")
    assert (code, out) == (0, "The champion of ctr is version 1 again.\n")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["compare", "nope"], 1, "no runs of an experiment 'nope'"),
        (["show", "run_999"], 1, "no run 'run_999'"),
        (["show", "../../x"], 1, "run id '../../x'"),
        (
            ["plot", "ctr_model", "nope"],
            1,
            "no run to draw has the metric 'nope'; metrics of 'ctr_model': test_auc, val_auc, val_loss",
        ),
        (["plot", "ctr_model", "val_auc", "run_999"], 1, "no run 'run_999'"),
        (
            ["best", "ctr_model", "--metric", "nope"],
            1,
            "no run of 'ctr_model' has the metric 'nope'; it has: test_auc",
        ),
        (["champion", "nope"], 1, "no model 'nope'"),
        (["champion", "../x"], 1, "model name '../x'"),
        (["show"], 2, "Missing argument"),
        (
            ["list", "--nope"],
            2,
            "(python -m tracking list --help shows how it is called)",
        ),
        (["plot", "ctr_model", "x", "--mode", "up"], 2, "Invalid value for '--mode': 'up' is not one of"),
        (["list", "ctr_model", "--sort", "zzz"], 1, "tag 'zzz'; known names are"),
    ],
)
def test_an_error_is_one_line_on_stderr(
    store: Path, say: Say, arguments: list[str], code: int, message: str
) -> None:
    found, out, err = say(*arguments)
    assert (found, out) == (code, "")
    assert err.startswith("tracking: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_damaged_run_is_named_the_others_are_shown_and_the_exit_code_tells(store: Path, say: Say) -> None:
    (store / "runs" / "run_001" / "params.json").write_text("{")
    code, out, err = say("compare", "ctr_model")
    assert code == 1
    assert "run_002" in out
    assert re.fullmatch(r"tracking: left out: .*run_001/params\.json is not valid JSON .*\n", err)


@pytest.mark.parametrize("change", [{"status": "archived"}, {"format": 2}])
def test_a_run_that_cannot_be_understood_takes_no_list_down(
    store: Path, say: Say, change: dict[str, object]
) -> None:
    path = store / "runs" / "run_001" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    for command in (["list"], ["compare", "ctr_model"], ["best", "ctr_model"]):
        code, out, err = say(*command)
        assert code == 1
        assert "run_002" in out
        assert re.fullmatch(r"tracking: left out: .*run_001/run\.json .*\n", err)


def test_a_damaged_manifest_takes_no_list_of_models_down(
    models: ModelRegistry, store: Path, say: Say
) -> None:
    models.register("other", "run_001", objective={"metric": "test_auc", "mode": "max", "value": 0.81})
    (store / "models" / "ctr" / "v2" / "manifest.json").write_text("{")  # the champion's
    code, out, err = say("models")
    assert code == 1
    assert re.search(r"^ctr +1 +- ", out, re.MULTILINE)
    assert re.search(r"^other +1 +- ", out, re.MULTILINE)
    assert re.fullmatch(r"tracking: left out: .*ctr/v2/manifest\.json is not valid JSON .*\n", err)


@pytest.mark.parametrize(
    "command",
    [
        ["export"],
        ["export", "ctr_model", "--histories"],
        ["tag", "--filter", "test_auc > 0.8", "seen=yes"],
        ["rename", "ctr_model", "other"],
        ["delete", "--filter", "test_auc > 0.8", "--yes"],
        ["search"],
        ["reindex"],
    ],
)
def test_whatever_leaves_a_damaged_run_out_names_it_once_and_the_exit_code_tells(
    store: Path, say: Say, command: list[str]
) -> None:
    (store / "runs" / "run_003" / "run.json").write_text("{")
    code, _, err = say(*command)
    assert code == 1
    assert re.fullmatch(r"tracking: left out: .*run_003/run\.json is not valid JSON .*\n", err)


def test_a_history_that_is_damaged_is_left_out_of_an_export(store: Path, say: Say) -> None:
    (store / "runs" / "run_001" / "metrics.json").write_text("{")
    code, out, err = say("export", "ctr_model", "--histories")
    assert code == 1
    assert "run_002,val_auc,0,0.7" in out
    assert re.fullmatch(r"tracking: left out: .*run_001/metrics\.json is not valid JSON .*\n", err)


@pytest.mark.parametrize("command", ["models", "champion", "history"])
def test_a_damaged_event_of_a_model_is_named_once_and_the_exit_code_tells(
    models: ModelRegistry, store: Path, say: Say, command: str
) -> None:
    with (store / "models" / "ctr" / "events.jsonl").open("a") as events:
        events.write('{"event": "crowned"}\n')
    code, out, err = say(command, *(["ctr"] if command != "models" else []))
    assert code == 1
    assert "run_002" in out
    assert re.fullmatch(
        r"tracking: left out: .*events\.jsonl: a line that is not an event: .*crowned.*\n", err
    )


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (["lst"], 2, "did you mean 'list'?"),
        (["ctr_modle", "--json"], 2, "did you mean 'ctr_model'?"),
        (["shw", "run_001"], 2, "did you mean 'show'?"),
        (["ctr_modle", "plot", "val_auc"], 2, "did you mean 'ctr_model'?"),
        (["xyzzy", "run_001"], 2, "commands: list, search, compare, plot"),
    ],
)
def test_a_first_word_that_nobody_knows_is_answered_with_the_closest(
    store: Path, say: Say, arguments: list[str], code: int, hint: str
) -> None:
    found, out, err = say(*arguments)
    assert (found, out) == (code, "")
    assert f"{arguments[0]!r} is neither a command nor an experiment in" in err
    assert hint in err
    assert "experiments: ctr_model" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["promote", "ctr", "x"], 1, "model 'ctr' has no alias 'x'; it has: champion"),
        (["promote", "ctr"], 2, "say which version: python -m tracking promote ctr@3"),
        (["promote", "ctr@1", "2"], 2, "'ctr@1' and '2' name a version each"),
        (["rollback", "ctr"], 2, "say why with --why"),
        (["rollback", "ctr", "--to", "other@1", "--why", "x"], 2, "'ctr' is to be rolled back"),
        (["verdict", "ctr"], 1, "the gate has judged no version of 'ctr'"),
        (["verdict", "ctr@1"], 1, "the gate has not judged version 1 of 'ctr'"),
        (["lineage", "ctr@9"], 1, "model 'ctr' has no version 9"),
        (["lineage", "nothing"], 1, "no model 'nothing'"),
        (["compare", "ctr@1", "ctr@"], 1, "'ctr@' names no version; write NAME@WHICH"),
        (["import", "nowhere", "--as", "x"], 2, "are for an exported version, and 'nowhere' is none"),
    ],
)
def test_a_version_that_is_not_named_well_is_an_error_of_one_line(
    models: ModelRegistry, say: Say, arguments: list[str], code: int, message: str
) -> None:
    found, out, err = say(*arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_known_experiment_with_a_word_too_many_is_told_so(store: Path, say: Say) -> None:
    code, _, err = say("ctr_model", "run_001")
    assert code == 2
    assert "run_001" in err
    assert "neither" not in err


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_early_is_no_error(store: Path, unbuffered: str) -> None:
    command = f"{sys.executable} -m tracking compare ctr_model | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Found 4 runs for 'ctr_model'\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_a_stream_that_is_closed_from_the_start_is_no_error(store: Path, closed: str) -> None:
    command = f"{sys.executable} -m tracking list {closed}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("ctr_model" in done.stdout) == (not closed.startswith(">"))


def test_a_file_where_the_hidden_folder_should_be_hinders_no_reader(store: Path, say: Say) -> None:
    shutil.rmtree(store / ".podium")
    (store / ".podium").touch()
    code, out, err = say("compare", "ctr_model")
    assert (code, err) == (0, "")
    assert "Found 4 runs" in out
